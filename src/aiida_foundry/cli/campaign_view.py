"""How far a campaign is, on the screen: a live table on a terminal, one line per change where output is piped."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table

from aiida_foundry.screening.summary import Summary

STYLES = {'running': 'blue', 'paused': 'yellow', 'finished': 'green', 'failed': 'red', 'refused': 'red'}


class View:
    """Shows the summaries of a driver."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._last = ''
        self._started = time.monotonic()

    @contextmanager
    def display(self) -> Iterator[View]:
        """Show what is given while the context lasts."""
        if not self._console.is_terminal:
            yield self
            return
        with Live(console=self._console, refresh_per_second=4) as self._live:
            yield self

    def __call__(self, summary: Summary) -> None:
        """Show how far the campaign is."""
        if self._live is not None:
            self._live.update(panel(summary))
            return
        line = one_line(summary)
        if line != self._last:
            self._last = line
            self._console.print(f'{time.monotonic() - self._started:7.1f} s  {line}')


def one_line(summary: Summary) -> str:
    """Return the counts of a campaign in one line."""
    counts = ', '.join(f'{count} {state}' for state, count in summary.counts.items() if count)
    return f'{counts} of {summary.total}'


def panel(summary: Summary) -> Group:
    """Return the counts with a bar, what is left, and the failures."""
    counts = '  '.join(
        f'[{STYLES.get(state, "dim")}]{count} {state}[/]' for state, count in summary.counts.items() if count
    )
    bar = ProgressBar(total=max(summary.total, 1), completed=summary.ended, width=60)
    if not summary.failures:
        return Group(bar, counts, facts(summary))
    return Group(bar, counts, facts(summary), failure_table(summary))


def facts(summary: Summary) -> str:
    """Return rate, time left and core-hours."""
    left = 'unknown' if summary.eta_seconds is None else duration(summary.eta_seconds)
    return f'{summary.rate:.1f} per hour, left: {left}, {summary.core_hours:.2f} core-hours'


def duration(seconds: float) -> str:
    """Return a time such as ``3 d 4 h`` or ``2 min``."""
    days, hours, minutes = int(seconds // 86400), int(seconds % 86400 // 3600), round(seconds % 3600 / 60)
    if days:
        return f'{days} d {hours} h'
    return f'{hours} h {minutes} min' if hours else f'{minutes} min'


def failure_table(summary: Summary) -> Table:
    """Return how many jobs failed with which exit code."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ('exit code', 'jobs', 'e.g. PK', 'message'):
        table.add_column(title, justify='right' if title in {'jobs', 'e.g. PK'} else 'left')
    for failure in summary.failures:
        pk = '' if failure.pk is None else str(failure.pk)
        table.add_row(failure.outcome, str(failure.jobs), pk, escape(failure.message[:200]))
    return table
