"""The same job started twice in one folder runs once, unless the first was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest
from aiida.orm import Computer, load_computer

from aiida_foundry.setup.double_submission import APPEND_TEXT, PREPEND_TEXT, SLURM_TEXT, guard_computer

ENGINE = 'echo run >> runs; sleep {seconds}; echo end >> runs; (exit {status})\n'


@pytest.fixture
def start(tmp_path):
    def _start(status=0, seconds=0.5):
        (tmp_path / 'job.sh').write_text(PREPEND_TEXT + ENGINE.format(status=status, seconds=seconds) + APPEND_TEXT)
        return subprocess.Popen(['bash', 'job.sh'], cwd=tmp_path, start_new_session=True)

    return _start


def wait_for(path):
    end = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize('status', [0, 1])
def test_second_job_waits_and_does_nothing(start, tmp_path, status):
    first = start(status)
    wait_for(tmp_path / 'runs')
    second = start(status)
    assert (second.wait(30), first.wait(30)) == (0, status)
    assert (tmp_path / 'runs').read_text() == 'run\nend\n'


@pytest.mark.parametrize('number', [signal.SIGKILL, signal.SIGTERM])  # the latter when its time is over
def test_second_job_runs_if_the_first_was_killed(start, tmp_path, number):
    first = start(seconds=60)
    wait_for(tmp_path / 'runs')
    second = start()
    os.killpg(first.pid, number)
    assert first.wait(30) == -number
    assert second.wait(30) == 0
    assert (tmp_path / 'runs').read_text() == 'run\nrun\nend\n'


def test_second_job_does_nothing_without_locks_if_the_first_has_ended(tmp_path):
    text = PREPEND_TEXT.replace('flock', 'no-such-command') + 'echo run >> runs\n' + APPEND_TEXT
    for _ in range(2):
        subprocess.run(['bash', '-c', text], cwd=tmp_path, check=True)
    assert (tmp_path / 'runs').read_text() == 'run\n'


@pytest.mark.parametrize(('scheduler', 'first'), [('core.direct', ''), ('core.slurm', SLURM_TEXT)])
def test_guard_is_added_once(aiida_profile, scheduler, first):
    computer = Computer(f'guarded-{scheduler}', 'localhost', transport_type='core.local', scheduler_type=scheduler)
    computer.store().set_prepend_text('module load something')
    assert guard_computer(computer)
    assert not guard_computer(computer)
    kept = load_computer(computer.label)
    assert kept.get_prepend_text() == f'{first}module load something\n{PREPEND_TEXT}'
    assert kept.get_append_text() == APPEND_TEXT
