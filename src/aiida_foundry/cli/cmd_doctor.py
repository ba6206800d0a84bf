"""The command `aiida-foundry doctor`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from aiida_foundry.setup.profile import PROFILE

if TYPE_CHECKING:
    from rich.console import Console


@click.command()
@click.option('--profile', default=PROFILE, show_default=True, help='Profile to look at; it need not exist.')
@click.option('--json', 'as_json', is_flag=True, help='Print the findings as JSON.')
@click.pass_context
def doctor(ctx: click.Context, profile: str, as_json: bool) -> None:
    """Report which engines are available and what each enables.

    Exit status 1: something that the main job, the GW gap, needs is missing.
    """
    from rich.console import Console

    from aiida_foundry.setup.doctor import diagnose

    findings = diagnose(profile)
    if as_json:
        click.echo(json.dumps(findings, indent=2))
    else:
        console = Console(highlight=False, soft_wrap=True)
        for engine in findings['engines']:
            _print_engine(console, engine)
        _print_profile(console, findings['profile'])
        _print_missing(console, findings['missing'])
    ctx.exit(1 if findings['missing'] else 0)


def _print_engine(console: Console, engine: dict[str, Any]) -> None:
    from aiida_foundry.setup.doctor import how_to_get

    present = [row for row in engine['executables'] if row['path']]
    absent = [row for row in engine['executables'] if not row['path']]
    console.print(f'[bold]{engine["name"]}[/]: {engine["enables"]}')
    for row in present:
        version = row['version'] or '[yellow]no version: it does not start[/]'
        console.print(f'  [green]found[/]    {row["name"]:15} {version:10} {row["path"]}  ({row["enables"]})')
    for row in absent:
        console.print(f'  [yellow]missing[/]  {row["name"]:15} disables: {row["enables"]}')
    if absent:
        console.print(f'           get it: {how_to_get(engine)}')


def _print_profile(console: Console, state: dict[str, Any]) -> None:
    console.print(f'[bold]Profile {state["name"]}[/]')
    if not state['exists'] or state['problem']:
        console.print(f'  [yellow]{state["problem"] or "does not exist"}[/]')
        return
    default = 'is' if state['default'] else 'is not'
    console.print(f"  {default} AiiDA's default profile; its daemon is {state['daemon']}")
    console.print(f'  computers: {", ".join(state["computers"]) or "none"}')
    console.print(f'  codes: {", ".join(state["codes"]) or "none"}')
    families = (f'{label} ({count} elements)' for label, count in state['families'].items())
    console.print(f'  pseudopotentials: {", ".join(families) or "none"}')


def _print_missing(console: Console, missing: list[dict[str, str]]) -> None:
    for finding in missing:
        console.print(f'[red]Needed for the GW gap[/]: {finding["what"]}: {finding["why"]}. {finding["remedy"]}')
    if not missing:
        console.print('[green]Everything that the GW gap needs is there.[/]')
