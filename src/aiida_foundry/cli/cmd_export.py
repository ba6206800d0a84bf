"""``aiida-foundry export``."""

from __future__ import annotations

from pathlib import Path

import click

from aiida_foundry.cli import options
from aiida_foundry.cli.cmd_query import FAILED, WHERE, warn_left_out
from aiida_foundry.common.errors import InputError

FORMATS = ('.parquet', '.csv', '.extxyz', '.db', '.jsonl', '.aiida')


@click.command(
    epilog="""\b
Examples:
  aiida-foundry export gaps -o gaps.parquet --licence CC-BY-4.0 --creator "A. Group"
  aiida-foundry export gaps --where method=qsgw -o qsgw.csv
  aiida-foundry export gaps -o gaps.extxyz
  aiida-foundry export gaps -o gaps.jsonl
  aiida-foundry export gaps --where formula=Si -o silicon.aiida"""
)
@click.argument('records')
@click.option(
    '-o',
    '--output',
    required=True,
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help=f'File to write ({", ".join(FORMATS)}; .db: ASE, .jsonl: OPTIMADE, .aiida: archive with the provenance).',
)
@WHERE
@FAILED
@click.option('--licence', metavar='SPDX', help='Write a card (Croissant, JSON-LD) with this licence beside it.')
@click.option('--creator', metavar='NAME', help='Who publishes the table, for the card.')
@options.JSON
@options.PROFILE
def export(
    records: str,
    output: Path,
    where: tuple[str, ...],
    failed: bool,
    licence: str | None,
    creator: str | None,
    as_json: bool,
    profile: str | None,
) -> None:
    """Write all RECORDS of a kind, such as `gaps`, that satisfy conditions to a file.

    The suffix of the file tells the format. Tables have all fields, crystals in .extxyz, .db and .jsonl too.
    """
    from aiida_foundry.cli.console import echo_json, make_console
    from aiida_foundry.cli.profile import load_profile
    from aiida_foundry.datasets.card import check_card, write_card
    from aiida_foundry.datasets.queries import Query

    options.require_format(output, FORMATS)
    if (licence is None) != (creator is None):
        raise InputError('card', 'it needs a licence and a creator', 'Give both --licence and --creator, or neither')
    if licence is not None:
        check_card(output, licence)
    query = Query(records, where, failed=failed)
    load_profile(profile)
    console = make_console(stderr=True)
    with console.status(f'writing {output}'):
        number = _write(query, output)
        files = [output]
        if licence is not None and creator is not None:
            files.append(write_card(query, output, licence, creator, query))
    warn_left_out(console, query)
    if as_json:
        echo_json({'records': number, 'files': [str(file) for file in files]})
        return
    for file in files:
        click.echo(f'wrote {file}' + (f' ({number} records)' if file == output else ''))


def _write(query: object, output: Path) -> int:
    from aiida_foundry.datasets.archive import export_archive
    from aiida_foundry.datasets.export import export as export_table

    return (export_archive if output.suffix == '.aiida' else export_table)(query, output)  # type: ignore[arg-type]
