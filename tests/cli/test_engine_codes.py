"""The engine of GW and of excitons on the command line."""

from __future__ import annotations

import pytest
from aiida import orm

from aiida_foundry.cli.engine_codes import ENGINES, load_engine
from aiida_foundry.common.errors import InputError


@pytest.fixture(scope='module')
def yambo_label(aiida_profile, tmp_path_factory):
    """Return the label of a code of Yambo on a computer that has p2y and pw.x too."""
    computer = orm.Computer(
        label='with-yambo',
        hostname='localhost',
        transport_type='core.local',
        scheduler_type='core.direct',
        workdir=str(tmp_path_factory.mktemp('work')),
    ).store()
    computer.configure(safe_interval=0)
    for label, plugin in ENGINES['yambo'].items():
        orm.InstalledCode(computer, '/bin/true', label=label, default_calc_job_plugin=plugin).store()
    return 'yambo@with-yambo'


def test_other_codes_are_of_the_same_computer(yambo_label):
    code, codes = load_engine('yambo', yambo_label)
    assert code.full_label == yambo_label
    assert {name: code.full_label for name, code in codes.items()} == {
        'yambo': 'yambo@with-yambo',
        'p2y': 'p2y@with-yambo',
        'pw': 'pw@with-yambo',
    }


def test_code_of_another_engine(yambo_label):
    with pytest.raises(InputError, match=r'it is for foundry\.yambo, not foundry\.abinit'):
        load_engine('abinit', yambo_label)


@pytest.mark.parametrize('arguments', [('gw.gap', '--method', 'g0w0-ppm'), ('bse.spectrum', '--scissor', '0.6')])
def test_plan_with_yambo(invoke, pbe_family, yambo_label, arguments):
    options = ('--structure', 'Si', '--protocol', 'fast', '--engine', 'yambo', '--code', yambo_label, '--dry-run')
    result = invoke('run', *arguments, *options)
    assert result.exit_code == 0, result.output
    assert yambo_label in result.output


def test_method_that_yambo_does_not_run(invoke, pbe_family, yambo_label):
    options = ('--structure', 'Si', '--protocol', 'fast', '--engine', 'yambo', '--code', yambo_label, '--dry-run')
    result = invoke('run', 'gw.gap', '--method', 'qsgw', *options)
    assert result.exit_code == 2
    assert 'only `g0w0-ppm`' in result.output
