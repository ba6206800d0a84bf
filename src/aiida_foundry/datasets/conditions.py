"""Conditions on records: ``formula=Si,direct>=1.2`` as typed comparisons."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from types import NoneType
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from aiida_foundry.common.errors import InputError
from aiida_foundry.common.records import Record

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    '=': operator.eq,
    '!=': operator.ne,
    '<': operator.lt,
    '<=': operator.le,
    '>': operator.gt,
    '>=': operator.ge,
}
_CONDITION = re.compile(r'\s*(?P<name>\w+)\s*(?P<operator>!=|<=|>=|=|<|>)\s*(?P<value>.*?)\s*')
_PART = re.compile(r'(?:"[^"]*"|[^,"])+')
_SCALARS = (str, int, float, bool, datetime)


@dataclass(frozen=True)
class Condition:
    """A comparison of a field with a value of the field's type. A missing value satisfies none."""

    name: str
    operator: str
    value: Any

    def holds(self, value: Any) -> bool:
        """Return whether a value of the field satisfies the condition."""
        return value is not None and OPERATORS[self.operator](value, self.value)


def scalar_type(model: type[Record], name: str) -> type:
    """Return the type of a field without None.

    Raises:
        InputError: if there is no such field, or it holds several values.
    """
    if name not in model.model_fields:
        known = ', '.join(model.model_fields)
        raise InputError(f'field `{name}`', 'these records do not have it', f'Their fields are {known}')
    annotation = model.model_fields[name].annotation
    types = [kind for kind in get_args(annotation) or (annotation,) if kind is not NoneType]
    if len(types) != 1 or types[0] not in _SCALARS:
        raise InputError(f'field `{name}`', 'it holds several values', 'Compare them after the query, in Python')
    kind: type = types[0]
    return kind


def parse_conditions(text: str, model: type[Record]) -> list[Condition]:
    """Return the conditions of ``name=value,name>value``; a value in double quotes may hold commas.

    Raises:
        InputError: names what is not understood: the syntax, the field, or the value.
    """
    if text.count('"') % 2:
        raise InputError(f'conditions `{text}`', 'a quote is not closed', 'Write FIELD="a value, with a comma"')
    return [_parse(part, model) for part in _PART.findall(text) if part.strip()]


def _parse(part: str, model: type[Record]) -> Condition:
    match = _CONDITION.fullmatch(part)
    if match is None:
        remedy = f'Operators are {" ".join(OPERATORS)}, as in formula=Si,direct>=1.2'
        raise InputError(f'condition `{part}`', 'it is not a field, an operator and a value', remedy)
    return make_condition(model, match['name'], match['operator'], match['value'].strip('"'))


def make_condition(model: type[Record], name: str, comparison: str, value: Any) -> Condition:
    """Return a condition whose value has the type of its field; times without a zone are UTC.

    Raises:
        InputError: if the field does not exist or the value is not of its type.
    """
    kind = scalar_type(model, name)
    try:
        typed: Any = TypeAdapter(kind).validate_python(value)
    except ValidationError:
        raise InputError(f'condition on `{name}`', f'{value!r} is no {kind.__name__}', 'Give one') from None
    if isinstance(typed, datetime) and typed.tzinfo is None:
        typed = typed.replace(tzinfo=timezone.utc)
    return Condition(name, comparison, typed)


def all_conditions(
    model: type[Record], where: str | Sequence[str] = (), equal: Mapping[str, Any] | None = None
) -> list[Condition]:
    """Return the conditions of texts and of keyword arguments ``field=value``, all of which must hold."""
    texts = [where] if isinstance(where, str) else where
    conditions = [condition for text in texts for condition in parse_conditions(text, model)]
    return conditions + [make_condition(model, name, '=', value) for name, value in (equal or {}).items()]
