"""The scheduler `foundry.direct` with real processes, alone and under AiiDA's engine."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from itertools import pairwise

import psutil
import pytest
from aiida.engine import run_get_node
from aiida.orm import InstalledCode, Int
from aiida.plugins import SchedulerFactory
from aiida.schedulers.datastructures import JobState
from aiida.transports.plugins.local import LocalTransport
from plumpy import run_with_portal

from aiida_foundry.setup import direct


@pytest.fixture
def start():
    """Start a process; it is killed in the end."""
    started = []

    def _start(*command, **options):
        started.append(subprocess.Popen(command, **options))
        return started[-1]

    yield _start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def scheduler():
    with LocalTransport() as transport:
        scheduler = SchedulerFactory('foundry.direct')()
        scheduler.set_transport(transport)
        yield scheduler


def states(scheduler, *processes):
    jobs = scheduler.get_jobs(jobs=[str(process.pid) for process in processes], as_dict=True)
    assert list(jobs) == [str(process.pid) for process in processes]
    return [job.job_state for job in jobs.values()]


def look(scheduler, jobs, *others):
    """Look at jobs as a worker does, while other tasks run; return the states and the seconds that it took."""

    async def main():
        tasks = [asyncio.create_task(other) for other in others]
        begin = time.monotonic()
        found = await run_with_portal(scheduler.get_jobs, jobs=jobs, as_dict=True)
        seconds = time.monotonic() - begin
        await asyncio.gather(*tasks)
        return {number: job.job_state for number, job in found.items()}, seconds

    return asyncio.run(main())


def wait_for_status(process, status):
    end = time.monotonic() + 30
    while psutil.Process(process.pid).status() != status:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_states(scheduler, start):
    running, stopped, zombie, gone = start('sleep', '60'), start('sleep', '60'), start('true'), start('true')
    gone.wait()
    stopped.send_signal(signal.SIGSTOP)
    wait_for_status(stopped, psutil.STATUS_STOPPED)
    wait_for_status(zombie, psutil.STATUS_ZOMBIE)
    expected = [JobState.RUNNING, JobState.SUSPENDED, JobState.DONE, JobState.DONE]
    assert states(scheduler, running, stopped, zombie, gone) == expected


def test_number_that_somebody_else_has_now(scheduler, start):
    """The number of a job that ended can be given to a process of another user, which `ps -x` does not list either."""
    theirs = start('sleep', '60', user='nobody') if os.geteuid() == 0 else psutil.Process(1)
    assert states(scheduler, theirs) == [JobState.DONE]


def test_outside_of_an_event_loop_a_look_returns_at_once(scheduler, start):
    begin = time.monotonic()
    assert states(scheduler, start('sleep', '60')) == [JobState.RUNNING]
    assert time.monotonic() - begin < direct.LONGEST / 2


def test_without_numbers_the_processes_of_the_user_are_listed(scheduler):
    assert str(os.getpid()) in scheduler.get_jobs(user='$USER', as_dict=True)


def test_look_ends_with_the_first_job_while_other_tasks_run(scheduler, start):
    short, long = start('sleep', '0.5'), start('sleep', '60')
    ticks = []

    async def tick():
        for _ in range(10):
            ticks.append(time.monotonic())
            await asyncio.sleep(0.02)

    found, seconds = look(scheduler, [str(short.pid), str(long.pid)], tick())
    assert found == {str(short.pid): JobState.DONE, str(long.pid): JobState.RUNNING}
    assert 0.3 < seconds < direct.LONGEST - 1
    assert max(after - before for before, after in pairwise(ticks)) < 0.3


def test_look_has_an_end(scheduler, start, monkeypatch):
    monkeypatch.setattr(direct, 'LONGEST', 0.3)
    job = start('sleep', '60')
    found, seconds = look(scheduler, [str(job.pid)])
    assert found == {str(job.pid): JobState.RUNNING}
    assert seconds >= 0.3


def test_job_that_is_started_during_a_look_ends_it(scheduler, start, tmp_path):
    """Otherwise a short job would wait for a look that began before it."""
    (tmp_path / 'job.sh').write_text('sleep 0.3\n')
    long = start('sleep', '60')

    async def submit():
        await asyncio.sleep(0.2)
        scheduler.submit_job(str(tmp_path), 'job.sh')

    _, seconds = look(scheduler, [str(long.pid)], submit())
    assert seconds < direct.LONGEST - 1


def test_calculation(aiida_computer, tmp_path, monkeypatch):
    """AiiDA submits a job and knows at once when it has ended, however long a look may last."""
    monkeypatch.setattr(direct, 'LONGEST', 600)
    computer = aiida_computer(
        label='direct', hostname='localhost', transport_type='core.local', scheduler_type='foundry.direct'
    )
    computer.set_workdir(str(tmp_path))
    computer.set_minimum_job_poll_interval(0)
    computer.configure(safe_interval=0, use_login_shell=False)
    builder = InstalledCode(computer, '/bin/bash', default_calc_job_plugin='core.arithmetic.add').get_builder()
    builder.x, builder.y = Int(1), Int(2)
    builder.metadata.options.sleep = 1
    begin = time.monotonic()
    node = run_get_node(builder).node
    assert time.monotonic() - begin < 100
    assert node.is_finished_ok
    assert node.outputs.sum == 3
    assert node.get_last_job_info().job_id == node.get_job_id()
