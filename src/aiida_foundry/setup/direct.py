"""Scheduler ``foundry.direct``: jobs run at once here, as with ``core.direct``, and it is cheap to wait for them.

At each look at its jobs AiiDA writes four attributes of each into the database, whatever the look says, and
``core.direct`` starts a shell and ``ps``: together some 50 ms of CPU time, which at ten looks a second is a third of a
core per worker that only waits. Here a look lasts until a job has ended, or for `LONGEST`; the worker does its other
work meanwhile.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

import psutil  # type: ignore[import-untyped]
from aiida.schedulers.datastructures import JobInfo, JobState
from aiida.schedulers.plugins.direct import DirectScheduler as CoreDirectScheduler
from aiida.transports.plugins.local import LocalTransport
from plumpy import has_portal, sync_await

if TYPE_CHECKING:
    from aiida.engine.processes.exit_code import ExitCode

INTERVAL = 0.1
"""Seconds between two readings of the state of processes: some 0.1 ms each."""

LONGEST = 5.0
"""Seconds that a look lasts if no job ends: the age of what `verdi process list` shows, and how long monitors wait."""

_started: set[str] = set()
"""Jobs that this interpreter started since. A look that began before it was asked for them ends with them too."""


class DirectScheduler(CoreDirectScheduler):
    """``core.direct`` whose looks at local jobs read the table of processes, and return when a job has ended.

    A job is its process, known by number: one that is a zombie, is gone, or belongs to somebody else has ended. Through
    any transport but the local one it is ``core.direct``.
    """

    #: AiiDA then says which jobs it wants to know about.
    _features: ClassVar[dict[str, bool]] = {'can_query_by_user': False}

    def get_jobs(self, jobs: list[str] | None = None, user: str | None = None, as_dict: bool = False) -> Any:
        """Return the state of jobs.

        Within a worker this waits until one of them has ended, at most for `LONGEST`. Elsewhere it returns at once.

        Args:
            jobs: their numbers; without them the processes of the user are listed as by the base class.
            user: not used if there are numbers.
            as_dict: return a dictionary by number instead of a list.
        """
        if not jobs or not isinstance(self.transport, LocalTransport):
            return super().get_jobs(jobs=jobs, user=user, as_dict=as_dict)
        if has_portal():  # AiiDA's look at the jobs of a worker: other tasks of its event loop go on
            sync_await(_until_one_ends(jobs))
        found = {number: job_info(number) for number in jobs}
        return found if as_dict else list(found.values())

    def _parse_submit_output(self, retval: int, stdout: str, stderr: str) -> str | ExitCode:
        """Return the number of a job that was started, and note it."""
        number = super()._parse_submit_output(retval, stdout, stderr)
        if isinstance(number, str) and isinstance(self.transport, LocalTransport):
            _started.add(number)
        return number


async def _until_one_ends(numbers: Iterable[str]) -> None:
    """Wait until a job has ended, or for `LONGEST`."""
    end = time.monotonic() + LONGEST
    processes = {number: own_process(number) for number in numbers}
    while True:
        processes |= {number: own_process(number) for number in _started - processes.keys()}
        ended = {number for number, process in processes.items() if state_of(process) is JobState.DONE}
        if ended or time.monotonic() > end:
            break
        await asyncio.sleep(INTERVAL)
    _started.difference_update(ended)


def own_process(number: str) -> psutil.Process | None:
    """Return the process with this number, unless there is none or it belongs to somebody else."""
    try:
        process = psutil.Process(int(number))
        return process if process.uids().effective == os.geteuid() else None
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None


def state_of(process: psutil.Process | None) -> JobState:
    """Return the state of a job whose process was found, or was not."""
    try:
        status = process.status() if process else psutil.STATUS_DEAD
    except psutil.NoSuchProcess:
        return JobState.DONE
    if status in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}:
        return JobState.DONE
    return JobState.SUSPENDED if status in {psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP} else JobState.RUNNING


def job_info(number: str) -> JobInfo:
    """Return the state of a job as AiiDA stores it."""
    info = JobInfo()
    info.job_id, info.job_state = number, state_of(own_process(number))
    return info
