"""Handlers of the restart wrapper: what they change and when they give up."""

from __future__ import annotations

import pytest
from aiida import orm
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager

from aiida_foundry.engines.wannier90.base import Wannier90BaseWorkChain
from aiida_foundry.engines.wannier90.calculation import Wannier90Calculation
from aiida_foundry.engines.wannier90.exit_codes import EXIT_CODES

CHILD = Wannier90Calculation.exit_codes
OWN = Wannier90BaseWorkChain.exit_codes


@pytest.fixture
def failed_chain(inputs, aiida_localhost):
    """Return a function: a work chain whose calculation failed with an exit code."""

    def build(label, keywords=None):
        given = inputs(**({'parameters': orm.Dict(keywords)} if keywords else {}))
        chain = instantiate_process(
            get_manager().create_runner(communicator=None, broker_submit=False), Wannier90BaseWorkChain, wannier90=given
        )
        chain.setup()
        return chain, fail(label)

    def fail(label):
        node = orm.CalcJobNode(computer=aiida_localhost, process_type='aiida.calculations:foundry.wannier90')
        node.set_process_state('finished')
        node.set_exit_status(CHILD[label].status)
        node.set_exit_message(CHILD[label].message)
        return node.store()

    return build


def handle(chain, calculation):
    """Let the chain inspect its child; return the exit code, None if it goes on."""
    chain.ctx.children = [calculation]
    chain.ctx.iteration = 1
    result = chain.inspect_process()
    return None if result is None or result.status == 0 else result


def keywords(chain):
    return chain.ctx.inputs.parameters.get_dict()


@pytest.mark.parametrize(
    ('label', 'expected'),
    [
        ('ERROR_UNREADABLE_INPUT', OWN.ERROR_UNRECOVERABLE),
        ('ERROR_MISSING_OVERLAPS', OWN.ERROR_UNRECOVERABLE),
        ('ERROR_MESH', OWN.ERROR_UNRECOVERABLE),
        ('ERROR_WANNIER90', OWN.ERROR_UNRECOVERABLE),
        ('ERROR_OUT_OF_WALLTIME', OWN.ERROR_UNRECOVERABLE),
        ('ERROR_MATRICES_UNREADABLE', OWN.ERROR_UNRECOVERABLE),
        ('ERROR_WINDOWS', OWN.ERROR_TRIAL_PROJECTIONS),
        ('ERROR_TRIAL_PROJECTIONS', OWN.ERROR_TRIAL_PROJECTIONS),
        ('ERROR_GAUGE_NOT_UNITARY', OWN.ERROR_TRIAL_PROJECTIONS),
        ('ERROR_NOT_A_NUMBER', OWN.ERROR_TRIAL_PROJECTIONS),
    ],
)
def test_stops_at_once(failed_chain, label, expected):
    assert handle(*failed_chain(label)).status == expected.status


def test_disentanglement(failed_chain):
    chain, node = failed_chain('ERROR_DISENTANGLEMENT_NOT_CONVERGED')
    assert handle(chain, node) is None
    assert keywords(chain)['dis_num_iter'] == 1000
    assert 'dis_mix_ratio' not in keywords(chain)
    assert handle(chain, node) is None
    assert (keywords(chain)['dis_num_iter'], keywords(chain)['dis_mix_ratio']) == (5000, 0.25)
    assert handle(chain, node).status == OWN.ERROR_CONVERGENCE.status


def test_spread(failed_chain):
    chain, node = failed_chain('ERROR_SPREAD_NOT_CONVERGED')
    for iterations in (5000, 25000):
        assert handle(chain, node) is None
        assert keywords(chain)['num_iter'] == iterations
    assert handle(chain, node).status == OWN.ERROR_CONVERGENCE.status


@pytest.mark.parametrize('label', ['ERROR_OUTPUT_INCOMPLETE', 'ERROR_FILES_DAMAGED', 'ERROR_OUTPUT_INCONSISTENT'])
def test_lost_output(failed_chain, label):
    chain, node = failed_chain(label)
    before = keywords(chain)
    assert handle(chain, node) is None
    assert keywords(chain) == before
    assert handle(chain, node).status == OWN.ERROR_OUTPUT_LOST.status


@pytest.mark.parametrize('label', EXIT_CODES)
def test_every_failure_has_a_handler(failed_chain, label):
    chain, node = failed_chain(label)
    handle(chain, node)
    assert not chain.ctx.unhandled_failure


def test_docstrings_say_when_they_give_up():
    for handler in Wannier90BaseWorkChain.get_process_handlers():
        for word in ('Cause:', 'Remedy:', 'Gives up:'):
            assert word in handler.__doc__, handler.__name__


def test_repeated_run_is_no_cached_failure():
    assert CHILD.ERROR_OUTPUT_INCOMPLETE.invalidates_cache
    assert not CHILD.ERROR_UNREADABLE_INPUT.invalidates_cache
