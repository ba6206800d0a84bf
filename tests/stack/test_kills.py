"""Kill -9 at the moments that matter, with RabbitMQ and Slurm."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from .conftest import wait_until
from .services import start_sshd

#: A code that writes into the work folder when it starts and ends, and takes some seconds.
CODE = """
computer, label = orm.load_computer(sys.argv[1]), sys.argv[2]
path = str(orm.load_code('pw@cluster').filepath_executable)
prepend, append = 'echo "start $SLURM_JOB_ID" >> ledger', 'sleep 15; echo "end $SLURM_JOB_ID" >> ledger'
options = {'default_calc_job_plugin': 'quantumespresso.pw', 'prepend_text': prepend, 'append_text': append}
print(json.dumps(orm.InstalledCode(computer, path, label=label, **options).store().full_label))
"""
SUBMIT = """
from aiida.engine import submit
from aiida.plugins import WorkflowFactory
from aiida_quantumespresso.common.types import ElectronicType
from aiida_foundry.structures.importers import load_structure
overrides = {'pseudo_family': 'PseudoDojo/0.4/PBE/SR/standard/upf', 'kpoints_distance': 1.0}
overrides['pw'] = {'parameters': {'SYSTEM': {'ecutwfc': 20.0, 'ecutrho': 80.0 + int(sys.argv[2])}}}
builder = WorkflowFactory('quantumespresso.pw.base').get_builder_from_protocol(
    orm.load_code(sys.argv[1]), load_structure('Si'), 'fast', overrides, ElectronicType.INSULATOR
)
print(json.dumps(submit(builder).pk))
"""
WAITING = """
query = orm.QueryBuilder().append(orm.WorkChainNode, filters={'description': 'campaign paused'}, tag='base')
query.append(orm.CalcJobNode, with_incoming='base', filters={'attributes.job_id': {'!==': None}}, project='id')
print(json.dumps(query.first(flat=True)))
"""
STATE = """
node = orm.load_node(int(sys.argv[1]))
jobs = [job for job in node.called if isinstance(job, orm.CalcJobNode)]
print(json.dumps({
    'status': node.exit_status, 'ended': node.is_terminated, 'jobs': len(jobs),
    'folder': jobs[0].get_remote_workdir() if jobs else None, 'number': jobs[0].get_job_id() if jobs else None,
}))
"""


#: `aiida-foundry` whose process dies when it would hand another one to RabbitMQ.
DRIVER = """
import os, signal
from plumpy.process_comms import RemoteProcessThreadController
RemoteProcessThreadController.continue_process = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
from aiida_foundry.cli import cli
cli()
"""
WORKFLOWS = """
query = orm.QueryBuilder().append(orm.WorkChainNode, filters={'description': f'campaign {sys.argv[1]}'})
jobs = lambda node: [child for child in node.called if isinstance(child, orm.CalcJobNode)]
print(json.dumps([[node.process_state.value, len(jobs(node))] for node in query.all(flat=True)]))
"""


@pytest.fixture(scope='module')
def codes(user, document) -> dict[str, str]:
    """Return codes on the cluster as setup leaves it, and on the same one without the guard."""
    computer = yaml.safe_load((user.folder / 'cluster.yaml').read_text()) | {'label': 'unguarded'}
    (user.folder / 'unguarded.yaml').write_text(yaml.safe_dump(computer))
    verdi = ('verdi', '-p', 'cluster', 'computer')
    configure = ('--non-interactive', '--host', 'cluster', '--safe-interval', '0', '--no-use-login-shell')
    assert not user.run(*verdi, 'setup', '--non-interactive', '--config', 'unguarded.yaml').returncode
    assert not user.run(*verdi, 'configure', 'core.ssh_async', 'unguarded', *configure).returncode
    return {label: user.python(CODE, label, 'slow') for label in ('cluster', 'unguarded')}


def start(user, code, number) -> tuple[int, Path]:
    """Submit a job, and return the PK of its workflow and its ledger, when it has one."""
    pk = user.python(SUBMIT, code, str(number))
    folder = wait_until(lambda: user.python(STATE, str(pk))['folder'])
    return pk, Path(folder) / 'ledger'


def wait_for_end(user, pk) -> dict[str, object]:
    return wait_until(lambda: (state := user.python(STATE, str(pk)))['ended'] and state)


@pytest.mark.parametrize(('computer', 'runs'), [('cluster', 1), ('unguarded', 2)])
def test_worker_killed_before_it_knows_the_number_of_the_job(user, daemon, codes, computer, runs):
    """The job is submitted twice; with the guard it runs once, without it twice in the same folder."""
    (worker,) = user.workers()
    user.kill_file.write_text(str(worker.pid))
    pk, ledger = start(user, codes[computer], number=0)
    state = wait_for_end(user, pk)
    wait_until(lambda: ledger.read_text().count('end') == runs)
    print(ledger.read_text())
    words = ledger.read_text().split()
    assert (words.count('submitted'), words.count('start')) == (2, runs)
    assert (state['status'], state['jobs']) == (0, 1)


@pytest.mark.parametrize(('victim', 'number'), [('worker', 1), ('daemon', 2)])
def test_job_runs_on_when_its_worker_is_killed(user, daemon, codes, victim, number):
    """RabbitMQ hands the tasks of a lost worker to the next one, which finds the job by its number."""
    pk, ledger = start(user, codes['cluster'], number)
    wait_until(lambda: ledger.is_file() and 'start' in ledger.read_text())
    wait_until(lambda: user.python(STATE, str(pk))['number'])
    supervisor = user.supervisor()
    for process in [supervisor, *supervisor.children(recursive=True)] if victim == 'daemon' else user.workers():
        process.kill()
    if victim == 'daemon':
        assert user.run('verdi', '-p', 'cluster', 'daemon', 'start', '1').returncode == 0
    state = wait_for_end(user, pk)
    number = state['number']
    assert ledger.read_text().splitlines() == ['submitted', f'start {number}', f'end {number}']
    assert (state['status'], state['jobs']) == (0, 1)


def create(user, name, structure, code) -> tuple[str, ...]:
    """Make a campaign of one job of the page's kind, and return the command that runs it."""
    content = yaml.safe_load((user.folder / 'campaign.yaml').read_text())
    content |= {'name': name, 'structures': {'names': [structure]}, 'codes': {'code': code}}
    (user.folder / f'{name}.yaml').write_text(yaml.safe_dump(content))
    campaign = ('aiida-foundry', 'campaign')
    assert not user.run(*campaign, 'create', f'{name}.yaml', '-p', 'cluster').returncode
    return (*campaign, 'run', name, '--daemon', '-p', 'cluster')


def test_driver_killed_before_it_hands_over_its_process(user, daemon, codes):
    """The process stays *created*; three commands of the page revive it, and it is not made again."""
    run = create(user, 'orphan', 'diamond', codes['cluster'])
    assert user.run(sys.executable, '-c', DRIVER, *run[1:]).returncode == -signal.SIGKILL
    assert user.python(WORKFLOWS, 'orphan') == [['created', 0]]
    for command in ('daemon stop', 'process repair --force', 'daemon start'):
        assert user.run('verdi', '-p', 'cluster', *command.split()).returncode == 0
    assert user.run(*run, seconds=240).returncode == 0
    assert user.python(WORKFLOWS, 'orphan') == [['finished', 1]]


@pytest.fixture
def impatient(user, document) -> Iterator[None]:
    """Let AiiDA pause what depends on a cluster that does not answer after two attempts, not after some minutes."""
    options = {'transport.task_maximum_attempts': '2', 'transport.task_retry_initial_interval': '1'}
    for name, value in options.items():
        user.run('verdi', '-p', 'cluster', 'config', 'set', name, value)
    yield
    for name in options:
        user.run('verdi', '-p', 'cluster', 'config', 'unset', name)


def test_campaign_resumes_what_aiida_paused(user, impatient, daemon, codes):
    """The cluster cannot be reached for a while: the campaign ends as paused, and goes on when it is started again."""
    run = create(user, 'paused', 'Si', codes['cluster'])
    driver = subprocess.Popen(run, env=user.environment, cwd=user.folder, stdin=subprocess.DEVNULL)
    wait_until(lambda: user.python(WAITING))
    user.stack.stop('sshd')
    assert driver.wait(240) == 4
    assert '1 paused' in user.run('aiida-foundry', 'campaign', 'status', 'paused', '-p', 'cluster').stdout
    start_sshd(user.stack)
    assert user.run(*run, seconds=240).returncode == 0


def test_campaign_resumes_after_a_read_only_work_folder(user, impatient, daemon, codes):
    """No folder of a job can be made for a while; the job that waits for it runs once."""
    run = create(user, 'read-only', 'AlP', codes['cluster'])
    work, away = user.stack.folder / 'work', user.stack.folder / 'away'
    work.rename(away)
    work.symlink_to('/sys')  # where even root can make none
    try:
        assert user.run(*run, seconds=240).returncode == 4
    finally:
        work.unlink()
        away.rename(work)
    assert user.run(*run, seconds=240).returncode == 0
    assert user.python(WORKFLOWS, 'read-only') == [['finished', 1]]
