"""Records as Arrow tables, with units and meanings in the schema."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from types import NoneType
from typing import Any, get_args, get_origin

import pyarrow as pa

from aiida_foundry import __version__
from aiida_foundry.common.records import Record, RecordType

_TYPES = {
    str: pa.string(),
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    datetime: pa.timestamp('us', tz='UTC'),
}


def arrow_type(annotation: Any) -> pa.DataType:
    """Return the Arrow type of the annotation of a field; tuples and lists of one type become lists.

    Raises:
        TypeError: for any other annotation.
    """
    if annotation in _TYPES:
        return _TYPES[annotation]
    members = [member for member in get_args(annotation) if member not in {NoneType, Ellipsis}]
    if get_origin(annotation) in {tuple, list}:
        if len({arrow_type(member) for member in members}) == 1:
            return pa.list_(arrow_type(members[0]))
    elif len(members) == 1:
        return arrow_type(members[0])
    raise TypeError(f'{annotation} cannot be a column of a table')


def schema_of(name: str, kind: RecordType) -> pa.Schema:
    """Return the schema of a table of records: fields with ``unit`` and ``description`` as metadata."""
    fields = [
        pa.field(
            field,
            arrow_type(info.annotation),
            metadata={'unit': kind.unit(field), 'description': kind.about(field)},
        )
        for field, info in kind.model.model_fields.items()
    ]
    return pa.schema(fields, metadata={'records': name, 'aiida_foundry': __version__})


def to_arrow(records: Sequence[Record], schema: pa.Schema) -> pa.RecordBatch:
    """Return records as one batch of a table."""
    columns = [pa.array([getattr(record, field.name) for record in records], type=field.type) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
