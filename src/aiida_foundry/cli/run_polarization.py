"""``aiida-foundry run polarization.berry`` and ``polarization.path``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from aiida_foundry.cli import options
from aiida_foundry.common.errors import InputError

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.orm import StructureData

#: By engine: default code, and the plugin that it must be for.
ENGINES = {
    'quantumespresso': ('pw@localhost', 'quantumespresso.pw'),
    'abinit': ('abinit@localhost', 'foundry.abinit'),
}

_OPTIONS = (
    options.STRUCTURE,
    click.option(
        '--engine', type=click.Choice(list(ENGINES)), default='quantumespresso', show_default=True, help='The engine.'
    ),
    click.option('--code', 'code_label', help='Code of the engine. [default: pw@localhost or abinit@localhost]'),
    click.option(
        '--moment',
        'moments',
        multiple=True,
        metavar='KIND=VALUE',
        help='Collinear moment in μ_B of the atoms of a kind; makes the calculation spin polarized. Repeatable.',
    ),
    options.PROTOCOL,
    options.OVERRIDES,
    options.FAMILY,
    options.CELL,
    options.DAEMON,
    options.DRY_RUN,
    options.RERUN,
    options.JSON,
    options.PROFILE,
)


def _common(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command(
    'polarization.berry',
    epilog="""\b
Examples:
  aiida-foundry run polarization.berry --structure AlN --protocol fast
  aiida-foundry run polarization.berry -s MgO --engine abinit
  aiida-foundry run polarization.berry -s 1234 --moment Ni1=2 --moment Ni2=-2 --moment O=0""",
)
@_common
@click.pass_context
def polarization_berry(context: click.Context, **given: Any) -> None:
    """Compute the formal polarization of an insulator by Berry phases along its three lattice vectors.

    Prints what will run, runs it with progress, and ends with a table of phases and quanta. A job that has a result is
    not run again. The exit status is 0 if the workflow succeeded, 1 if it failed, 2 if the input was refused.
    """
    from aiida.plugins import WorkflowFactory

    def build(code: Any, structure: StructureData, arguments: dict[str, Any]) -> ProcessBuilder:
        return WorkflowFactory('foundry.polarization.berry').get_builder_from_protocol(code, structure, **arguments)

    context.exit(_start(given, build))


@click.command(
    'polarization.path',
    epilog="""\b
Examples:
  aiida-foundry run polarization.path --structure AlN --protocol fast
  aiida-foundry run polarization.path -s tetragonal.cif --reference cubic.cif
  aiida-foundry run polarization.path -s 1234 --charge Pb=2 --charge Ti=4 --charge O=-2""",
)
@_common
@click.option(
    '--reference',
    metavar='SPEC',
    help='Start of the path, as for --structure. [default: half way between the crystal and its inverse]',
)
@click.option('--accept-reference', is_flag=True, help='Take a reference whose formal polarization is neither 0 nor ½.')
@click.option(
    '--charge',
    'charges',
    multiple=True,
    metavar='ELEMENT=VALUE',
    help='Oxidation state, which predicts the path. Repeatable. [default: guessed]',
)
@click.pass_context
def polarization_path(
    context: click.Context, reference: str | None, accept_reference: bool, charges: tuple[str, ...], **given: Any
) -> None:
    """Compute the spontaneous polarization of a polar insulator along a path from a reference.

    Computes as many structures between the two as the branch of the polarization needs to be followed. A job that has
    a result is not run again. The exit status is 0 if the workflow succeeded, 1 if it failed, 2 if the input was
    refused.
    """
    from aiida.plugins import WorkflowFactory

    from aiida_foundry.cli.launch import import_structure

    states = {name: _whole(name, value) for name, value in parse_pairs('--charge', charges).items()}

    def build(code: Any, structure: StructureData, arguments: dict[str, Any]) -> ProcessBuilder:
        if arguments['overrides'] is not None:
            images = dict(arguments['overrides'])
            limit = {name: images.pop(name) for name in ('maximum_images',) if name in images}
            arguments = {**arguments, 'overrides': {**limit, 'berry': images}}
        start = import_structure(reference, given['cell'], structure.is_stored) if reference else None
        return WorkflowFactory('foundry.polarization.path').get_builder_from_protocol(
            code, structure, start, accept_reference=accept_reference, charges=states or None, **arguments
        )

    context.exit(_start(given, build))


def _start(given: dict[str, Any], build: Callable[..., ProcessBuilder]) -> int:
    """Run what the options say; return the exit status for the shell."""
    from aiida_foundry.cli.launch import Job, load_code, require_daemon, start
    from aiida_foundry.cli.profile import load_profile
    from aiida_foundry.workflows.polarization.cost import estimate

    overrides = options.parse_overrides(given['assignments'])
    moments = parse_pairs('--moment', given['moments'])
    load_profile(given['profile'])
    label, plugin = ENGINES[given['engine']]
    code = load_code(given['code_label'] or label, plugin)
    if given['daemon'] and not given['dry_run']:
        require_daemon()
    arguments = {
        'engine': given['engine'],
        'protocol': given['protocol'],
        'overrides': overrides or None,
        'pseudo_family': given['family'],
        'magnetic_moments': moments or None,
    }
    job = Job(lambda crystal: build(code, crystal, arguments), code, estimate)
    flags = {name: given[name] for name in ('daemon', 'dry_run', 'rerun', 'as_json')}
    return start(job, given['structure'], given['cell'], **flags)


def parse_pairs(option: str, pairs: Sequence[str]) -> dict[str, float]:
    """Turn ``['Pb=2', 'O=-2']`` into ``{'Pb': 2.0, 'O': -2.0}``.

    Raises:
        InputError: if one is no pair of a name and a number, or a name comes twice.
    """
    values: dict[str, float] = {}
    for pair in pairs:
        name, _, text = pair.partition('=')
        try:
            value = float(text)
        except ValueError:
            raise InputError(f'{option} {pair}', 'it is not NAME=NUMBER', f'Write e.g. {option} O=-2') from None
        if not name or name in values:
            raise InputError(f'{option} {pair}', 'its name is empty or was given before', 'Give each name once')
        values[name] = value
    return values


def _whole(name: str, value: float) -> int:
    if value != int(value):
        raise InputError(f'--charge {name}={value:g}', 'oxidation states are whole numbers', 'Give a whole number')
    return int(value)
