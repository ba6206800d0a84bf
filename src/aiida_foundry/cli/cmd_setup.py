"""The command `aiida-foundry setup`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from aiida_foundry.setup.computer import LOCALHOST
from aiida_foundry.setup.executables import read_executables
from aiida_foundry.setup.profile import PROFILE
from aiida_foundry.setup.pseudos import FAMILIES

if TYPE_CHECKING:
    from aiida_foundry.setup.reporting import Outcome

STYLES = {'created': 'green', 'changed': 'yellow', 'kept': 'dim', 'skipped': 'yellow', 'note': 'cyan'}


@click.command()
@click.option('--profile', default=PROFILE, show_default=True, help='Profile to find or create; no other is touched.')
@click.option('--computer', default=LOCALHOST, show_default=True, help='Label of a computer that AiiDA knows.')
@click.option(
    '--executables',
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help='YAML file: executable to path, or to path, modules, prepend_text, with_mpi. Others are looked for on PATH.',
)
@click.option(
    '--family', 'families', multiple=True, default=FAMILIES, show_default=True, help='Pseudopotential family.'
)
@click.option('--offline', is_flag=True, help='Download nothing: only families of the profile and of the cached wheel.')
@click.option('--quiet', is_flag=True, help='Say only what changes.')
def setup(
    *, profile: str, computer: str, executables: Path | None, families: tuple[str, ...], offline: bool, quiet: bool
) -> None:
    """Set up profile, computer, codes and pseudopotentials.

    A second run changes nothing. Options that the profile sets, computers, and codes that you made are kept; jobs of a
    computer with a scheduler get the guard against double submission.
    """
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    counts: dict[str, int] = {}

    def report(outcome: Outcome, message: str) -> None:
        counts[outcome] = counts.get(outcome, 0) + 1
        if not quiet or outcome != 'kept':
            console.print(f'[{STYLES[outcome]}]{outcome:8}[/]', end='')
            console.print(message, markup=False)

    choices = read_executables(executables) if executables else {}
    with console.status('Loading AiiDA'):
        from aiida_foundry.setup.codes import ensure_codes
        from aiida_foundry.setup.computer import ensure_computer
        from aiida_foundry.setup.profile import ensure_profile
        from aiida_foundry.setup.pseudos import ensure_family

        ensure_profile(profile, report)
    with console.status('Looking for executables'):
        ensure_codes(ensure_computer(computer, report), choices, report)
    for family in families:
        with console.status(f'Installing {family}'):
            ensure_family(family, offline=offline, report=report)
    console.print(', '.join(f'{count} {outcome}' for outcome, count in counts.items()), style='bold')
