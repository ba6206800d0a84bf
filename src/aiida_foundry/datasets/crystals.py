"""Records with their crystals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from aiida_foundry.common.errors import InputError
from aiida_foundry.common.records import Record
from aiida_foundry.datasets.queries import Query

if TYPE_CHECKING:
    from ase import Atoms

STRUCTURES_AT_ONCE = 500


def with_atoms(query: Query) -> Iterator[tuple[Record, Atoms]]:
    """Iterate over records with their crystals, which are read some hundred at a time.

    Raises:
        InputError: if the records, or one of them, have no crystal.
    """
    from aiida.orm import QueryBuilder, StructureData

    if query.kind.structure is None:
        raise InputError(f'records `{query.name}`', 'they belong to no crystal', 'Export them as .parquet or .csv')
    for batch in query.batches(STRUCTURES_AT_ONCE):
        # the empty string keeps the list from being empty, which the query refuses
        wanted = {record.structure or '' for record in batch}
        builder = QueryBuilder().append(StructureData, filters={'uuid': {'in': list(wanted)}})
        atoms = {structure.uuid: structure.get_ase() for structure in builder.all(flat=True)}
        for record in batch:
            if record.structure not in atoms:
                remedy = 'Leave it out by a condition, or export as .parquet or .csv'
                raise InputError(f'record of the process {record.uuid}', 'it has no crystal in this profile', remedy)
            yield record, atoms[record.structure].copy()
