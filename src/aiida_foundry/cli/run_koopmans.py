"""``aiida-foundry run koopmans.ki``."""

from __future__ import annotations

import click

from aiida_foundry.cli import options
from aiida_foundry.cli.run_bse import COMPUTER, ENGINE_CODES, KOOPMANS_CODES


@click.command(
    'koopmans.ki',
    epilog="""\b
Examples:
  aiida-foundry run koopmans.ki --structure Si --protocol fast
  aiida-foundry run koopmans.ki -s MgO --set kpoints_mesh="[4,4,4]" --set parameters.dielectric_constant=3.0
  aiida-foundry run koopmans.ki -s GaAs --engine kcw --computer cluster --daemon""",
)
@options.STRUCTURE
@click.option('--engine', type=click.Choice(list(ENGINE_CODES)), default='native', show_default=True)
@options.PROTOCOL
@options.OVERRIDES
@COMPUTER
@options.FAMILY
@options.CELL
@options.DAEMON
@options.DRY_RUN
@options.RERUN
@options.JSON
@options.PROFILE
@click.pass_context
def koopmans_ki(
    context: click.Context,
    structure: str,
    engine: str,
    protocol: str | None,
    assignments: tuple[str, ...],
    computer: str,
    family: str | None,
    cell: str,
    daemon: bool,
    dry_run: bool,
    rerun: bool,
    as_json: bool,
    profile: str | None,
) -> None:
    """Compute the band gap of a crystal by the Koopmans-integer functional, from the structure on.

    Ground state, Wannier functions of filled and empty bands, screening, energies on the mesh. The exit status is 0 if
    the workflow succeeded, 1 if it failed, 2 if the input was refused.
    """
    from aiida.plugins import WorkflowFactory

    from aiida_foundry.cli.launch import Job, load_code, require_daemon, start
    from aiida_foundry.cli.profile import load_profile

    overrides = options.parse_overrides(assignments)
    load_profile(profile)
    wanted = {**KOOPMANS_CODES, **ENGINE_CODES[engine]}
    codes = {key: load_code(f'{label}@{computer}', plugin) for key, (label, plugin) in wanted.items()}
    if daemon and not dry_run:
        require_daemon()
    job = Job(
        lambda crystal: WorkflowFactory('foundry.koopmans.ki').get_builder_from_protocol(
            codes, crystal, engine=engine, protocol=protocol, overrides=overrides or None, pseudo_family=family
        ),
        codes['ki' if engine == 'native' else 'kcw'],
    )
    context.exit(start(job, structure, cell, daemon=daemon, dry_run=dry_run, rerun=rerun, as_json=as_json))
