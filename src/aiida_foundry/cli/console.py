"""Where output goes: tables to people, JSON to programs."""

from __future__ import annotations

import json
from typing import Any

import click
from rich.console import Console

PIPED_WIDTH = 140
"""Columns where there is no terminal: nothing is cut in a log file."""


def make_console(stderr: bool = False) -> Console:
    """Return a console without colours and with a fixed width where its output is piped.

    Args:
        stderr: write to standard error, for what must not mix with JSON on standard output.
    """
    console = Console(stderr=stderr, highlight=False)
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, width=PIPED_WIDTH)


def echo_json(record: Any) -> None:
    """Write a record to standard output as JSON."""
    click.echo(json.dumps(record, indent=2, default=str))
