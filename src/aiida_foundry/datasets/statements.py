"""From a type of records to the questions that AiiDA's database is asked: their number depends on the type only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiida import orm

from aiida_foundry.common.records import Column, Link, RecordType
from aiida_foundry.datasets.conditions import Condition

#: Fields of `Record` that lie in the process itself.
PROCESS_FIELDS = {
    'uuid': Column((), 'uuid'),
    'process': Column((), 'process_type'),
    'label': Column((), 'label'),
    'created': Column((), 'ctime'),
    'exit_status': Column((), 'attributes.exit_status'),
    'aiida_version': Column((), 'attributes.version.core'),
    'plugin_version': Column((), 'attributes.version.plugin'),
}
STRUCTURE_KEY = 'structure_key'
ENGINE = 'engine:'
_SQL_OPERATORS = {'=': '==', '<': '<', '<=': '<=', '>': '>', '>=': '>='}

Links = tuple[Link, ...]


@dataclass(frozen=True)
class Statement:
    """A question whose answers start with a key, in ascending order where it is that of a process.

    Args:
        builder: the question.
        names: of the other values in each answer.
    """

    builder: orm.QueryBuilder
    names: tuple[str, ...]


def main_statement(kind: RecordType, conditions: Sequence[Condition] = (), failed: bool = False) -> Statement:
    """Return the question for all that a record must have: one answer per process.

    Args:
        kind: of the records.
        conditions: those that SQL decides shorten the answer; all have to be decided again, on typed values.
        failed: ask for processes that ended with an exit code as well.
    """
    places = {**PROCESS_FIELDS, **{name: place for name, place in kind.columns.items() if not kind.is_optional(name)}}
    if kind.structure is not None:
        places[STRUCTURE_KEY] = Column(kind.structure.links, 'id')
        places['structure'] = Column(kind.structure.links, 'uuid')
    return _statement(kind, places, failed, _filters(places, conditions))


def side_statements(kind: RecordType, failed: bool = False) -> list[Statement]:
    """Return the questions for what may be missing or there several times: any number of answers per process."""
    places = {name: column for name, column in kind.columns.items() if kind.is_optional(name)}
    places |= {f'{ENGINE}{name}': column for name, column in kind.engines.items()}
    if kind.pseudopotentials is not None:
        places['pseudopotentials'] = kind.pseudopotentials
    return [_statement(kind, group, failed) for group in _by_links(places).values()]


def structure_statement(kind: RecordType, failed: bool = False) -> Statement | None:
    """Return the question for kinds and sites of each crystal, asked once however many processes it has."""
    if kind.structure is None:
        return None
    builder = _processes(kind, failed, [])
    _follow(builder, kind.structure.links, ['id', 'attributes.kinds', 'attributes.sites'], [])
    return Statement(builder.distinct(), ('kinds', 'sites'))


def _statement(
    kind: RecordType,
    places: Mapping[str, Column],
    failed: bool,
    filters: Mapping[Links, list[dict[str, Any]]] | None = None,
) -> Statement:
    """Return the question for places, each node of which is joined once."""
    filters, groups = filters or {}, _by_links(places)
    here = groups.pop((), {})
    builder = _processes(kind, failed, filters.get((), []))
    builder.add_projection('process', ['id', *(place.projection for place in here.values())])
    names = list(here)
    for links, group in groups.items():
        _follow(builder, links, [place.projection for place in group.values()], filters.get(links, []))
        names.extend(group)
    return Statement(builder.order_by({'process': {'id': 'asc'}}), tuple(names))


def _by_links(places: Mapping[str, Column]) -> dict[Links, dict[str, Column]]:
    groups: dict[Links, dict[str, Column]] = {}
    for name, place in places.items():
        groups.setdefault(place.links, {})[name] = place
    return groups


def _processes(kind: RecordType, failed: bool, tests: list[dict[str, Any]]) -> orm.QueryBuilder:
    """Return the start of each question: the processes with records."""
    ended = {'attributes.exit_status': {'>=' if failed else '==': 0}}
    filters = {'and': [{'process_type': {'in': list(kind.processes)}}, ended, *tests]}
    return orm.QueryBuilder().append(orm.ProcessNode, filters=filters, tag='process')


def _follow(builder: orm.QueryBuilder, links: Links, projections: list[str], tests: list[dict[str, Any]]) -> None:
    """Follow links from the process; the last node has to pass the tests and is asked for the projections."""
    tag, number = 'process', len(builder.as_dict()['path'])
    for step, link in enumerate(links):
        last, here = step == len(links) - 1, f'node_{number}_{step}'
        builder.append(
            orm.ProcessNode if link.kind == 'call' else orm.Data,
            **{'with_outgoing' if link.kind == 'input' else 'with_incoming': tag},
            tag=here,
            edge_filters={'label': {'like' if '%' in link.label else '==': link.label}},
            project=projections if last else None,
            filters={'and': tests} if last and tests else None,
        )
        tag = here


def _filters(places: Mapping[str, Column], conditions: Sequence[Condition]) -> dict[Links, list[dict[str, Any]]]:
    """Return the tests of each node that SQL decides.

    Text is compared for equality only, because collations differ; a real number is given as such, because SQLite
    compares as integers otherwise; Boolean values are left out, because SQLite never finds them.
    """
    filters: dict[Links, list[dict[str, Any]]] = {}
    for condition in conditions:
        place, value = places.get(condition.name), condition.value
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if place is None or condition.operator not in _SQL_OPERATORS:
            continue
        if number or (isinstance(value, str) and condition.operator == '='):
            test = {place.projection: {_SQL_OPERATORS[condition.operator]: value}}
            filters.setdefault(place.links, []).append(test)
    return filters
