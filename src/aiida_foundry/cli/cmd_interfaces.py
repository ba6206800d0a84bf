"""``aiida-foundry interfaces``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml

from aiida_foundry.cli import options
from aiida_foundry.common.errors import InputError

if TYPE_CHECKING:
    from aiida.orm import ProcessNode, StructureData
    from rich.console import Console

    from aiida_foundry.structures.collections import Entry


@click.group()
def interfaces() -> None:
    """Find interfaces of crystals that are worth a calculation."""


@interfaces.command(
    epilog="""\b
Examples:
  aiida-foundry interfaces screen structures/
  aiida-foundry interfaces screen oxides.jsonl --known known.yaml --set parameters.max_area=60
  aiida-foundry interfaces screen --group perovskites --protocol stringent --output found/
  aiida-foundry interfaces screen --group nitrides --polarizations functional=PBE
  aiida-foundry interfaces screen https://optimade.example.org --filter 'elements HAS "O" AND nelements=3' --limit 500
  aiida-foundry interfaces screen structures/ --dry-run"""
)
@click.argument('sources', nargs=-1, metavar='[SOURCE]...')
@click.option('--group', metavar='LABEL', help='Group of structures of the profile, instead of SOURCE.')
@click.option(
    '--filter', 'query', default='', metavar='TEXT', help="What to ask OPTIMADE servers for, in OPTIMADE's language."
)
@click.option('--limit', type=click.IntRange(min=1), metavar='N', help='Take at most N structures from each server.')
@click.option(
    '--known',
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help='YAML: by name or formula gap (eV), dielectric_constant, electron_affinity (eV), oxidation_states, moments '
    '(μ_B), polarization (C/m²), source.',
)
@click.option(
    '--polarizations',
    metavar='WHERE',
    help='Take the Berry phases of the profile that satisfy conditions, as in `query polarization --where`, for the '
    'crystals that they were computed for, e.g. functional=PBEsol.',
)
@options.PROTOCOL
@options.OVERRIDES
@click.option(
    '--output', type=click.Path(file_okay=False, path_type=Path), help='Folder to copy the tables to, as parquet.'
)
@options.DRY_RUN
@options.RERUN
@options.JSON
@options.PROFILE
@click.pass_context
def screen(
    context: click.Context,
    sources: tuple[str, ...],
    group: str | None,
    query: str,
    limit: int | None,
    known: Path | None,
    polarizations: str | None,
    protocol: str | None,
    assignments: tuple[str, ...],
    output: Path | None,
    dry_run: bool,
    rerun: bool,
    as_json: bool,
    profile: str | None,
) -> None:
    """Screen all pairs of many insulators for a charge at their interface.

    SOURCE is a folder of CIF, POSCAR or extended xyz files, a file of OPTIMADE JSON Lines, or the address of an
    OPTIMADE server; several are put together. Every crystal is recorded with its polarization or the reason why it is
    left out. The tables are stored in the profile as one node, and the best pairs with their exact matches. After
    Ctrl-C, a crash or a power cut the same command goes on where it was. The exit status is 0 if the screening
    succeeded, 1 if it failed, 2 if the input was refused.
    """
    from aiida_foundry.cli.console import make_console
    from aiida_foundry.cli.profile import load_profile
    from aiida_foundry.cli.screening import plan, run_screening, stored_polarizations

    overrides = options.parse_overrides(assignments)
    properties = _read_known(known)
    if bool(sources) == bool(group):
        raise InputError('structures', 'give either SOURCE or --group', 'See `aiida-foundry interfaces screen --help`')
    console = make_console(stderr=as_json)
    load_profile(profile)
    crystals = _group(group) if group else _archive(console, sources, query, limit)
    computed = [] if polarizations is None else stored_polarizations(crystals, polarizations)
    if computed:
        console.print(f'Berry phases of the profile that are used: {len(computed)}')
    if dry_run:
        plan(console, crystals, properties, computed, protocol, overrides, as_json)
        return
    node = run_screening(console, crystals, properties, computed, protocol, overrides, rerun)
    context.exit(_report(console, node, output, as_json))


def _read_known(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        values: dict[str, Any] = yaml.safe_load(path.read_text(encoding='utf-8')) or {}
    except yaml.YAMLError as error:
        raise InputError(f'file `{path}`', f'it is not YAML ({error})', 'Write e.g. `SrTiO3: {gap: 3.2}`') from None
    return values


def _archive(console: Console, sources: tuple[str, ...], query: str, limit: int | None) -> str:
    """Return the crystals of all sources as one archive."""
    from aiida_foundry.structures.collections import write_archive

    def entries() -> Iterator[Entry]:
        for source in sources:
            for number, entry in enumerate(_entries(source, query, limit), start=1):
                if number % 100 == 0:
                    console.print(f'read {number} structures of {source}')
                yield entry

    return write_archive(entries())


def _entries(source: str, query: str, limit: int | None) -> Iterator[Entry]:
    from aiida_foundry.structures.collections import fetch_optimade, read_archive, read_folder

    if '://' in source:
        return fetch_optimade(source, query, limit)
    path = Path(source)
    if path.is_file():
        return read_archive(path.read_text(encoding='utf-8'))
    return read_folder(path)


def _group(label: str) -> dict[str, StructureData]:
    """Return the structures of a group by names that links can have."""
    from aiida import orm
    from aiida.common.exceptions import MultipleObjectsError, NotExistent

    try:
        nodes = orm.load_group(label=label).nodes
    except (NotExistent, MultipleObjectsError):
        raise InputError(
            f'group `{label}`', 'the profile has none, or several, of this label', '`verdi group list` shows all'
        ) from None
    found = {f'{node.get_formula()}_{node.uuid[:8]}': node for node in nodes if isinstance(node, orm.StructureData)}
    if len(found) < 2:
        raise InputError(f'group `{label}`', f'it holds {len(found)} structures', 'A pair needs two crystals at least')
    return found


def _report(console: Console, node: ProcessNode, output: Path | None, as_json: bool) -> int:
    from aiida_foundry.cli.console import echo_json
    from aiida_foundry.cli.results import process_record
    from aiida_foundry.cli.tables import print_process

    record = process_record(node)
    if 'records' in node.outputs:
        record['summary'] = node.outputs.summary.get_dict()
        if output is not None:
            output.mkdir(parents=True, exist_ok=True)
            node.outputs.records.base.repository.copy_tree(output.resolve())
            console.print(f'wrote {output / "crystals.parquet"} and {output / "pairs.parquet"}')
    if as_json:
        echo_json(record)
    else:
        print_process(console, node)
    return 0 if node.is_finished_ok else 1
