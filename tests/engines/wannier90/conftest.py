"""Inputs of Wannier90 on silicon, and nodes made from stored outputs."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from aiida import orm
from aiida.common import LinkType

FIXTURES = Path(__file__).parents[2] / 'fixtures' / 'wannier90'
KEYWORDS = {'num_wann': 4, 'num_bands': 12, 'exclude_bands': '1-4', 'num_iter': 1000, 'dis_froz_max': 9.76}


@pytest.fixture
def read_case():
    """Return a function: the files of a fixture; one of `failures` as what Wannier90 would have left."""
    return _read_case


def _read_case(name: str) -> dict[str, bytes]:
    folder = FIXTURES / name
    if folder.is_dir():
        return {path.name: path.read_bytes() for path in folder.iterdir()}
    message = folder.with_suffix('.werr')
    if message.exists():
        return {'aiida.werr': message.read_bytes()}
    return {'aiida.wout': gzip.decompress(folder.with_suffix('.wout.gz').read_bytes())}


@pytest.fixture
def silicon():
    structure = orm.StructureData(cell=[[0, 2.715, 2.715], [2.715, 0, 2.715], [2.715, 2.715, 0]])
    for position in ((0, 0, 0), (1.3575, 1.3575, 1.3575)):
        structure.append_atom(position=position, symbols='Si')
    return structure


@pytest.fixture
def mesh():
    def build(divisions=(2, 2, 2), offset=(0, 0, 0)):
        kpoints = orm.KpointsData()
        kpoints.set_kpoints_mesh(list(divisions), offset=list(offset))
        return kpoints

    return build


@pytest.fixture
def inputs(aiida_code_installed, aiida_localhost, silicon, mesh):
    """Return the inputs of a run for Wannier functions, with changes; None removes one."""

    def build(**changes):
        code = aiida_code_installed(default_calc_job_plugin='foundry.wannier90', filepath_executable='/bin/true')
        values = {
            'code': code,
            'structure': silicon,
            'kpoints': mesh(),
            'parameters': orm.Dict(KEYWORDS),
            'projections': orm.List(['random']),
            'overlaps': orm.RemoteData(remote_path='/scratch/overlaps', computer=aiida_localhost),
            'metadata': {'options': {'resources': {'num_machines': 1, 'num_mpiprocs_per_machine': 1}}},
        }
        return {name: value for name, value in {**values, **changes}.items() if value is not None}

    return build


@pytest.fixture
def calculation(aiida_localhost, silicon, mesh):
    """Return a finished calculation with stored files, as the parser sees it."""

    def build(files: dict[str, bytes], keywords=None, *, overlaps=True, exit_status=None):
        node = orm.CalcJobNode(computer=aiida_localhost, process_type='aiida.calculations:foundry.wannier90')
        node.set_option('output_filename', 'aiida.wout')
        node.set_option('resources', {'num_machines': 1, 'num_mpiprocs_per_machine': 1})
        values = {'structure': silicon, 'kpoints': mesh(), 'parameters': orm.Dict(keywords or KEYWORDS)}
        if overlaps:
            values['overlaps'] = orm.RemoteData(remote_path='/scratch/overlaps', computer=aiida_localhost)
        for label, value in values.items():
            node.base.links.add_incoming(value.store(), LinkType.INPUT_CALC, label)
        if exit_status is not None:
            node.set_exit_status(exit_status)
        node.store()
        retrieved = orm.FolderData()
        for name, content in files.items():
            retrieved.base.repository.put_object_from_bytes(content, name)
        retrieved.base.links.add_incoming(node, LinkType.CREATE, 'retrieved')
        retrieved.store()
        return node

    return build
