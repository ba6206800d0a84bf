"""From rows of the database to records."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from aiida_foundry.datasets.statements import ENGINE

HASH_DIGITS = 16


def describe_crystal(kinds: Sequence[Mapping[str, Any]], sites: Sequence[Mapping[str, Any]]) -> tuple[str, int]:
    """Return the reduced formula and the number of sites of the attributes of a ``StructureData``."""
    content = {kind['name']: tuple(zip(kind['symbols'], kind['weights'], strict=True)) for kind in kinds}
    amounts: Counter[str] = Counter()
    for site in sites:
        for symbol, weight in content[site['kind_name']]:
            amounts[symbol] += weight
    return _reduced_formula(tuple(sorted(amounts.items()))), len(sites)


@lru_cache(maxsize=100_000)
def _reduced_formula(amounts: tuple[tuple[str, float], ...]) -> str:
    from pymatgen.core import Composition

    return str(Composition(dict(amounts)).reduced_formula)


def combine(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> dict[str, Any]:
    """Return the fields that the rows of a side question are: one value, or the combination of all.

    Args:
        names: of the values in each row; ``engine:NAME`` is the version of an executable.
        rows: all rows of one process.
    """
    values: dict[str, list[Any]] = {name: [] for name in names}
    for row in rows:
        for name, value in zip(names, row, strict=True):
            if value is not None:
                values[name].append(value)
    fields: dict[str, Any] = {}
    for name, found in values.items():
        if name == 'pseudopotentials':
            fields[name] = hash_of(found)
        elif name.startswith(ENGINE):
            fields.setdefault('engines', []).extend(f'{name.removeprefix(ENGINE)} {version}' for version in set(found))
        elif found:
            fields[name] = found[0]
    return fields


def hash_of(checksums: Iterable[str]) -> str | None:
    """Return one short hash of several checksums, whatever their order and number of repetitions; None of none."""
    distinct = sorted(set(checksums))
    digest = hashlib.sha256(' '.join(distinct).encode()).hexdigest()
    return f'sha256:{digest[:HASH_DIGITS]}' if distinct else None
