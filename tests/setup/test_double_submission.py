"""The same job started twice in one folder runs once, unless the first was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest
from aiida.orm import Computer

from aiida_foundry.setup.double_submission import PREPEND_TEXT, guard_computer

ENGINE = 'echo run >> runs; sleep {seconds}; echo end >> runs; exit {status}\n'


@pytest.fixture
def start(tmp_path):
    def _start(status=0, seconds=0.5):
        (tmp_path / 'job.sh').write_text(PREPEND_TEXT + ENGINE.format(status=status, seconds=seconds))
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


def test_second_job_runs_if_the_first_was_killed(start, tmp_path):
    first = start(seconds=60)
    wait_for(tmp_path / 'runs')
    second = start()
    os.killpg(first.pid, signal.SIGKILL)
    assert first.wait(30) == -signal.SIGKILL
    assert second.wait(30) == 0
    assert (tmp_path / 'runs').read_text() == 'run\nrun\nend\n'


def test_guard_is_added_once(aiida_profile):
    computer = Computer('guarded', 'localhost', transport_type='core.local', scheduler_type='core.direct').store()
    computer.set_prepend_text('module load something')
    assert guard_computer(computer)
    assert not guard_computer(computer)
    assert computer.get_prepend_text() == f'module load something\n{PREPEND_TEXT}'
