"""``aiida-foundry run bse.spectrum`` and ``run bse.ki``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from aiida_foundry.cli import engine_codes, options
from aiida_foundry.common.errors import InputError

if TYPE_CHECKING:
    from aiida.orm import AbstractCode, ArrayData

#: Label and plugin of each code that `foundry.koopmans.ki` may need, by its key.
KOOPMANS_CODES = {
    'pw': ('pw', 'quantumespresso.pw'),
    'ph': ('ph', 'quantumespresso.ph'),
    'projwfc': ('projwfc', 'quantumespresso.projwfc'),
    'pw2wannier90': ('pw2wannier90', 'quantumespresso.pw2wannier90'),
    'wannier90': ('wannier90', 'foundry.wannier90'),
}
#: Those of each engine beside them.
ENGINE_CODES: dict[str, dict[str, tuple[str, str]]] = {
    'native': {'ki': ('aiida-foundry-ki', 'foundry.ki')},
    'kcw': {'kcw': ('kcw', 'foundry.kcw.screen')},
}

COMPUTER = click.option('--computer', default='localhost', show_default=True, help='Computer of all codes.')
SCISSOR_HELP = 'Shift of the empty states in eV.'


@click.command(
    'bse.spectrum',
    epilog="""\b
Examples:
  aiida-foundry run bse.spectrum --structure Si --scissor 0.8 --protocol fast
  aiida-foundry run bse.spectrum -s Si --quasiparticles 1234 --set kpoints_mesh="[4,4,4]"
  aiida-foundry run bse.spectrum -s LiF --scissor 5 --set parameters.spectrum.maximum=25 --dry-run""",
)
@options.STRUCTURE
@click.option('--scissor', type=float, help=f'{SCISSOR_HELP} 0 for bare Kohn-Sham energies.')
@click.option(
    '--quasiparticles',
    metavar='ID',
    help='PK or UUID of quasiparticle energies, or of a gw.gap or koopmans.ki process that computed them.',
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
def bse_spectrum(
    context: click.Context,
    structure: str,
    scissor: float | None,
    quasiparticles: str | None,
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
    """Compute the optical spectrum and the excitons of a crystal on given quasiparticle energies."""
    from aiida.plugins import WorkflowFactory

    from aiida_foundry.cli.launch import Job, require_daemon, start
    from aiida_foundry.cli.profile import load_profile
    from aiida_foundry.workflows.bse.cost import estimate

    if (scissor is None) == (quasiparticles is None):
        raise InputError('--scissor, --quasiparticles', 'one of them is needed, and only one', 'Give one')
    overrides = options.parse_overrides(assignments)
    load_profile(profile)
    code, codes = engine_codes.load_engine(engine, code_label)
    if daemon and not dry_run:
        require_daemon()
    corrections = scissor if quasiparticles is None else load_quasiparticles(quasiparticles)
    job = Job(
        lambda crystal: WorkflowFactory('foundry.bse.spectrum').get_builder_from_protocol(
            codes,
            crystal,
            corrections,
            engine=engine,
            protocol=protocol,
            overrides=overrides or None,
            pseudo_family=family,
        ),
        code,
        estimate if engine == 'abinit' else None,
    )
    context.exit(start(job, structure, cell, daemon=daemon, dry_run=dry_run, rerun=rerun, as_json=as_json))


@click.command(
    'bse.ki',
    epilog="""\b
Examples:
  aiida-foundry run bse.ki --structure examples/Si.cif --protocol fast
  aiida-foundry run bse.ki -s GaAs --g0w0 --scissor 0.9 --set kpoints_mesh="[4,4,4]"
  aiida-foundry run bse.ki -s MgO --relax --koopmans-engine kcw --dry-run""",
)
@options.STRUCTURE
@click.option('--g0w0', is_flag=True, help='Solve the Bethe-Salpeter equation on G0W0 energies as well.')
@click.option('--scissor', type=float, help=f'{SCISSOR_HELP} Solve it on these energies as well.')
@click.option('--relax', is_flag=True, help='Relax atoms and cell first.')
@click.option('--koopmans-engine', type=click.Choice(list(ENGINE_CODES)), default='native', show_default=True)
@engine_codes.ENGINE
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
def bse_ki(
    context: click.Context,
    structure: str,
    g0w0: bool,
    scissor: float | None,
    relax: bool,
    koopmans_engine: str,
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
    """Compute the optical spectrum and the excitons of a crystal on Koopmans energies, from the structure on."""
    from aiida.plugins import WorkflowFactory

    from aiida_foundry.cli.launch import Job, require_daemon, start
    from aiida_foundry.cli.profile import load_profile
    from aiida_foundry.workflows.bse.cost import estimate

    overrides = options.parse_overrides(assignments)
    load_profile(profile)
    codes = load_codes(computer, koopmans_engine, engine)
    if daemon and not dry_run:
        require_daemon()
    job = Job(
        lambda crystal: WorkflowFactory('foundry.bse.ki').get_builder_from_protocol(
            codes,
            crystal,
            g0w0=g0w0,
            scissor=scissor,
            relax=relax,
            koopmans_engine=koopmans_engine,
            engine=engine,
            protocol=protocol,
            overrides=overrides or None,
            pseudo_family=family,
        ),
        codes[engine],
        estimate if engine == 'abinit' else None,
    )
    context.exit(start(job, structure, cell, daemon=daemon, dry_run=dry_run, rerun=rerun, as_json=as_json))


def load_codes(computer: str, koopmans_engine: str, engine: str) -> dict[str, AbstractCode]:
    """Return the codes of all steps on a computer.

    Raises:
        InputError: names the one that is missing.
    """
    from aiida_foundry.cli.launch import load_code

    others = {name: (name, plugin) for name, plugin in engine_codes.ENGINES[engine].items()}
    wanted = {**KOOPMANS_CODES, **ENGINE_CODES[koopmans_engine], **others}
    return {key: load_code(f'{label}@{computer}', plugin) for key, (label, plugin) in wanted.items()}


def load_quasiparticles(identifier: str) -> ArrayData:
    """Return quasiparticle energies, or those that a process computed.

    Raises:
        InputError: if there are none.
    """
    from aiida import orm
    from aiida.common.exceptions import NotExistent

    subject = f'--quasiparticles {identifier}'
    try:
        node = orm.load_node(identifier)
    except (NotExistent, ValueError):
        raise InputError(subject, 'the profile has no such node', 'Give a PK or UUID') from None
    if isinstance(node, orm.ProcessNode):
        if 'quasiparticles' in node.outputs:
            node = node.outputs.quasiparticles
        elif 'gaps' in node.outputs and 'quasiparticles' in (made := node.outputs.gaps.creator).inputs:
            node = made.inputs.quasiparticles
    if not isinstance(node, orm.ArrayData) or 'qp_energies' not in node.get_arraynames():
        raise InputError(subject, 'it holds no quasiparticle energies', 'Give a gw.gap or koopmans.ki process')
    return node
