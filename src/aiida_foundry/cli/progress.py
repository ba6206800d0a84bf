"""Progress of a run: a live table on a terminal, one line per event where output is piped."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from aiida_foundry.screening.runner import LocalRunner, Timed

STYLES = {'finished': 'green', 'reused': 'cyan', 'failed': 'red', 'killed': 'yellow'}
SHOWN_STEPS = 20
"""Steps in the live table; those that ended first scroll out of it."""


class Step(NamedTuple):
    """What there is to say of a calculation: path of call labels, PK, state, seconds that it has taken."""

    name: str
    pk: int
    state: str
    seconds: float


class Progress:
    """Observer of a `LocalRunner`: shows its calculations, the leaves of the tree of processes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()
        self._printed: set[tuple[int, str]] = set()
        self._live: Live | None = None

    @contextmanager
    def display(self) -> Iterator[Progress]:
        """Show what is observed while the context lasts."""
        if not self._console.is_terminal:
            yield self
            return
        with Live(console=self._console, refresh_per_second=8) as self._live:
            yield self

    def __call__(self, runner: LocalRunner) -> None:
        """Look at the processes of the runner."""
        steps = calculation_steps(runner)
        if self._live is not None:
            self._live.update(self._table(steps, runner.interrupted))
        else:
            self._print_changes(steps)

    def _print_changes(self, steps: list[Step]) -> None:
        for step in steps:
            state = 'started' if step.state == 'running' else step.state
            if (step.pk, state) in self._printed:
                continue
            self._printed.add((step.pk, state))
            duration = '' if state == 'started' else f' in {step.seconds:.1f} s'
            elapsed = time.monotonic() - self._started
            self._console.print(f'{elapsed:7.1f} s  {step.name} ({step.pk}) {state}{duration}')

    def _table(self, steps: list[Step], interrupted: bool) -> Group:
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        for step in steps[-SHOWN_STEPS:]:
            state = Spinner('dots', step.state) if step.state == 'running' else Text(step.state, STYLES[step.state])
            table.add_row(state, step.name, f'{step.seconds:.1f} s', f'PK {step.pk}')
        ended = sum(step.state != 'running' for step in steps)
        elapsed = time.monotonic() - self._started
        hint = 'killing' if interrupted else 'Ctrl-C kills'
        return Group(table, Text(f'{ended} of {len(steps)} started steps ended, {elapsed:.0f} s; {hint}', 'dim'))


def calculation_steps(runner: LocalRunner) -> list[Step]:
    """Return the calculations that a runner has started, in that order."""
    from aiida.engine import CalcJob

    now = time.monotonic()
    return [
        Step(_path(runner, pk), pk, timed.state, (timed.ended or now) - timed.started)
        for pk, timed in runner.timed.items()
        if isinstance(timed.process, CalcJob)
    ]


def _path(runner: LocalRunner, pk: int) -> str:
    """Return the call labels from the root, which has none, to a process; first iterations go without saying."""
    labels: list[str] = []
    timed: Timed | None = runner.timed[pk]
    while timed is not None:
        label = timed.process.metadata.get('call_link_label', 'CALL')
        parent = timed.process._parent_pid
        if parent is not None and label != 'iteration_01':
            labels.insert(0, label)
        timed = None if parent is None else runner.timed.get(parent)
    return ' / '.join(labels) or runner.timed[pk].process.__class__.__name__
