"""Inputs of ABINIT on silicon, and nodes made from stored outputs."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import pytest
from aiida import orm
from aiida.common import LinkType
from aiida_pseudo.data.pseudo.psp8 import Psp8Data

FIXTURES = Path(__file__).parents[2] / 'fixtures'
HALF_LATTICE_CONSTANT = 10.2631026 / 2 * 0.529177210903


@pytest.fixture
def case_folder():
    """Return the folder of a stored run."""
    return lambda case: FIXTURES / 'abinit' / case


@pytest.fixture
def silicon():
    """Return silicon in its primitive cell; by name of the kinds, e.g. to tell the two atoms apart."""

    def build(*kinds: str) -> orm.StructureData:
        h = HALF_LATTICE_CONSTANT
        structure = orm.StructureData(cell=[[0, h, h], [h, 0, h], [h, h, 0]])
        for name, x in zip(kinds or ('Si', 'Si'), (0, h / 2), strict=True):
            structure.append_atom(position=(x, x, x), symbols='Si', name=name)
        return structure

    return build


@pytest.fixture
def mesh():
    """Return a mesh of k-points."""

    def build(divisions=(2, 2, 2), offset=(0, 0, 0)) -> orm.KpointsData:
        kpoints = orm.KpointsData()
        kpoints.set_kpoints_mesh(list(divisions), offset=list(offset))
        return kpoints

    return build


@pytest.fixture
def silicon_psp8() -> Psp8Data:
    content = gzip.decompress((FIXTURES / 'psp8' / 'Si-PBEsol.psp8.gz').read_bytes())
    return Psp8Data(io.BytesIO(content), filename='Si-PBEsol.psp8')


@pytest.fixture
def abinit_code(aiida_code_installed):
    return aiida_code_installed(default_calc_job_plugin='foundry.abinit', filepath_executable='/bin/true')


@pytest.fixture
def remote(aiida_localhost):
    """Return the working directory of an earlier run, with the parameters and version of that run if given."""

    def build(path='/scratch/parent', parameters=None, version=None) -> orm.RemoteData:
        folder = orm.RemoteData(remote_path=path, computer=aiida_localhost)
        if parameters is None:
            return folder.store()
        creator = orm.CalcJobNode(computer=aiida_localhost, process_type='aiida.calculations:foundry.abinit')
        creator.base.links.add_incoming(orm.Dict(parameters).store(), LinkType.INPUT_CALC, 'parameters')
        creator.store()
        folder.base.links.add_incoming(creator, LinkType.CREATE, 'remote_folder')
        folder.store()
        if version is not None:
            results = orm.Dict({'abinit_version': version})
            results.base.links.add_incoming(creator, LinkType.CREATE, 'output_parameters')
            results.store()
        return folder

    return build


@pytest.fixture
def abinit_inputs(abinit_code, silicon, mesh, silicon_psp8):
    """Return the inputs of a self-consistent run, with changes."""

    def build(**changes):
        structure = changes.pop('structure', None) or silicon()
        parameters = changes.pop('parameters', {'ecut': 4, 'nband': 6, 'toldfe': 1e-8})
        inputs = {
            'code': abinit_code,
            'structure': structure,
            'kpoints': mesh(),
            'pseudos': {kind.name: silicon_psp8 for kind in structure.kinds},
            'parameters': orm.Dict(parameters),
            'metadata': {'options': {'resources': {'num_machines': 1, 'num_mpiprocs_per_machine': 1}}},
        }
        return {**inputs, **changes}

    return build


@pytest.fixture
def calcjob_node(aiida_localhost, silicon, mesh):
    """Return a finished calculation with the files of a stored run, as the parser sees it."""

    def build(case=None, kpoints=None, parents=None, files=None, parameters=None, folder=FIXTURES / 'abinit'):
        node = orm.CalcJobNode(computer=aiida_localhost, process_type='aiida.calculations:foundry.abinit')
        options = {
            'input_filename': 'aiida.abi',
            'output_filename': 'aiida.log',
            'scheduler_stderr': '_scheduler-stderr.txt',
            'resources': {'num_machines': 1, 'num_mpiprocs_per_machine': 1},
        }
        for name, value in options.items():
            node.set_option(name, value)
        if parameters is None:
            parameters = json.loads((folder / case / 'parameters.json').read_text())
        inputs = {'structure': silicon(), 'kpoints': kpoints or mesh(), 'parameters': orm.Dict(parameters)}
        inputs |= {f'parents__{kind}': parent for kind, parent in (parents or {}).items()}
        for label, value in inputs.items():
            node.base.links.add_incoming(value.store(), LinkType.INPUT_CALC, label)
        node.store()
        retrieved = orm.FolderData()
        contents = {path.name: path.read_bytes() for path in (folder / case).iterdir()} if case else {}
        for name, content in {**contents, **(files or {})}.items():
            if content is not None:
                retrieved.base.repository.put_object_from_bytes(content, name)
        retrieved.base.links.add_incoming(node, LinkType.CREATE, 'retrieved')
        retrieved.store()
        return node

    return build
