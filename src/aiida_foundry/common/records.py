"""Typed records: how an area says what its results are, in which units, and where in the graph they lie; free of aiida.

An area describes one row per process by a subclass of `Record`. Each field names its place relative to the process by
`output`, `input_`, `process` or `called`; `aiida_foundry.datasets` turns the places into SQL, and rows into records.
A `RecordType` registered as an entry point of the group ``aiida_foundry.records`` is found by everything else: queries,
exports and the command line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from importlib.metadata import entry_points
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from aiida_foundry.common.errors import InputError

ENTRY_POINT_GROUP = 'aiida_foundry.records'


@dataclass(frozen=True)
class Link:
    """A step through the provenance graph from a process.

    Args:
        kind: to an ``input``, to an ``output``, or to a process that it ``call``-ed.
        label: of the link, nested namespaces joined by ``__``; ``%`` stands for any text.
    """

    kind: Literal['input', 'output', 'call']
    label: str = '%'


@dataclass(frozen=True)
class Column:
    """The place of one value of a record.

    Args:
        links: from the process to the node that holds the value; none: the process itself.
        projection: what is taken of that node, as AiiDA's ``QueryBuilder`` writes it: ``attributes.a.b``, ``uuid``, …
        unit: of the value, ``1`` for a number without unit, empty for what is no measured number.
        about: what the value is, for tables and dataset cards.
    """

    links: tuple[Link, ...]
    projection: str
    unit: str = ''
    about: str = ''


def _projection(path: str | None) -> str:
    return 'uuid' if path is None else f'attributes.{path}'


def output(label: str, path: str | None = None, *, unit: str = '', about: str = '') -> Column:
    """Return the place of an attribute of an output node; without a path the UUID of the node, to load arrays from."""
    return Column((Link('output', label),), _projection(path), unit, about)


def input_(label: str, path: str | None = None, *, unit: str = '', about: str = '') -> Column:
    """Return the place of an attribute of an input node; without a path the UUID of the node."""
    return Column((Link('input', label),), _projection(path), unit, about)


def process(projection: str, *, unit: str = '', about: str = '') -> Column:
    """Return the place of a property of the process itself, such as ``attributes.version.plugin``."""
    return Column((), projection, unit, about)


def called(
    label: str, path: str | None = None, *, calls: tuple[str, ...] = ('%',), unit: str = '', about: str = ''
) -> Column:
    """Return the place of an attribute of an output of the processes that the process called.

    Args:
        label: of the output.
        path: of the attribute; None: the UUID of the output.
        calls: labels of the calls to follow, one by one; ``('%', '%')`` is all that is called by what it calls.
        unit: see `Column`.
        about: see `Column`.
    """
    return Column((*(Link('call', name) for name in calls), Link('output', label)), _projection(path), unit, about)


class Record(BaseModel):
    """What every row has: the process that it comes from, and what that started from. Areas add their results.

    A field of a subclass is ``Annotated[type, output(...)]`` (or `input_`, `process`). One with the default None may be
    missing: a process without it has a row all the same. Others must be there: a process without them has no row.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    uuid: str
    process: str
    label: str
    created: datetime
    exit_status: int
    aiida_version: str
    plugin_version: str | None
    engines: str
    formula: str | None
    atoms: int | None
    structure: str | None
    pseudopotentials: str | None

    ABOUT: ClassVar[Mapping[str, str]] = {
        'uuid': 'UUID of the process',
        'process': 'type of the process: its entry point, or the path of a calcfunction',
        'label': 'label of the process, which may hold the key of its content',
        'created': 'time at which the process was created',
        'exit_status': '0 if it finished with success',
        'aiida_version': 'version of aiida-core that ran it',
        'plugin_version': 'version of the package with the workflow',
        'engines': 'executables with their versions, separated by commas',
        'formula': 'reduced formula of the crystal',
        'atoms': 'number of atoms in the cell',
        'structure': 'UUID of the crystal',
        'pseudopotentials': 'first 16 digits of the SHA-256 of the sorted MD5 sums of all pseudopotentials',
    }


@dataclass(frozen=True)
class RecordType:
    """The records of an area.

    Args:
        model: a row.
        processes: types of the processes with such a row: ``aiida.workflows:foundry.gw.abinit``, or the full path of a
            calcfunction.
        description: one sentence, for help and dataset cards.
        summary: the fields that a table on the screen shows; empty: all.
        structure: the crystal of a process; None if there is none.
        pseudopotentials: all that it used, by their MD5 sums; None if there are none.
        engines: for each executable the place of its version, which may be in several nodes.

    Raises:
        TypeError: if a field has no place or several, or a real number no unit.
    """

    model: type[Record]
    processes: tuple[str, ...]
    description: str
    summary: tuple[str, ...] = ()
    structure: Column | None = field(default_factory=lambda: input_('structure'))
    pseudopotentials: Column | None = field(default_factory=lambda: input_('pseudos__%', 'md5'))
    engines: Mapping[str, Column] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, info in self.model.model_fields.items():
            if name in Record.model_fields:
                continue
            columns = [entry for entry in info.metadata if isinstance(entry, Column)]
            if len(columns) != 1 or any('%' in link.label for link in columns[0].links):
                raise TypeError(f'{self.model.__name__}.{name} needs one place: Annotated[type, output(...)]')
            if 'float' in str(info.annotation) and not columns[0].unit:
                raise TypeError(f'{self.model.__name__}.{name} is a real number and needs a unit (`1` if it has none)')
        if unknown := set(self.summary) - set(self.model.model_fields):
            raise TypeError(f'{self.model.__name__} has no fields {sorted(unknown)} to summarise')

    @cached_property
    def columns(self) -> dict[str, Column]:
        """Return the places of the fields that the area adds."""
        return {
            name: next(entry for entry in info.metadata if isinstance(entry, Column))
            for name, info in self.model.model_fields.items()
            if name not in Record.model_fields
        }

    def is_optional(self, name: str) -> bool:
        """Return whether a process without this field has a row all the same."""
        return not self.model.model_fields[name].is_required()

    def unit(self, name: str) -> str:
        """Return the unit of a field, empty where it is no measured number."""
        return self.columns[name].unit if name in self.columns else ''

    def about(self, name: str) -> str:
        """Return what a field is."""
        return self.columns[name].about if name in self.columns else Record.ABOUT[name]


def record_types() -> dict[str, RecordType]:
    """Return all registered types of records by name."""
    found = sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: entry.name)
    return {entry.name: entry.load() for entry in found}


def record_type(name: str) -> RecordType:
    """Return a type of records by name.

    Raises:
        InputError: if none of that name is registered.
    """
    found: dict[str, Any] = {entry.name: entry for entry in entry_points(group=ENTRY_POINT_GROUP)}
    if name not in found:
        raise InputError(f'records `{name}`', 'nothing registers them', f'Known are {", ".join(sorted(found))}')
    kind: RecordType = found[name].load()
    return kind
