"""``aiida-foundry run interfaces.heterostructure``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from aiida_foundry.cli import options
from aiida_foundry.common.errors import InputError

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.orm import StructureData


def parse_miller(text: str) -> tuple[int, int, int]:
    """Return the indices in ``111``, ``1-10`` or ``1,-1,0``.

    Raises:
        InputError: it is not three integers.
    """
    parts = text.split(',') if ',' in text else re.findall(r'-?\d', text)
    try:
        h, k, l = (int(part) for part in parts)  # noqa: E741  the name of the third Miller index
    except ValueError:
        raise InputError(f'face `{text}`', 'it is not three integers', 'Write e.g. 111, 1-10 or 1,-1,0') from None
    if ',' not in text and ''.join(parts) != text.strip():
        raise InputError(f'face `{text}`', 'it is not three integers', 'Write e.g. 111, 1-10 or 1,-1,0')
    return h, k, l


@click.command(
    'interfaces.heterostructure',
    epilog="""\b
Examples:
  aiida-foundry run interfaces.heterostructure -s diamond --film BN.cif --face 111 --dry-run
  aiida-foundry run interfaces.heterostructure -s SrTiO3.cif --film LaAlO3.cif --face 001 --set interface.kind=slab
  aiida-foundry run interfaces.heterostructure -s 12 --film 34 --face 111 --film-face 001 --set matching.choice=2""",
)
@options.STRUCTURE
@click.option('--film', required=True, metavar='SPEC', help='The crystal on top, as for --structure, the substrate.')
@click.option('--face', required=True, metavar='HKL', help='Direction of the substrate along z, such as 111 or 1,-1,0.')
@click.option('--film-face', metavar='HKL', help='Direction of the film along z. [default: that of the substrate]')
@options.PROTOCOL
@options.OVERRIDES
@click.option('--code', 'code_label', default='pw@localhost', show_default=True, help='pw.x.')
@click.option('--pp-code', 'pp_label', default='pp@localhost', show_default=True, help='pp.x.')
@options.FAMILY
@options.CELL
@options.DAEMON
@options.DRY_RUN
@options.RERUN
@options.JSON
@options.PROFILE
@click.pass_context
def interfaces_heterostructure(context: click.Context, **given: Any) -> None:
    """Compute fields, band offset and free carriers of a film on a substrate.

    Prints what will run, runs it with progress, and ends with a table. A job that has a result is not run again. The
    exit status is 0 if the workflow succeeded, 1 if it failed, 2 if the input was refused.
    """
    from aiida.plugins import WorkflowFactory

    from aiida_foundry.cli.launch import Job, import_structure, load_code, require_daemon, start
    from aiida_foundry.cli.profile import load_profile
    from aiida_foundry.workflows.interfaces.cost import estimate

    overrides = options.parse_overrides(given['assignments'])
    face = parse_miller(given['face'])
    film_face = face if given['film_face'] is None else parse_miller(given['film_face'])
    load_profile(given['profile'])
    codes = load_code(given['code_label'], 'quantumespresso.pw'), load_code(given['pp_label'], 'quantumespresso.pp')
    if given['daemon'] and not given['dry_run']:
        require_daemon()

    def build(substrate: StructureData) -> ProcessBuilder:
        # the film is stored as soon as the substrate is
        film = import_structure(given['film'], given['cell'], store=substrate.is_stored)
        return WorkflowFactory('foundry.interfaces.heterostructure').get_builder_from_protocol(
            *codes,
            film,
            substrate,
            film_miller=film_face,
            substrate_miller=face,
            protocol=given['protocol'],
            overrides=overrides or None,
            pseudo_family=given['family'],
        )

    names = ('daemon', 'dry_run', 'rerun', 'as_json')
    job = Job(build, codes[0], estimate)
    context.exit(start(job, given['structure'], given['cell'], **{name: given[name] for name in names}))
