"""Answers of the database, row by row, on a connection of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from aiida import orm
from aiida.manage import get_manager
from sqlalchemy.engine import Connection

BATCH = 2000
"""Rows fetched at once: 2000 of them take a few MB."""


Ask = Callable[[orm.QueryBuilder], Iterator[Any]]
"""Iterate over the rows of a question."""


@contextmanager
def reading() -> Iterator[Ask]:
    """Open a connection to the database of the loaded profile, to ask questions on.

    The session of AiiDA would hold a transaction while rows are consumed, and the storage of setup reads all of them
    before the first. A database in memory exists on one connection only, which is the session's. In a SQLite database
    without write-ahead log nobody can write while someone reads: there all rows are read at once.
    """
    storage = get_manager().get_profile_storage()
    engine = storage.get_session().get_bind()
    if engine.dialect.name == 'sqlite' and engine.url.database in {None, '', ':memory:'}:
        yield lambda builder: iter(storage.get_session().connection().execute(_statement(storage, builder)).all())
        return
    with engine.connect() as connection:
        if engine.dialect.name != 'sqlite' or connection.exec_driver_sql('PRAGMA journal_mode').scalar() == 'wal':
            yield lambda builder: _stream(connection, _statement(storage, builder))
        else:
            yield lambda builder: iter(connection.execute(_statement(storage, builder)).all())


def _statement(storage: Any, builder: orm.QueryBuilder) -> Any:
    return storage.query().get_query(builder.as_dict()).query.statement


def _stream(connection: Connection, statement: Any) -> Iterator[Any]:
    """Iterate over rows, `BATCH` of which are in memory. UUIDs, a type of PostgreSQL, are text as in SQLite."""
    with connection.execute(statement, execution_options={'yield_per': BATCH}) as result:
        if connection.dialect.name == 'sqlite':
            yield from result
            return
        for row in result:
            yield tuple(str(value) if isinstance(value, UUID) else value for value in row)


class Aside:
    """Answers to a question with any number of rows per process, handed out beside an ascending series of keys."""

    def __init__(self, rows: Iterator[Any]) -> None:
        self._rows = rows
        self._next = next(rows, None)

    def take(self, key: int) -> list[tuple[Any, ...]]:
        """Return the values of all rows of a process; keys have to ascend from call to call."""
        while self._next is not None and self._next[0] < key:
            self._next = next(self._rows, None)
        found = []
        while self._next is not None and self._next[0] == key:
            found.append(tuple(self._next[1:]))
            self._next = next(self._rows, None)
        return found
