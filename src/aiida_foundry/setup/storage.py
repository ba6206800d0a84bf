"""SQLite storage of the profiles that setup makes: the files of ``core.sqlite_dos``, with less work per query.

An AiiDA process asks at each of its steps for the links of a few nodes. The storage of aiida-core builds a new
SQLAlchemy statement for each question (aliases of the tables, with all their columns) and wraps each answer in a
transaction, whose end makes SQLAlchemy forget, and then read again, every row that it holds.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiida.common.exceptions import StorageBackupError
from aiida.common.hashing import make_hash
from aiida.storage.sqlite_dos.backend import SqliteDosStorage
from aiida.storage.sqlite_zip.orm import SqliteQueryBuilder
from sqlalchemy import text

from aiida_foundry.setup.checkpoints import use_libyaml

if TYPE_CHECKING:
    from aiida.manage.configuration.profile import Profile
    from aiida.orm.implementation.querybuilder import QueryDictType
    from aiida.storage.psql_dos.orm.querybuilder.main import BuiltQuery
    from disk_objectstore.backup_utils import BackupManager

MAX_BUILT_QUERIES = 256
"""Statements kept per session: the questions of some ten processes that run at once, at about 20 kB each."""


class ReusingQueryBuilder(SqliteQueryBuilder):
    """Query builder that keeps the statements it built, and reads whole results without a transaction."""

    def get_query(self, data: QueryDictType) -> BuiltQuery:
        """Return the statement of a query, which is built if this session did not build the same one lately.

        The base class keeps the last statement of each instance by the same hash; most instances ask once.
        """
        built: OrderedDict[str, BuiltQuery] = self.get_session().info.setdefault('foundry_built_queries', OrderedDict())
        key = make_hash(data)
        if key in built:
            built.move_to_end(key)
            return built[key]
        built[key] = self._build(data)
        if len(built) > MAX_BUILT_QUERIES:
            built.popitem(last=False)
        return built[key]

    def iterall(self, data: QueryDictType, batch_size: int | None) -> Iterator[list[Any]]:
        """Iterate over the rows of the result.

        The base class opens a transaction, so that a change to a row cannot invalidate the cursor before all rows are
        read. Without batches all rows are read here before the first is handed out, and there is nothing to protect.
        """
        if batch_size is not None:
            yield from super().iterall(data, batch_size)
            return
        with self.query_session(data) as built:
            rows = self.get_session().execute(built.query.statement).all()
        for row in rows:
            yield [self.to_backend(item) for item in row]


class FoundryStorage(SqliteDosStorage):
    """Storage ``core.sqlite_dos`` with a query builder that reuses what it built, and fast checkpoints.

    Files and schema are those of the base class: a profile can be switched between the two by its entry
    ``storage.backend`` in AiiDA's configuration. A process that opens the storage uses libyaml from then on.
    """

    def __init__(self, profile: Profile) -> None:
        super().__init__(profile)
        use_libyaml()

    def query(self) -> ReusingQueryBuilder:
        """Return a query builder of this storage."""
        return ReusingQueryBuilder(self)

    def _backup_storage(self, manager: BackupManager, path: Path, prev_backup: Path | None = None) -> None:
        """Merge the write-ahead log, if the database has one, into the file that the base class copies.

        Raises:
            StorageBackupError: if another process uses the database, so that the log cannot be merged completely.
        """
        busy, _, _ = self.get_session().execute(text('PRAGMA wal_checkpoint(TRUNCATE)')).one()
        if busy:
            raise StorageBackupError('the database is in use: stop the daemon and other AiiDA processes, and try again')
        super()._backup_storage(manager, path, prev_backup)
