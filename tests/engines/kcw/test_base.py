"""Handlers of the restart wrapper of the screening."""

from __future__ import annotations

from functools import partial

import pytest
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager

from aiida_foundry.engines.kcw.base import KcwScreenBaseWorkChain
from aiida_foundry.engines.kcw.calculation import KcwScreenCalculation

CHILD = KcwScreenCalculation.exit_codes
OWN = KcwScreenBaseWorkChain.exit_codes


@pytest.fixture
def chain(inputs):
    runner = get_manager().create_runner(communicator=None, broker_submit=False)
    process = instantiate_process(runner, KcwScreenBaseWorkChain, kcw=inputs({'SCREEN': {'niter': 10}}))
    process.setup()
    return process


@pytest.fixture
def failed(failed_as):
    """Return a function: a calculation that failed with an exit code."""
    return partial(failed_as, KcwScreenCalculation)


def handle(chain, calculation):
    """Let the chain inspect its child; return the exit code, None if it goes on."""
    chain.ctx.children = [calculation]
    chain.ctx.iteration = 1
    result = chain.inspect_process()
    return None if result is None or result.status == 0 else result


@pytest.mark.parametrize(
    'label',
    [
        'ERROR_INCONSISTENT_INPUT',
        'ERROR_NOT_SUPPORTED',
        'ERROR_WANNIER_FILES',
        'ERROR_RESULTS_MISSING',
        'ERROR_NOT_A_NUMBER',
        'ERROR_KCW',
        'ERROR_SCREENING_OUT_OF_RANGE',
    ],
)
def test_stops_at_once(chain, failed, label):
    assert handle(chain, failed(label)).status == OWN.ERROR_UNRECOVERABLE.status


@pytest.mark.parametrize(
    'label', ['ERROR_OUT_OF_WALLTIME', 'ERROR_OUTPUT_STDOUT_INCOMPLETE', 'ERROR_OUTPUT_STDOUT_MISSING']
)
def test_interrupted(chain, failed, label):
    """kcw.x goes on from the q-points it finds in the folder; five times is too often."""
    for _ in range(4):
        node = failed(label)
        assert handle(chain, node) is None
        assert chain.ctx.inputs.parent_folder.uuid == node.outputs.remote_folder.uuid
    assert handle(chain, failed(label)).status == OWN.ERROR_WALLTIME.status


@pytest.mark.parametrize('label', ['ERROR_FILES_DAMAGED', 'ERROR_OUTPUT_INCONSISTENT'])
def test_damaged(chain, failed, label):
    """Once more from the same folder: the q-points that it has found are not in question, but its output is."""
    parent = chain.ctx.inputs.parent_folder.uuid
    assert handle(chain, failed(label)) is None
    assert chain.ctx.inputs.parent_folder.uuid == parent
    assert handle(chain, failed(label)).status == OWN.ERROR_UNRECOVERABLE.status


def test_not_converged(chain, failed):
    parent = chain.ctx.inputs.parent_folder.uuid
    assert handle(chain, failed('ERROR_RESPONSE_NOT_CONVERGED')) is None
    assert chain.ctx.inputs.parameters['SCREEN'] == {'niter': 30}
    assert handle(chain, failed('ERROR_RESPONSE_NOT_CONVERGED')) is None
    assert chain.ctx.inputs.parameters['SCREEN'] == {'niter': 90, 'alpha_mix(1)': 0.35}
    assert chain.ctx.inputs.parent_folder.uuid == parent
    assert handle(chain, failed('ERROR_RESPONSE_NOT_CONVERGED')).status == OWN.ERROR_CONVERGENCE.status


def test_docstrings_say_when_they_give_up():
    for handler in KcwScreenBaseWorkChain.get_process_handlers():
        for word in ('Cause:', 'Remedy:', 'Gives up:'):
            assert word in handler.__doc__, handler.__name__
