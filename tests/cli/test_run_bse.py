"""``aiida-foundry run bse.spectrum`` and ``run bse.ki``: what they refuse; tables and figures are tested with a run."""

from __future__ import annotations

import numpy as np
import pytest
from aiida import orm
from aiida.common.links import LinkType

from aiida_foundry.cli.run_bse import load_quasiparticles
from aiida_foundry.common.errors import InputError


def energies(name='qp_energies') -> orm.ArrayData:
    return orm.ArrayData({name: np.zeros((1, 1, 2))})


def test_help(invoke):
    for command in ('bse.spectrum', 'bse.ki'):
        result = invoke('run', command, '--help')
        assert result.exit_code == 0, result.output
        assert '--scissor' in result.output


@pytest.mark.parametrize('arguments', [(), ('--scissor', '1', '--quasiparticles', '1')])
def test_corrections_are_needed_once(invoke, arguments):
    result = invoke('run', 'bse.spectrum', '--structure', 'Si', *arguments)
    assert result.exit_code == 2
    assert 'one of them is needed, and only one' in result.output


def test_missing_codes(invoke, aiida_localhost):
    result = invoke('run', 'bse.ki', '--structure', 'Si', '--computer', 'nowhere')
    assert result.exit_code == 2
    assert 'the profile has no such code' in result.output


def test_quasiparticles_of_a_node(aiida_profile):
    node = energies().store()
    assert load_quasiparticles(str(node.pk)).uuid == node.uuid


def test_quasiparticles_of_processes(aiida_profile):
    """Koopmans has them as an output; of GW they are what the gap was made of."""
    koopmans = orm.WorkChainNode().store()
    made = energies()
    made.base.links.add_incoming(orm.CalcFunctionNode().store(), LinkType.CREATE, 'result')
    made.store().base.links.add_incoming(koopmans, LinkType.RETURN, 'quasiparticles')
    assert load_quasiparticles(koopmans.uuid).uuid == made.uuid
    gw, maker = orm.WorkChainNode().store(), orm.CalcFunctionNode()
    maker.base.links.add_incoming(made, LinkType.INPUT_CALC, 'quasiparticles')
    gaps = orm.Dict({})
    gaps.base.links.add_incoming(maker.store(), LinkType.CREATE, 'gaps')
    gaps.store().base.links.add_incoming(gw, LinkType.RETURN, 'gaps')
    assert load_quasiparticles(gw.uuid).uuid == made.uuid


def test_nodes_without_quasiparticles(aiida_profile):
    with pytest.raises(InputError, match='the profile has no such node'):
        load_quasiparticles('999999')
    with pytest.raises(InputError, match='it holds no quasiparticle energies'):
        load_quasiparticles(str(energies('bands').store().pk))
    with pytest.raises(InputError, match='it holds no quasiparticle energies'):
        load_quasiparticles(orm.WorkChainNode().store().uuid)
