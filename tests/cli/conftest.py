"""Stored processes with the outputs of our workflows, and a way to call the command line."""

from __future__ import annotations

import pytest
from aiida import orm
from aiida.common.links import LinkType
from click.testing import CliRunner

from aiida_foundry.cli import cli
from aiida_foundry.structures.prototypes import prototype_structure

# ABINIT 9.6.2, silicon 2x2x2, 8 Ha: direct gaps at Γ in eV
KOHN_SHAM, PLASMON_POLE, SELF_CONSISTENT = 2.443, 3.058, 3.172


@pytest.fixture
def invoke(aiida_profile):
    """Return a function that calls the command line with arguments and returns click's result."""

    def _invoke(*arguments: object):
        return CliRunner().invoke(cli, [str(argument) for argument in arguments])

    return _invoke


def finish(node: orm.ProcessNode, exit_status: int = 0, message: str | None = None) -> orm.ProcessNode:
    node.set_process_state('finished')
    node.set_exit_status(exit_status)
    node.set_exit_message(message)
    node.seal()
    return node


def gaps(method: str, direct: float, on_mesh: bool = False) -> orm.Dict:
    def edges(energy):
        return {'direct': energy, 'indirect': energy - 1.7, 'direct_kpoint': [0, 0, 0]}

    return orm.Dict(
        {
            'method': method,
            'units': 'eV',
            'kohn_sham': edges(KOHN_SHAM),
            'quasiparticle': edges(direct),
            'extremum_on_mesh': on_mesh,
        }
    )


def add_outputs(node: orm.ProcessNode, outputs: dict[str, orm.Data]) -> None:
    """Make every output by a calcfunction, as the provenance rules ask, and let the workflow return it."""
    for label, data in outputs.items():
        maker = orm.CalcFunctionNode()
        maker.base.links.add_incoming(node, LinkType.CALL_CALC, f'make_{label}')
        maker.store()
        data.base.links.add_incoming(maker, LinkType.CREATE, 'result')
        data.store()
        data.base.links.add_incoming(node, LinkType.RETURN, label)


def workflow(label: str, structure: orm.StructureData, caller: orm.ProcessNode | None = None) -> orm.WorkChainNode:
    node = orm.WorkChainNode()
    node.set_process_label(label)
    node.base.links.add_incoming(structure, LinkType.INPUT_WORK, 'structure')
    if caller is not None:
        node.base.links.add_incoming(caller, LinkType.CALL_WORK, 'gap')
    return node.store()


@pytest.fixture(scope='module')
def silicon(aiida_profile):
    return orm.StructureData(pymatgen=prototype_structure('Si')).store()


@pytest.fixture(scope='module')
def gap_node(silicon):
    """Return a finished process with the outputs of ``foundry.gw.abinit``."""
    node = workflow('AbinitGwGapWorkChain', silicon)
    add_outputs(node, {'gaps': gaps('g0w0-ppm', PLASMON_POLE), 'cost': orm.Dict({'core_seconds': 12.34})})
    return finish(node)


@pytest.fixture
def diamond_gap_node(aiida_profile):
    """Return a finished process on another material."""
    structure = orm.StructureData(pymatgen=prototype_structure('diamond')).store()
    node = workflow('AbinitGwGapWorkChain', structure)
    add_outputs(node, {'gaps': gaps('qsgw', 7.5)})
    return finish(node)


@pytest.fixture(scope='module')
def variants_node(silicon):
    """Return a finished process with the outputs of ``foundry.gw.variants``, which two children returned to it."""
    node = workflow('GwVariantsWorkChain', silicon)
    for method, direct in (('g0w0-ppm', PLASMON_POLE), ('qsgw', SELF_CONSISTENT)):
        child = workflow('AbinitGwGapWorkChain', silicon, caller=node)
        results = {'gaps': gaps(method, direct, on_mesh=True), 'cost': orm.Dict({'core_seconds': 2.5})}
        add_outputs(child, results)
        for label, data in results.items():
            data.base.links.add_incoming(node, LinkType.RETURN, f'{method.replace("-", "_")}__{label}')
        finish(child)
    return finish(node)


@pytest.fixture
def failed_node(silicon, aiida_localhost):
    """Return a workflow that failed because a calculation did."""
    node = workflow('AbinitGwGapWorkChain', silicon)
    child = orm.CalcJobNode(computer=aiida_localhost)
    child.set_process_label('AbinitCalculation')
    child.set_option('resources', {'num_machines': 1, 'num_mpiprocs_per_machine': 1})
    child.base.links.add_incoming(node, LinkType.CALL_CALC, 'scf')
    child.store()
    finish(child, 400, 'The calculation stopped prematurely because it ran out of walltime.')
    return finish(node, 401, 'The self-consistent ground state failed.')
