"""``aiida-foundry archive``: archives from others."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aiida_foundry.cli import options
from aiida_foundry.common.errors import InputError

if TYPE_CHECKING:
    from aiida_foundry.datasets.archive_check import ArchiveReport

ARCHIVE = click.argument('archive', type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.group()
def archive() -> None:
    """Check and import AiiDA archives from others."""


@archive.command(
    epilog="""\b
Examples:
  aiida-foundry archive check silicon.aiida"""
)
@ARCHIVE
@options.JSON
def check(archive: Path, as_json: bool) -> None:
    """Check ARCHIVE without importing anything; the exit status is 2 if it must not be imported.

    Codes in it are listed with all that they would run.
    """
    from aiida_foundry.datasets.archive_check import check_archive

    report = check_archive(archive)
    if report.problems:
        raise InputError(f'archive `{archive}`', '; '.join(report.problems), 'Ask its author')
    _print(archive, report, 'is in order', as_json)


@archive.command(
    'import',
    epilog="""\b
Examples:
  aiida-foundry archive import silicon.aiida""",
)
@ARCHIVE
@options.JSON
@options.PROFILE
def import_(archive: Path, as_json: bool, profile: str | None) -> None:
    """Check ARCHIVE and, if nothing is wrong with it, import it.

    Codes in it are listed with all that they would run: read that before you run one.
    """
    from aiida_foundry.cli.console import make_console
    from aiida_foundry.cli.profile import load_profile
    from aiida_foundry.datasets.archive import import_checked

    load_profile(profile)
    with make_console(stderr=True).status(f'importing {archive}'):
        report = import_checked(archive)
    _print(archive, report, 'is imported', as_json)


def _print(archive: Path, report: ArchiveReport, state: str, as_json: bool) -> None:
    from aiida_foundry.cli.console import echo_json

    if as_json:
        echo_json(asdict(report))
        return
    for code in report.executables:
        click.echo(code)
    processes, codes = sum(report.processes.values()), len(report.executables)
    click.echo(f'{archive} {state}: {processes} processes, {codes} codes')
