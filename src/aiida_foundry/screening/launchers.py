"""Who runs the jobs of a campaign: the workers of the daemon, or the driver itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Protocol

from aiida.common.exceptions import ConfigurationError
from aiida.engine import ProcessBuilder, submit
from aiida.engine.daemon.client import DaemonException
from aiida.engine.processes.control import play_processes
from aiida.engine.utils import loop_scope
from aiida.manage import get_manager
from aiida.orm import ProcessNode, load_node

from aiida_foundry.common.errors import InputError
from aiida_foundry.screening.runner import LocalRunner, kill_on_signal, kill_processes, kill_running, quiet_log

PLAY_TIMEOUT = 20.0
"""Seconds that a worker has to answer."""


class Launcher(Protocol):
    """Starts processes and lets them run."""

    @property
    def interrupted(self) -> bool:
        """Whether a person interrupted the driver."""

    @property
    def busy(self) -> bool:
        """Whether processes would end with the driver."""

    def open(self) -> AbstractContextManager[None]:
        """Be ready to start processes while the context lasts."""

    def start(self, builder: ProcessBuilder) -> ProcessNode:
        """Start a process and return its node."""

    def proceed(self, pk: int) -> None:
        """Let a process run on from its checkpoint."""

    def resume_paused(self, pks: list[int]) -> None:
        """Let processes that AiiDA paused try again."""

    def wait(self, seconds: float) -> None:
        """Let some time pass, in which processes run."""

    def refuse_foreign(self, pks: list[int]) -> None:
        """Raise for processes that somebody else has to run and does not."""


class DaemonLauncher:
    """Hands processes to the daemon; they run on when the driver ends."""

    busy = False

    def __init__(self) -> None:
        self.interrupted = False

    @contextmanager
    def open(self) -> Iterator[None]:
        """See that the daemon runs, and that what it runs is of use.

        Raises:
            InputError: if it does not, or the profile has no broker.
        """
        profile = get_manager().get_profile().name
        try:
            running = daemon_runs()
        except ConfigurationError as exception:
            raise InputError('--daemon', f'profile `{profile}` has no broker ({exception})', 'Use --blocking') from None
        if not running:
            remedy = f'Start it with `verdi -p {profile} daemon start`, or use --blocking'
            raise InputError('--daemon', f'the daemon of profile `{profile}` is not running', remedy)
        stop_statistics()
        try:
            yield
        except KeyboardInterrupt:
            self.interrupted = True

    def start(self, builder: ProcessBuilder) -> ProcessNode:
        """Submit a process."""
        return submit(builder)

    def proceed(self, pk: int) -> None:
        """Send the task of a process again."""
        get_manager().get_process_controller().continue_process(pk, nowait=False, no_reply=True)

    def resume_paused(self, pks: list[int]) -> None:
        """Play processes, and wait until they do."""
        if pks:
            play_processes([load_node(pk) for pk in pks], timeout=PLAY_TIMEOUT)

    def wait(self, seconds: float) -> None:
        """Sleep."""
        time.sleep(seconds)

    def refuse_foreign(self, pks: list[int]) -> None:
        """Accept: what a daemon has, ours has."""


class LocalLauncher:
    """Runs processes in this interpreter, without daemon or broker; Ctrl-C kills them."""

    def __init__(self) -> None:
        self.runner = LocalRunner()

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C was pressed or termination asked for."""
        return self.runner.interrupted

    @property
    def busy(self) -> bool:
        """Whether processes run here."""
        return bool(self.runner.running)

    @contextmanager
    def open(self) -> Iterator[None]:
        """Make the event loop current; in the end kill what still runs."""
        with loop_scope(self.runner.loop), quiet_log(), kill_on_signal(self.runner):
            try:
                yield
            finally:
                while self.runner.running:
                    self.runner.run_until_complete(kill_running(self.runner, 'the driver of the campaign ended'))

    def start(self, builder: ProcessBuilder) -> ProcessNode:
        """Start a process."""
        return self.runner.start_process(builder)

    def proceed(self, pk: int) -> None:
        """Take a process up from its checkpoint."""
        self.runner.continue_process(pk)

    def resume_paused(self, pks: list[int]) -> None:
        """Do nothing: what is continued here is not paused."""

    def wait(self, seconds: float) -> None:
        """Run the event loop until a job ends; kill what AiiDA paused, since nobody could play it here."""
        self.runner.run_until_complete(self._wait(seconds))
        self.runner.forget_ended()

    async def _wait(self, seconds: float) -> None:
        futures = [process.future() for process in self.runner.running if process._parent_pid is None]
        if futures:
            await asyncio.wait(futures, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(seconds)
        paused = [process for process in self.runner.running if process.paused]
        if paused:
            await kill_processes(paused, f'it was paused: {paused[0].status}')

    def refuse_foreign(self, pks: list[int]) -> None:
        """Refuse to wait for a daemon that does not run.

        Raises:
            InputError: if there are such processes.
        """
        if pks and not daemon_runs():
            raise InputError(
                'campaign',
                f'{len(pks)} of its jobs were submitted to the daemon, which is not running',
                'Start it with `verdi daemon start`; they go on where they were',
            )


def daemon_runs() -> bool:
    """Return whether the daemon of the loaded profile runs."""
    return bool(get_manager().get_daemon_client().is_daemon_running)


def stop_statistics() -> None:
    """Stop the process of the daemon that watches the CPU time of the workers, for a monitor that nobody has.

    It takes 3 % of a core while the daemon runs. ``verdi daemon status`` asks the daemon itself.
    """
    with suppress(DaemonException):  # a daemon that is too busy to answer keeps it
        stop = {'command': 'stop', 'properties': {'name': 'circusd-stats', 'waiting': True}}
        get_manager().get_daemon_client().call_client(stop)
