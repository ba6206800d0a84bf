from __future__ import annotations

import subprocess

import psutil
import pytest
from aiida.orm import load_computer

from aiida_foundry.common.errors import InputError
from aiida_foundry.setup.computer import DESCRIPTION, PREPEND_TEXT, PREPEND_TEXT_ROOT, SCHEDULER, ensure_computer
from aiida_foundry.setup.double_submission import APPEND_TEXT as APPEND
from aiida_foundry.setup.double_submission import PREPEND_TEXT as PREPEND


def test_second_run_changes_nothing(reports):
    computer = ensure_computer()
    assert ensure_computer(report=reports).uuid == computer.uuid
    assert reports.outcomes() <= {'kept', 'note'}  # the note is on the computer of another test


def test_existing_computer_is_not_changed(aiida_computer_local):
    theirs = aiida_computer_local()
    theirs.set_prepend_text('module load qe')
    computer = ensure_computer(theirs.label)
    assert computer.uuid == theirs.uuid
    assert computer.get_prepend_text() == 'module load qe'


def test_computer_of_an_earlier_release_waits_cheaply_from_now_on(aiida_computer, reports):
    old = aiida_computer(label='old', hostname='localhost', transport_type='core.local', scheduler_type='core.direct')
    old.description = DESCRIPTION
    old.configure()
    for _ in range(2):
        ensure_computer(old.label, reports)
    assert load_computer(old.label).scheduler_type == SCHEDULER
    assert sum('waits cheaply' in line for line in reports) == 1


def test_says_what_waiting_costs(aiida_computer, reports):
    theirs = aiida_computer(
        label='theirs', hostname='localhost', transport_type='core.local', scheduler_type='core.direct'
    )
    theirs.set_minimum_job_poll_interval(0.5)
    theirs.configure()
    ensure_computer(theirs.label, reports)
    assert load_computer(theirs.label).scheduler_type == 'core.direct'
    assert any('run `ps` every 0.5 s' in line for line in reports if line.startswith('note'))


def test_computer_with_scheduler_is_guarded_once(aiida_computer, reports):
    cluster = aiida_computer(hostname='localhost', transport_type='core.local', scheduler_type='core.slurm')
    cluster.configure()
    for _ in range(2):
        ensure_computer(cluster.label, reports)
    assert cluster.get_prepend_text().endswith(PREPEND)
    assert cluster.get_append_text() == APPEND
    assert sum('submitted twice' in line for line in reports) == 1


def test_unknown_computer():
    with pytest.raises(InputError, match='`cluster`: AiiDA does not know it'):
        ensure_computer('cluster')


def test_computer_that_is_not_configured(aiida_computer):
    computer = aiida_computer(hostname='cluster.test', transport_type='core.ssh')
    with pytest.raises(InputError, match=f'verdi computer configure core.ssh {computer.label}'):
        ensure_computer(computer.label)


@pytest.mark.engine
def test_mpirun_starts_for_root():
    done = subprocess.run(['bash', '-c', f'{PREPEND_TEXT}{PREPEND_TEXT_ROOT}mpirun -np 1 true'], check=False)
    assert done.returncode == 0


@pytest.mark.engine
def test_engine_without_mpirun_starts_no_daemon(tmp_path):
    """A singleton of Open MPI forks `orted`, which goes on when the engine dies badly."""
    script = f'{PREPEND_TEXT}{PREPEND_TEXT_ROOT}exec pw.x'
    pipe = subprocess.PIPE
    with subprocess.Popen(['bash', '-c', script], cwd=tmp_path, stdin=pipe, stdout=pipe, text=True) as engine:
        assert engine.stdout is not None
        assert any('Program PWSCF' in line for line in engine.stdout)
        assert psutil.Process(engine.pid).children() == []


@pytest.mark.parametrize(('environment', 'threads'), [({}, '1'), ({'OMP_NUM_THREADS': '4'}, '4')])
def test_threads_of_the_user_win(environment, threads):
    script = ['/bin/bash', '-c', f'{PREPEND_TEXT}echo $OMP_NUM_THREADS']
    done = subprocess.run(script, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == threads
