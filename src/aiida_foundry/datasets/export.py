"""Records as files of all formats. A file appears when it is complete, or not at all."""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiida_foundry.common.errors import InputError
from aiida_foundry.datasets.crystals import with_atoms
from aiida_foundry.datasets.optimade import write_optimade
from aiida_foundry.datasets.queries import Query
from aiida_foundry.datasets.tables import schema_of, to_arrow


def export(query: Query, path: Path) -> int:
    """Write all records of a query to a file, whose suffix tells the format, and return their number.

    An existing file is replaced once the new one is complete.

    Raises:
        InputError: if the suffix is unknown, or the format needs crystals and the records have none.
    """
    suffix = path.suffix.lower()
    if suffix not in WRITERS:
        raise InputError(f'output `{path}`', 'its suffix tells no known format', f'Use one of {", ".join(WRITERS)}')
    with replacing(path) as temporary:
        return WRITERS[suffix](query, temporary)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Hand out the name of a file that takes the place of ``path`` at the end, unless there was an error."""
    if not path.parent.is_dir():
        raise InputError(f'output `{path}`', 'its folder does not exist', f'Make it: `mkdir -p {path.parent}`')
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f'.{path.stem}-') as folder:
        temporary = Path(folder) / path.name
        yield temporary
        temporary.replace(path)


def write_parquet(query: Query, path: Path) -> int:
    """Write a Parquet file whose schema has units and meanings as metadata of the fields."""
    from pyarrow.parquet import ParquetWriter

    schema, number = schema_of(query.name, query.kind), 0
    with ParquetWriter(path, schema, compression='zstd') as writer:
        for batch in query.batches():
            writer.write_batch(to_arrow(batch, schema))
            number += len(batch)
    return number


def write_csv(query: Query, path: Path) -> int:
    """Write a CSV file; the unit follows the name in the header, and several values in a cell are a JSON list."""
    names, number = list(query.kind.model.model_fields), 0
    with path.open('w', newline='', encoding='utf-8') as handle:
        writer = csv.writer(handle)
        writer.writerow([f'{name} ({unit})' if (unit := query.kind.unit(name)) else name for name in names])
        for record in query:
            values = record.model_dump(mode='json')
            writer.writerow(
                [json.dumps(values[name]) if isinstance(values[name], list) else values[name] for name in names]
            )
            number += 1
    return number


def write_extxyz(query: Query, path: Path) -> int:
    """Write the crystal of each record with its fields in the comment line."""
    from ase.io import write

    number = 0
    with path.open('w', encoding='utf-8') as handle:
        for record, atoms in with_atoms(query):
            atoms.info = {name: value for name, value in record.model_dump(mode='json').items() if value is not None}
            write(handle, atoms, format='extxyz')
            number += 1
    return number


def write_ase_db(query: Query, path: Path) -> int:
    """Write an ASE database: numbers and words as key-value pairs, the whole record as data of each row."""
    from ase.db import connect

    number = 0
    with connect(path, type='db') as database:
        for record, atoms in with_atoms(query):
            values = record.model_dump(mode='json')
            database.write(atoms, key_value_pairs=_pairs(values), data=values)
            number += 1
    return number


def _pairs(values: dict[str, Any]) -> dict[str, Any]:
    """Return what ASE takes as key-value pairs: no reserved key, no text that reads as a number."""
    from ase.db.core import convert_str_to_int_float_bool_or_str, reserved_keys

    def fits(value: Any) -> bool:
        if isinstance(value, str):
            return value != '' and isinstance(convert_str_to_int_float_bool_or_str(value), str)
        return isinstance(value, int | float)

    return {name: value for name, value in values.items() if name not in reserved_keys and fits(value)}


WRITERS: dict[str, Callable[[Query, Path], int]] = {
    '.parquet': write_parquet,
    '.csv': write_csv,
    '.extxyz': write_extxyz,
    '.db': write_ase_db,
    '.jsonl': write_optimade,
}
"""Formats by suffix; `archive.export_archive` writes ``.aiida``."""
