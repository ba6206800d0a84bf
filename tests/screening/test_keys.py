"""Keys: the same job has the same key, another one another, and a finished one is found by it."""

from __future__ import annotations

import pytest
from aiida import orm
from aiida.calculations.arithmetic.add import ArithmeticAddCalculation

from aiida_foundry.screening.keys import content_key, find_finished


@pytest.fixture
def builder_of(aiida_code_installed):
    code = aiida_code_installed('core.arithmetic.add', filepath_executable='/bin/bash')

    def _builder_of(x, y, label=''):
        builder = ArithmeticAddCalculation.get_builder()
        builder.code = code
        builder.x = orm.Int(x)
        builder.y = orm.Int(y)
        builder.metadata.label = label
        return builder

    return _builder_of


def test_key_depends_on_content_only(builder_of):
    stored = builder_of(1, 2, 'a label')
    stored.x.store()
    assert content_key(stored) == content_key(builder_of(1, 2))


def test_key_tells_inputs_apart(builder_of):
    keys = {content_key(builder_of(*numbers)) for numbers in ((1, 2), (2, 1), (1, 3))}
    assert len(keys) == 3


@pytest.mark.parametrize(('exit_status', 'found'), [(0, True), (401, False), (None, False)])
def test_only_success_is_found(aiida_profile, exit_status, found):
    key = f'foundry:test-{exit_status}'
    node = orm.WorkChainNode(label=key).store()
    if exit_status is not None:
        node.set_process_state('finished')
        node.set_exit_status(exit_status)
    assert (find_finished(key) == node) is found


def test_the_latest_is_found(aiida_profile):
    nodes = [orm.WorkChainNode(label='foundry:twice').store() for _ in range(2)]
    for node in nodes:
        node.set_exit_status(0)
    assert find_finished('foundry:twice') == nodes[1]
