"""``aiida-foundry show``."""

from __future__ import annotations

import click

from aiida_foundry.cli import options


@click.command(
    epilog="""\b
Examples:
  aiida-foundry show 1234
  aiida-foundry show 5b1c9a0e --json"""
)
@click.argument('process')
@options.JSON
@options.PROFILE
def show(process: str, as_json: bool, profile: str | None) -> None:
    """Print state and results of PROCESS, a PK or UUID.

    Any process will do; results of ours are printed as tables. For data, the process that made it is shown.
    """
    from aiida_foundry.cli.console import echo_json, make_console
    from aiida_foundry.cli.profile import load_process, load_profile
    from aiida_foundry.cli.results import process_record
    from aiida_foundry.cli.tables import print_process

    load_profile(profile)
    node = load_process(process)
    if as_json:
        echo_json(process_record(node))
    else:
        print_process(make_console(), node)
