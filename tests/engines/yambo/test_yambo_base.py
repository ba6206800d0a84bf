"""Handlers of the restart wrapper of Yambo."""

from __future__ import annotations

from functools import partial

import pytest
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager

from aiida_foundry.engines.yambo.base import YamboBaseWorkChain
from aiida_foundry.engines.yambo.calculation import YamboCalculation
from aiida_foundry.engines.yambo.exit_codes import EXIT_CODES

CHILD = YamboCalculation.exit_codes
OWN = YamboBaseWorkChain.exit_codes
REPAIRED = {
    'ERROR_OUT_OF_WALLTIME',
    'ERROR_REPORT_INCOMPLETE',
    'ERROR_REPORT_MISSING',
    'ERROR_DATABASE_UNREADABLE',
    'ERROR_RESULTS_UNREADABLE',
    'ERROR_OUTPUT_INCONSISTENT',
    'ERROR_FILES_DAMAGED',
    'ERROR_OUT_OF_MEMORY',
    'ERROR_PARALLEL_STRUCTURE',
    'ERROR_HAYDOCK_NOT_CONVERGED',
}
HAYDOCK = {'runlevels': ['bss', 'bsk'], 'variables': {'BSSmod': 'h', 'BSHayItrMAX': 5, 'BSEBands': [1, 8]}}


@pytest.fixture
def chain(inputs):
    runner = get_manager().create_runner(communicator=None, broker_submit=False)
    options = {'resources': {'num_machines': 1, 'num_mpiprocs_per_machine': 4}}
    process = instantiate_process(runner, YamboBaseWorkChain, yambo=inputs(HAYDOCK, metadata={'options': options}))
    process.setup()
    return process


@pytest.fixture
def failed(failed_as):
    """Return a function: a calculation that failed with an exit code."""
    return partial(failed_as, YamboCalculation)


def handle(chain, calculation):
    """Let the chain inspect its child; return the exit code, None if it goes on."""
    chain.ctx.children = [calculation]
    chain.ctx.iteration = 1
    result = chain.inspect_process()
    return None if result is None or result.status == 0 else result


@pytest.mark.parametrize('label', sorted(set(EXIT_CODES) - REPAIRED - {'ERROR_P2Y'}))
def test_stops_at_once(chain, failed, label):
    assert handle(chain, failed(label)).status == OWN.ERROR_UNRECOVERABLE.status


@pytest.mark.parametrize('label', ['ERROR_OUT_OF_WALLTIME', 'ERROR_REPORT_INCOMPLETE', 'ERROR_REPORT_MISSING'])
def test_interrupted(chain, failed, label):
    for _ in range(4):
        node = failed(label)
        assert handle(chain, node) is None
        assert chain.ctx.inputs.restart.uuid == node.outputs.remote_folder.uuid
    assert handle(chain, failed(label)).status == OWN.ERROR_WALLTIME.status


@pytest.mark.parametrize(
    'label',
    ['ERROR_DATABASE_UNREADABLE', 'ERROR_RESULTS_UNREADABLE', 'ERROR_OUTPUT_INCONSISTENT', 'ERROR_FILES_DAMAGED'],
)
def test_damaged_database(chain, failed, label):
    """What an interrupted run left is not used again."""
    assert handle(chain, failed('ERROR_OUT_OF_WALLTIME')) is None
    assert handle(chain, failed(label)) is None
    assert 'restart' not in chain.ctx.inputs
    assert handle(chain, failed(label)).status == OWN.ERROR_DATABASES.status


@pytest.mark.parametrize('label', ['ERROR_OUT_OF_MEMORY', 'ERROR_PARALLEL_STRUCTURE'])
def test_fewer_processes(chain, failed, label):
    for processes in (2, 1):
        assert handle(chain, failed(label)) is None
        assert chain.ctx.inputs.metadata.options.resources['num_mpiprocs_per_machine'] == processes
    assert handle(chain, failed(label)).status == OWN.ERROR_PROCESSES.status


def test_haydock(chain, failed):
    for iterations in (15, 45):
        node = failed('ERROR_HAYDOCK_NOT_CONVERGED')
        assert handle(chain, node) is None
        assert chain.ctx.inputs.parameters['variables']['BSHayItrMAX'] == iterations
        assert chain.ctx.inputs.restart.uuid == node.outputs.remote_folder.uuid
    assert handle(chain, failed('ERROR_HAYDOCK_NOT_CONVERGED')).status == OWN.ERROR_CONVERGENCE.status


def test_docstrings_say_when_they_give_up():
    for handler in YamboBaseWorkChain.get_process_handlers():
        for word in ('Cause:', 'Remedy:', 'Gives up:'):
            assert word in handler.__doc__, handler.__name__
