"""``aiida-foundry run koopmans.ki``: what it shows before anything runs, and what it refuses."""

from __future__ import annotations

import json

import pytest
from aiida import orm

from aiida_foundry.cli.run_bse import ENGINE_CODES, KOOPMANS_CODES


@pytest.fixture(scope='module')
def codes(aiida_profile, tmp_path_factory):
    """Return the computer on which all codes are, none of which is run."""
    computer = orm.Computer(
        label='koopmans',
        hostname='localhost',
        transport_type='core.local',
        scheduler_type='core.direct',
        workdir=str(tmp_path_factory.mktemp('work')),
    ).store()
    computer.configure(safe_interval=0, use_login_shell=False)
    for label, plugin in {**KOOPMANS_CODES, **ENGINE_CODES['native']}.values():
        orm.InstalledCode(computer, '/bin/true', label=label, default_calc_job_plugin=plugin).store()
    return computer.label


def test_plan(invoke, codes, pbe_family):
    options = (
        '--structure',
        'Si',
        '--protocol',
        'fast',
        '--computer',
        codes,
        '--dry-run',
        '--json',
        '--family',
        pbe_family.label,
    )
    result = invoke('run', 'koopmans.ki', *options, '--set', 'parameters.dielectric_constant=12')
    assert result.exit_code == 0, result.output
    plan = json.loads(result.stdout)
    assert plan['process'] == 'NativeKiWorkChain'
    assert plan['inputs']['parameters.dielectric_constant'] == 12
    assert plan['inputs']['wannierize.parameters.empty_functions'] == 4


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('--engine', 'kcw'), 'code `kcw@'),
        (('--set', 'parameters.alpha=1'), 'override `parameters.alpha`: it is unknown'),
        (('--set', 'kpoints_mesh=[2,2]'), 'is not a mesh'),
        (('--engine', 'cp'), "Invalid value for '--engine'"),
    ],
)
def test_refused(invoke, codes, pbe_family, arguments, message):
    result = invoke(
        'run', 'koopmans.ki', '--structure', 'Si', '--computer', codes, '--family', pbe_family.label, *arguments
    )
    assert result.exit_code == 2
    assert message in result.output
