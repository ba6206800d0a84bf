"""Run a process in this interpreter, without daemon or broker, and watch it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import plumpy
from aiida.engine import CalcJob
from aiida.engine.daemon.execmanager import kill_calculation
from aiida.engine.processes.process import Process
from aiida.engine.runners import Runner
from aiida.engine.utils import loop_scope
from aiida.manage import get_manager

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.orm import CalcJobNode, ProcessNode

INTERVAL = 0.25
"""Seconds between two looks at the processes; it delays the display, not the processes."""

KILL_TIMEOUT = 30
"""Seconds that the jobs of killed processes have to be cancelled on their computers."""


@dataclass
class Timed:
    """A process, the times in seconds at which it began and ended, and what became of it."""

    process: Process
    started: float
    ended: float | None = None
    state: str = 'running'


class LocalRunner(Runner):
    """Runs processes in this interpreter and wakes a parent at the moment its child ends.

    AiiDA's own runner asks the broker, or polls the database at `runner.poll.interval`. Checkpoints are kept as usual:
    after a crash of the interpreter ``verdi process repair`` hands the process to a daemon.
    """

    def __init__(self) -> None:
        super().__init__(communicator=None, persister=get_manager().get_persister())
        self.timed: dict[int, Timed] = {}
        self.interrupted = False

    def instantiate_process(self, process: Any, **inputs: Any) -> Process:
        """Make a process, and remember it in the order of creation."""
        instance = super().instantiate_process(process, **inputs)
        self._remember(instance)
        return instance

    def start_process(self, process: Any) -> ProcessNode:
        """Make a process and let it run whenever the event loop does."""
        instance = self.instantiate_process(process)
        self.loop.create_task(instance.step_until_terminated())
        return instance.node

    def continue_process(self, pk: int) -> None:
        """Let a process run on from its last checkpoint; its children first, so that it finds them.

        Raises:
            plumpy.PersistenceError: if it has no checkpoint that can be read.
        """
        bundle = self.persister.load_checkpoint(pk)
        instance = bundle.unbundle(plumpy.LoadSaveContext(runner=self))
        self._remember(instance)
        self.loop.create_task(instance.step_until_terminated())

    def forget_ended(self) -> None:
        """Drop the processes that have ended: a runner of many would hold them all."""
        self.timed = {pk: timed for pk, timed in self.timed.items() if not timed.process.has_terminated()}

    def _remember(self, instance: Process) -> None:
        timed = Timed(instance, time.monotonic())
        self.timed[instance.pid] = timed
        instance.future().add_done_callback(functools.partial(_note_end, timed))

    def call_on_process_finish(self, pk: int, callback: Callable[[], Any]) -> None:
        """Call back when a process that runs here has ended; poll for any other."""
        if pk not in self.timed:
            super().call_on_process_finish(pk, callback)
            return
        self.timed[pk].process.future().add_done_callback(lambda _: callback())

    @property
    def running(self) -> list[Process]:
        """Processes that have not ended, parents before their children."""
        return [timed.process for timed in self.timed.values() if not timed.process.has_terminated()]


def _note_end(timed: Timed, future: asyncio.Future) -> None:
    timed.ended = time.monotonic()
    timed.state = _final_state(timed.process.node)
    if not future.cancelled():
        future.exception()  # looked at, so that asyncio does not report it: the node has it


def _final_state(node: ProcessNode) -> str:
    if node.is_killed:
        return 'killed'
    if not node.is_finished_ok:
        return 'failed'
    return 'reused' if node.base.caching.is_created_from_cache else 'finished'


def run_blocking(builder: ProcessBuilder, observe: Callable[[LocalRunner], None]) -> ProcessNode:
    """Run a process to its end and return its node.

    Interruption (Ctrl-C) and termination kill it with all its children, and cancel their jobs. A process that AiiDA
    pauses, because a computer does not answer, is killed likewise: nobody could resume it here.

    Args:
        builder: the process with its inputs.
        observe: called every `INTERVAL` seconds, and once at the end.
    """
    runner = LocalRunner()
    with loop_scope(runner.loop), quiet_log():
        process = runner.instantiate_process(builder)
        with kill_on_signal(runner):
            runner.run_until_complete(_watch(runner, process, observe))
        observe(runner)
    return process.node


async def _watch(runner: LocalRunner, process: Process, observe: Callable[[LocalRunner], None]) -> None:
    task = asyncio.ensure_future(process.step_until_terminated())
    while not task.done():
        observe(runner)
        reason = _reason_to_kill(runner)
        if reason is not None:
            await kill_running(runner, reason)
        await asyncio.wait({task}, timeout=INTERVAL)
    while runner.running:
        await kill_running(runner, 'its parent has ended')
    task.result()


def _reason_to_kill(runner: LocalRunner) -> str | None:
    if runner.interrupted:
        return 'interrupted by the user'
    paused = (f'process {process.pid} was paused: {process.status}' for process in runner.running if process.paused)
    return next(paused, None)


async def kill_running(runner: LocalRunner, reason: str) -> None:
    """Kill what runs, parents first, so that none reacts to the death of its child; then cancel the jobs.

    `Process.kill` of AiiDA cancels the job first. It then fails if it notices the end of the job before it is done, and
    tries for five minutes to cancel a job that had ended by itself.
    """
    await kill_processes(runner.running, reason)


async def kill_processes(processes: list[Process], reason: str) -> None:
    """Kill processes, listed parents first, and cancel their jobs."""
    for process in processes:
        _kill_process(process, reason)
    for process in processes:
        if isinstance(process, CalcJob):
            _cancel_job(process.node)
    if processes:
        await asyncio.wait([process.future() for process in processes], timeout=KILL_TIMEOUT)


def _kill_process(process: Process, reason: str) -> None:
    # InvalidStateError: the process is between two states, `_watch` will come again
    with contextlib.suppress(asyncio.InvalidStateError):
        plumpy.Process.kill(process, reason)


def _cancel_job(node: CalcJobNode) -> None:
    try:
        with node.get_authinfo().get_transport() as transport:
            kill_calculation(node, transport)
    except Exception as exception:  # whatever scheduler and transport raise, also because the job has ended by itself
        node.logger.warning(f'job {node.get_job_id()} was not cancelled: {exception}')


@contextlib.contextmanager
def kill_on_signal(runner: LocalRunner) -> Iterator[None]:
    """Let the first SIGINT or SIGTERM mark the runner as interrupted; a second one has its usual effect."""
    numbers = (signal.SIGINT, signal.SIGTERM)

    def interrupt() -> None:
        runner.interrupted = True
        for number in numbers:
            runner.loop.remove_signal_handler(number)

    for number in numbers:
        runner.loop.add_signal_handler(number, interrupt)
    try:
        yield
    finally:
        for number in numbers:
            runner.loop.remove_signal_handler(number)


@contextlib.contextmanager
def quiet_log() -> Iterator[None]:
    """Keep AiiDA's reports off the screen, where they would break the display; the database has them all."""
    handlers = [handler for handler in logging.getLogger('aiida').handlers if handler.name in {'console', 'cli'}]
    levels = [handler.level for handler in handlers]
    for handler in handlers:
        handler.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for handler, level in zip(handlers, levels, strict=True):
            handler.setLevel(level)
