"""Jobs for HyperQueue: what the command line of `hq` is given. There is no `hq` here that could run them."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import run
from aiida.plugins import CalculationFactory

from aiida_foundry.screening.harvest import core_seconds_of
from aiida_foundry.setup.computer import ensure_computer
from aiida_foundry.setup.double_submission import APPEND_TEXT, PREPEND_TEXT

ARITHMETIC = CalculationFactory('core.arithmetic.add')


@pytest.fixture
def computer(aiida_computer):
    computer = aiida_computer(hostname='localhost', transport_type='core.local', scheduler_type='hyperqueue')
    computer.configure()
    computer.set_mpirun_command(['mpirun', '-np', '{tot_num_mpiprocs}'])
    return ensure_computer(computer.label)


def job_script(computer, resources, monkeypatch, tmp_path):
    """Return the script that would be handed to `hq submit`."""
    monkeypatch.chdir(tmp_path)
    code = orm.InstalledCode(computer, '/usr/bin/true', label='engine')
    options = {'resources': resources, 'withmpi': True, 'max_wallclock_seconds': 600}
    inputs = {'code': code, 'x': orm.Int(1), 'y': orm.Int(2), 'metadata': {'dry_run': True, 'options': options}}
    run(ARITHMETIC, **inputs)
    (script,) = Path(tmp_path).rglob('_aiidasubmit.sh')
    return script.read_text()


def test_script(computer, monkeypatch, tmp_path):
    script = job_script(computer, {'num_cpus': 2, 'memory_mb': 500}, monkeypatch, tmp_path)
    directives = [line for line in script.splitlines() if line.startswith('#HQ')]
    # https://it4innovations.github.io/hyperqueue/stable/jobs/directives/ and /jobs/jobs/, /jobs/resources/
    assert {'#HQ --cpus=2', '#HQ --resource mem=500', '#HQ --time-limit=600s'} <= set(directives)
    assert script.index(PREPEND_TEXT) < script.index("'mpirun' '-np' '2'") < script.index(APPEND_TEXT)


def test_resources_of_our_protocols_are_understood(computer, monkeypatch, tmp_path):
    resources = {'num_machines': 1, 'num_mpiprocs_per_machine': 2}
    assert '#HQ --cpus=2' in job_script(computer, resources, monkeypatch, tmp_path)


def test_commands(computer):
    scheduler = computer.get_scheduler()
    assert scheduler._get_submit_command('script.sh') == 'hq submit --output-mode=json script.sh'
    assert scheduler._parse_submit_output(0, '{"id": 7}', '') == '7'
    assert scheduler._get_joblist_command() == 'hq job list --filter waiting,running --output-mode=json'


def test_core_seconds(computer):
    job = orm.CalcJobNode(computer=computer, process_type='aiida.calculations:core.arithmetic.add')
    job.set_option('resources', {'num_machines': 1, 'num_cpus': 4})
    job.store()
    results = orm.Dict({'wall_time_seconds': 2.5})
    results.base.links.add_incoming(job, LinkType.CREATE, 'output_parameters')
    results.store()
    assert core_seconds_of(job) == 10
