"""The tables of a screening: their columns in parquet, written so that a file is either whole or not there."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from aiida_foundry.analysis.interfaces.candidates import Candidates
from aiida_foundry.analysis.interfaces.crystals import Assessed
from aiida_foundry.analysis.interfaces.insulators import Sureness

CRYSTALS = pa.schema(
    {
        'name': pa.string(),
        'formula': pa.string(),
        'space_group': pa.string(),
        'sites': pa.int32(),
        'takes_part': pa.bool_(),
        'sureness': pa.string(),
        'statement': pa.string(),
        'polarization': pa.string(),
        'member': pa.string(),
        'gap_eV': pa.float64(),
        'dielectric_constant': pa.float64(),
        'electron_affinity_eV': pa.float64(),
        'fractions': pa.list_(pa.float64()),
        'reason': pa.string(),
    }
)

#: Types of the columns of `Candidates` on disk.
CANDIDATES = pa.schema(
    {
        'film': pa.int32(),
        'substrate': pa.int32(),
        'film_face': pa.int16(),
        'substrate_face': pa.int16(),
        'film_multiple': pa.int16(),
        'substrate_multiple': pa.int16(),
        'orientation': pa.int8(),
        'area': pa.float32(),
        'strain': pa.float32(),
        'atoms': pa.int32(),
        'charge': pa.float64(),
        'charge_quantum': pa.int16(),
        'charge_density': pa.float32(),
        'critical_thickness': pa.float32(),
    }
)
NAMES = pa.dictionary(pa.int32(), pa.string())

#: Columns of the pairs that people read: names and Miller indices instead of numbers, units in the names.
PAIRS = pa.schema(
    {
        'film': NAMES,
        'substrate': NAMES,
        'film_formula': NAMES,
        'substrate_formula': NAMES,
        'film_miller': NAMES,
        'substrate_miller': NAMES,
        **{name: CANDIDATES.field(name).type for name in ('film_multiple', 'substrate_multiple', 'orientation')},
        'area_A2': pa.float32(),
        'strain': pa.float32(),
        'atoms': pa.int32(),
        'charge_e': pa.float64(),
        'charge_quantum_e': pa.int16(),
        'charge_density_e_A2': pa.float32(),
        'critical_thickness_A': pa.float32(),
    }
)


def write_whole(path: Path, table: pa.Table, metadata: Mapping[str, str] | None = None) -> None:
    """Write a table under another name, to the disk, and then rename it.

    Args:
        path: of the file.
        table: what is written.
        metadata: texts to keep with it.
    """
    if metadata:
        table = table.replace_schema_metadata(dict(metadata))
    part = path.with_suffix('.part')
    with part.open('wb') as handle:
        pq.write_table(table, handle, compression='zstd')
        handle.flush()
        os.fsync(handle.fileno())
    part.replace(path)


def crystals_table(crystals: Sequence[Assessed]) -> pa.Table:
    """Return crystals as rows."""
    rows = [
        {
            'name': one.name,
            'formula': one.formula,
            'space_group': one.space_group,
            'sites': one.sites,
            'takes_part': not one.reason,
            'sureness': one.sureness.name.lower(),
            'statement': one.statement,
            'polarization': one.polarization,
            'member': one.member,
            'gap_eV': _known(one.known[0]),
            'dielectric_constant': _known(one.known[1]),
            'electron_affinity_eV': _known(one.known[2]),
            'fractions': list(one.fractions),
            'reason': one.reason,
        }
        for one in crystals
    ]
    return pa.Table.from_pylist(rows, schema=CRYSTALS)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def _unknown(value: float | None) -> float:
    return np.nan if value is None else value


def crystals_of(table: pa.Table) -> list[Assessed]:
    """Return rows as crystals."""
    return [
        Assessed(
            name=row['name'],
            formula=row['formula'],
            space_group=row['space_group'],
            sites=row['sites'],
            sureness=Sureness[row['sureness'].upper()],
            statement=row['statement'],
            polarization=row['polarization'],
            member=row['member'],
            known=(
                _unknown(row['gap_eV']),
                _unknown(row['dielectric_constant']),
                _unknown(row['electron_affinity_eV']),
            ),
            fractions=tuple(row['fractions']),
            reason=row['reason'],
        )
        for row in table.to_pylist()
    ]


def candidates_table(found: Candidates) -> pa.Table:
    """Return candidates as rows of numbers."""
    columns = [pa.array(column, type=field.type) for column, field in zip(found, CANDIDATES, strict=True)]
    return pa.Table.from_arrays(columns, schema=CANDIDATES)


def pairs_table(candidates: pa.Table, crystals: Sequence[Assessed], millers: Sequence[Sequence[str]]) -> pa.Table:
    """Return candidates with names, formulas and Miller indices.

    Args:
        candidates: rows of numbers.
        crystals: those that take part.
        millers: indices of each face of each of them.
    """
    width = max(map(len, millers), default=0)
    texts = sorted({text for group in millers for text in group})
    place = {text: number for number, text in enumerate(texts)}
    codes = np.zeros((len(millers), width), dtype=np.int32)
    for row, group in enumerate(millers):
        codes[row, : len(group)] = [place[text] for text in group]
    names = {'': [one.name for one in crystals], '_formula': [one.formula for one in crystals]}
    numbers = {name: candidates[name].to_numpy() for name in CANDIDATES.names}
    columns: dict[str, Any] = {}
    for side in ('film', 'substrate'):
        for suffix, words in names.items():
            columns[side + suffix] = pa.DictionaryArray.from_arrays(numbers[side].astype(np.int32), words)
        columns[f'{side}_miller'] = pa.DictionaryArray.from_arrays(codes[numbers[side], numbers[f'{side}_face']], texts)
    for name in PAIRS.names:
        if name not in columns:
            columns[name] = candidates[_plain(name)]
    return pa.Table.from_arrays([columns[name] for name in PAIRS.names], schema=PAIRS)


def _plain(name: str) -> str:
    """Return the name of a column without its unit."""
    for unit in ('_e_A2', '_A2', '_A', '_e'):
        if name.endswith(unit):
            return name.removesuffix(unit)
    return name
