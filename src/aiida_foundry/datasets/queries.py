"""Queries: all records of a type that satisfy conditions, read lazily, as records, batches or a table."""

from __future__ import annotations

import warnings
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from aiida_foundry.common.records import Record, RecordType, record_type
from aiida_foundry.datasets.assemble import combine, describe_crystal
from aiida_foundry.datasets.conditions import Condition, all_conditions
from aiida_foundry.datasets.statements import (
    STRUCTURE_KEY,
    main_statement,
    side_statements,
    structure_statement,
)
from aiida_foundry.datasets.stream import Aside, Ask, reading

if TYPE_CHECKING:
    import pandas
    import pyarrow

BATCH = 5000
"""Records handed out at once: a few MB."""


class Query:
    """Records of one type. Nothing is read before it is iterated over; every iteration reads anew.

    Args:
        name: under which the records are registered.
        where: conditions as text, ``'formula=Si,direct>1.5'``, or several such texts, all of which must hold.
        failed: whether processes that ended with an exit code but have all required results count as well.
        equal: values that fields must have.

    Attributes:
        left_out: UUID and reason of the processes whose data do not fit the model, of the last reading.

    Raises:
        InputError: if no such records are registered, or a condition is not understood.
    """

    def __init__(self, name: str, where: str | Sequence[str] = (), *, failed: bool = False, **equal: Any) -> None:
        self.name = name
        self.kind: RecordType = record_type(name)
        self.conditions: list[Condition] = all_conditions(self.kind.model, where, equal)
        self.failed = failed
        self.left_out: list[tuple[str, str]] = []

    def __iter__(self) -> Generator[Record, None, None]:
        """Iterate over the records in the order in which their processes were stored."""
        self.left_out = []
        with reading() as ask:
            crystals = self._crystals(ask)
            main = main_statement(self.kind, self.conditions, self.failed)
            sides = [(side.names, Aside(ask(side.builder))) for side in side_statements(self.kind, self.failed)]
            for key, *values in ask(main.builder):
                fields = dict(zip(main.names, values, strict=True))
                for names, aside in sides:
                    found = combine(names, aside.take(key))
                    found['engines'] = fields.get('engines', []) + found.get('engines', [])
                    fields.update(found)
                record = self._record(fields, crystals)
                if record is not None and self._holds(record):
                    yield record

    def batches(self, size: int = BATCH) -> Iterator[list[Record]]:
        """Iterate over lists of at most ``size`` records."""
        with closing(iter(self)) as records:
            while batch := list(islice(records, size)):
                yield batch

    def table(self) -> pyarrow.Table:
        """Return all records as an Arrow table whose schema has the units."""
        import pyarrow

        from aiida_foundry.datasets.tables import schema_of, to_arrow

        schema = schema_of(self.name, self.kind)
        table = pyarrow.Table.from_batches((to_arrow(batch, schema) for batch in self.batches()), schema)
        self._warn()
        return table

    def frame(self) -> pandas.DataFrame:
        """Return all records as a pandas table; ``frame.attrs['units']`` has the units of its columns."""
        frame = self.table().to_pandas()
        frame.attrs['units'] = {name: unit for name in self.kind.columns if (unit := self.kind.unit(name))}
        return frame

    def _crystals(self, ask: Ask) -> dict[int, tuple[str, int]]:
        """Return formula and number of sites of all crystals by key."""
        statement = structure_statement(self.kind, self.failed)
        if statement is None:
            return {}
        return {key: describe_crystal(kinds, sites) for key, kinds, sites in ask(statement.builder)}

    def _record(self, fields: dict[str, Any], crystals: dict[int, tuple[str, int]]) -> Record | None:
        formula, atoms = crystals.get(fields.pop(STRUCTURE_KEY, None), (None, None))
        completed = {
            'structure': None,
            'pseudopotentials': None,
            **fields,
            'formula': formula,
            'atoms': atoms,
            'engines': ', '.join(sorted(fields.get('engines', []))),
        }
        try:
            return self.kind.model.model_validate(completed)
        except ValidationError as error:
            reasons = '; '.join(f'{".".join(map(str, e["loc"]))}: {e["msg"]}' for e in error.errors())
            self.left_out.append((fields['uuid'], reasons))
            return None

    def _holds(self, record: Record) -> bool:
        return all(condition.holds(getattr(record, condition.name)) for condition in self.conditions)

    def _warn(self) -> None:
        for uuid, reason in self.left_out:
            warnings.warn(f'process {uuid} is left out: {reason}', stacklevel=3)
