"""``aiida-foundry query``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from aiida_foundry.cli import options
from aiida_foundry.common.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from aiida_foundry.common.records import Record, RecordType
    from aiida_foundry.datasets.queries import Query

DEFAULT_LIMIT = 50

WHERE = click.option(
    '-w',
    '--where',
    multiple=True,
    metavar='CONDITIONS',
    help='FIELD=VALUE, also with != < <= > >=, several joined by commas. Repeatable: all must hold.',
)
FAILED = click.option('--failed', is_flag=True, help='Also what ended with an exit code but has all results.')


@click.command(
    epilog="""\b
Examples:
  aiida-foundry query
  aiida-foundry query gaps --describe
  aiida-foundry query gaps --where "formula=Si,method=qsgw"
  aiida-foundry query gaps -w "direct>=1.2" -c formula,direct,uuid --json"""
)
@click.argument('records', required=False)
@WHERE
@click.option('-c', '--columns', metavar='FIELDS', help='Fields to show, joined by commas; `all` for all.')
@click.option(
    '-n',
    '--limit',
    type=click.IntRange(min=0),
    help=f'Rows, 0 for all. [default: {DEFAULT_LIMIT}; --json: all]',
)
@FAILED
@click.option('--describe', is_flag=True, help='Print the fields of RECORDS with units and meanings instead.')
@options.JSON
@options.PROFILE
def query(
    records: str | None,
    where: tuple[str, ...],
    columns: str | None,
    limit: int | None,
    failed: bool,
    describe: bool,
    as_json: bool,
    profile: str | None,
) -> None:
    """Find results: all RECORDS of a kind, such as `gaps`, that satisfy conditions.

    Without RECORDS, list the kinds there are.
    """
    from aiida_foundry.cli.console import echo_json, make_console
    from aiida_foundry.common.records import record_type, record_types

    console = make_console()
    if records is None:
        kinds = {name: kind.description for name, kind in record_types().items()}
        echo_json(kinds) if as_json else _print_pairs(console, ('records', 'what they are'), kinds.items())
        return
    if describe:
        fields = _describe(record_type(records))
        if as_json:
            echo_json(fields)
        else:
            rows = [(name, field['unit'], field['about']) for name, field in fields.items()]
            _print_pairs(console, ('field', 'unit', 'what it is'), rows)
        return
    _run(records, where, columns, limit, failed, as_json, profile)


def _run(
    records: str,
    where: tuple[str, ...],
    columns: str | None,
    limit: int | None,
    failed: bool,
    as_json: bool,
    profile: str | None,
) -> None:
    from aiida_foundry.cli.console import make_console
    from aiida_foundry.cli.profile import load_profile
    from aiida_foundry.datasets.queries import Query

    wanted = Query(records, where, failed=failed)
    names = _columns(wanted.kind, columns, as_json)
    load_profile(profile)
    if as_json:
        _echo_records(wanted, names, limit or None)
    else:
        _print_records(make_console(), wanted, names, DEFAULT_LIMIT if limit is None else limit)
    warn_left_out(make_console(stderr=True), wanted)


def _columns(kind: RecordType, columns: str | None, as_json: bool) -> list[str]:
    known = list(kind.model.model_fields)
    if columns is None and not as_json:
        summary = kind.summary or ('formula', *kind.columns)
        return [*(name for name in summary if name != 'uuid'), 'uuid']
    if columns in {None, 'all'}:
        return known
    names = [name.strip() for name in str(columns).split(',')]
    for name in names:
        if name not in known:
            raise InputError(f'column `{name}`', 'these records do not have it', f'Their fields are {", ".join(known)}')
    return names


def _describe(kind: RecordType) -> dict[str, dict[str, str]]:
    return {name: {'unit': kind.unit(name), 'about': kind.about(name)} for name in kind.model.model_fields}


def _echo_records(query: Query, names: list[str], limit: int | None) -> None:
    """Write a JSON list of records, one a line, as they are read."""
    separator = '[\n'
    for record in _first(query, limit):
        click.echo(f'{separator}{json.dumps(record.model_dump(mode="json", include=set(names)))}', nl=False)
        separator = ',\n'
    click.echo('[]' if separator == '[\n' else '\n]')


def _first(query: Query, limit: int | None) -> Iterator[Record]:
    for number, record in enumerate(query):
        if number == limit:
            return
        yield record


def _print_records(console: Console, query: Query, names: list[str], limit: int) -> None:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for name in names:
        unit = query.kind.unit(name)
        # an identifier that is cut cannot be copied
        table.add_column(f'{name}\n({unit})' if unit else name, no_wrap=name == 'uuid', overflow='fold')
    records = list(_first(query, limit + 1 if limit else None))
    shown = records[:limit] if limit else records
    for record in shown:
        table.add_row(*(escape(_text(getattr(record, name))) for name in names))
    console.print(table if shown else 'No records.')
    if len(records) > len(shown):
        console.print(f'The first {limit}: --limit 0 shows all, `aiida-foundry export` writes them to a file.')


def _text(value: Any) -> str:
    if value is None:
        return ''
    if isinstance(value, float):
        return f'{value:.6g}'
    if isinstance(value, tuple):
        return ' '.join(map(_text, value))
    return str(value)


def _print_pairs(console: Console, head: Sequence[str], rows: Any) -> None:
    from rich import box
    from rich.table import Table

    table = Table(*head, box=box.SIMPLE_HEAD)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def warn_left_out(console: Console, query: Query) -> None:
    """Say which processes have data that do not fit the model."""
    from rich.markup import escape

    for uuid, reason in query.left_out:
        console.print(f'Left out: process {uuid}: {escape(reason)}', style='yellow')
