"""Processes with the inputs and outputs of ``foundry.gw.abinit``, stored by hand; a real one is in ``test_engine``.

The profile is shared with other tests: what a module stores has a label of its own, which its queries ask for.
"""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.manage import get_manager
from aiida_pseudo.data.pseudo.upf import UpfData
from sqlalchemy import event

from aiida_foundry.datasets.queries import Query
from aiida_foundry.structures.prototypes import prototype_structure

UPF = Path(__file__).parents[1] / 'fixtures' / 'psp8'
GW = 'aiida.workflows:foundry.gw.abinit'
VERSION = {'core': '2.9.4', 'plugin': '0.1.0'}
PARAMETERS = {
    'starting_functional': 'PBE',
    'frequency': {'treatment': 'plasmon-pole'},
    'wavefunction_cutoff': 8.0,
    'screening_cutoff': 3.0,
    'bands': 40,
}


def produce(process: orm.ProcessNode, label: str, data: orm.Data) -> orm.Data:
    """Let a calcfunction make data, and the process return them."""
    maker = orm.CalcFunctionNode()
    maker.set_process_state('finished')
    maker.set_exit_status(0)
    maker.base.links.add_incoming(process, LinkType.CALL_CALC, f'make_{label}')
    maker.store()
    data.base.links.add_incoming(maker, LinkType.CREATE, 'result')
    data.store()
    maker.seal()
    data.base.links.add_incoming(process, LinkType.RETURN, label)
    return data


def bands(energies) -> orm.BandsData:
    data = orm.BandsData()
    data.set_kpoints([[0.0, 0.0, 0.0]])
    data.set_bands(np.array([energies]), units='eV')
    return data


def gaps_of(direct: float, method: str) -> dict:
    def gap(value):
        return {'direct': value, 'indirect': value - 1.5}

    return {'method': method, 'kohn_sham': gap(2.4), 'quasiparticle': gap(direct), 'extremum_on_mesh': False}


def finish(node: orm.ProcessNode, exit_status: int = 0) -> orm.ProcessNode:
    node.set_process_state('finished')
    node.set_exit_status(exit_status)
    node.seal()
    return node


@pytest.fixture(scope='module')
def label(aiida_profile):
    return f'gaps-{uuid4()}'


@pytest.fixture(scope='module')
def pseudos(aiida_profile):
    contents = {symbol: gzip.decompress((UPF / f'{symbol}-PBEsol.upf.gz').read_bytes()) for symbol in ('Si', 'Al', 'P')}
    return {symbol: UpfData(io.BytesIO(content), filename=f'{symbol}.upf') for symbol, content in contents.items()}


@pytest.fixture(scope='module')
def find(label):
    """Return a function: the query for what this module stored."""

    def _find(where=(), **kwargs) -> Query:
        texts = [where] if isinstance(where, str) else where
        return Query('gaps', [f'label={label}', *texts], **kwargs)

    return _find


@pytest.fixture(scope='module')
def make_gap(label, pseudos):
    """Return a function that stores a finished GW process; the version of ABINIT is in the steps that it called."""

    def make(
        formula='Si', method='g0w0-ppm', direct=3.0, exit_status=0, versions=('9.6.2',), gaps=None
    ) -> orm.WorkChainNode:
        structure = orm.StructureData(pymatgen=prototype_structure(formula)).store()
        kpoints = orm.KpointsData()
        kpoints.set_kpoints_mesh([2, 2, 2])
        inputs = {
            'structure': structure,
            'method': orm.Str(method),
            'parameters': orm.Dict(PARAMETERS),
            'kpoints': kpoints,
            **{f'pseudos__{kind}': pseudos[kind] for kind in structure.get_kind_names()},
        }
        node = orm.WorkChainNode(process_type=GW, label=label)
        node.set_process_label('AbinitGwGapWorkChain')
        node.base.attributes.set('version', VERSION)
        for name, data in inputs.items():
            node.base.links.add_incoming(data.store(), LinkType.INPUT_WORK, name)
        node.store()
        for number, version in enumerate(versions):
            step = orm.WorkChainNode(process_type='aiida.workflows:foundry.abinit.base')
            step.base.links.add_incoming(node, LinkType.CALL_WORK, f'step_{number}')
            step.store()
            produce(step, 'output_parameters', orm.Dict({'abinit_version': version}))
            finish(step)
        produce(node, 'gaps', orm.Dict(gaps or gaps_of(direct, method)))
        produce(node, 'cost', orm.Dict({'core_seconds': 12.5}))
        produce(node, 'quasiparticle_bands', bands([5.0, 5.0 + direct]))
        produce(node, 'kohn_sham_bands', bands([5.0, 7.4]))
        return finish(node, exit_status)

    return make


@pytest.fixture(scope='module')
def three_gaps(make_gap):
    """Return silicon twice and aluminium phosphide once, the latter with two versions of ABINIT."""
    return [make_gap(), make_gap(method='qsgw', direct=3.5), make_gap('AlP', direct=7.0, versions=('9.6.2', '9.10.3'))]


@pytest.fixture
def statements():
    """Return the list of SQL statements that are executed from now on."""
    executed: list[str] = []
    engine = get_manager().get_profile_storage().get_session().get_bind()

    def note(connection, cursor, statement, *_):
        executed.append(statement)

    event.listen(engine, 'before_cursor_execute', note)
    yield executed
    event.remove(engine, 'before_cursor_execute', note)
