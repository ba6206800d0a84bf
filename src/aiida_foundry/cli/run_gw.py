"""``aiida-foundry run gw.gap``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from aiida_foundry.cli import engine_codes, options
from aiida_foundry.workflows.gw.methods import METHODS

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.orm import AbstractCode, StructureData


@click.command(
    'gw.gap',
    epilog="""\b
Examples:
  aiida-foundry run gw.gap --structure Si --method g0w0-ppm --protocol fast
  aiida-foundry run gw.gap -s si.cif -m g0w0-ppm -m g0w0-ff -m qsgw
  aiida-foundry run gw.gap -s 1234 -m qsgw --code abinit@cluster --daemon
  aiida-foundry run gw.gap -s GaAs -m qsgw --set parameters.screening_cutoff=10 --dry-run""",
)
@options.STRUCTURE
@click.option(
    '-m',
    '--method',
    'methods',
    multiple=True,
    required=True,
    type=click.Choice(list(METHODS)),
    help='GW variant. Repeatable: several share one ground state.',
)
@options.PROTOCOL
@options.OVERRIDES
@engine_codes.ENGINE
@engine_codes.CODE
@options.FAMILY
@options.CELL
@options.DAEMON
@options.DRY_RUN
@options.RERUN
@options.JSON
@options.PROFILE
@click.pass_context
def gw_gap(
    context: click.Context,
    structure: str,
    methods: tuple[str, ...],
    protocol: str | None,
    assignments: tuple[str, ...],
    engine: str,
    code_label: str | None,
    family: str | None,
    cell: str,
    daemon: bool,
    dry_run: bool,
    rerun: bool,
    as_json: bool,
    profile: str | None,
) -> None:
    """Compute the quasiparticle band gap of a crystal by GW.

    Prints what will run and the estimated cost, runs it with progress, and ends with a table of the gaps. A job that
    has a result is not run again. The exit status is 0 if the workflow succeeded, 1 if it failed, 2 if the input was
    refused.
    """
    from aiida_foundry.cli.launch import Job, require_daemon, start
    from aiida_foundry.cli.profile import load_profile
    from aiida_foundry.workflows.gw.cost import estimate

    arguments = {
        'engine': engine,
        'protocol': protocol,
        'overrides': options.parse_overrides(assignments) or None,
        'pseudo_family': family,
    }
    load_profile(profile)
    code, codes = engine_codes.load_engine(engine, code_label)
    if daemon and not dry_run:
        require_daemon()
    known = estimate if engine == 'abinit' else None
    job = Job(lambda crystal: _builder(codes, crystal, methods, arguments), code, known)
    context.exit(start(job, structure, cell, daemon=daemon, dry_run=dry_run, rerun=rerun, as_json=as_json))


def _builder(
    codes: AbstractCode | dict[str, AbstractCode],
    structure: StructureData,
    methods: tuple[str, ...],
    arguments: dict[str, Any],
) -> ProcessBuilder:
    """Return the builder of one method, or of several that share a ground state."""
    from aiida.plugins import WorkflowFactory

    if len(set(methods)) == 1:
        return WorkflowFactory('foundry.gw.gap').get_builder_from_protocol(codes, structure, methods[0], **arguments)
    return WorkflowFactory('foundry.gw.variants').get_builder_from_protocol(
        codes, structure, list(dict.fromkeys(methods)), **arguments
    )
