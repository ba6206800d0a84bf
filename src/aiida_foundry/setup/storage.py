"""SQLite storage of the profiles that setup makes: the files of ``core.sqlite_dos``, fit for several workers at once.

An AiiDA process asks at each of its steps for the links of a few nodes. The storage of aiida-core builds a new
SQLAlchemy statement for each question (aliases of the tables, with all their columns) and wraps each answer in a
transaction, whose end makes SQLAlchemy forget, and then read again, every row that it holds. Its transactions start as
readers: SQLite refuses to let them write, at once and as ``database is locked``, if another process wrote meanwhile.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from aiida.common.exceptions import StorageBackupError
from aiida.common.hashing import make_hash
from aiida.repository.backend import DiskObjectStoreRepositoryBackend
from aiida.storage.sqlite_dos.backend import SqliteDosStorage
from aiida.storage.sqlite_zip.orm import SqliteQueryBuilder
from aiida.storage.sqlite_zip.utils import create_sqla_engine
from sqlalchemy import text
from sqlalchemy.orm import scoped_session, sessionmaker

from aiida_foundry.setup.checkpoints import use_libyaml

if TYPE_CHECKING:
    from aiida.manage.configuration.profile import Profile
    from aiida.orm.implementation.querybuilder import QueryDictType
    from aiida.storage.psql_dos.orm.querybuilder.main import BuiltQuery
    from disk_objectstore.backup_utils import BackupManager
    from sqlalchemy.orm import Session

MAX_BUILT_QUERIES = 256
"""Statements kept per session, at most 40 MB: two or three questions of each of some hundred processes are repeated."""

LOCK_TIMEOUT = 60.0
"""Seconds to wait for another process that writes. Python waits 5 s, which a loaded machine exceeds."""

BUILT, READING = 'foundry_built_queries', 'foundry_reading'  # entries of `Session.info`


class ReusingQueryBuilder(SqliteQueryBuilder):
    """Query builder that keeps the statements it built, and hands out rows after all are read.

    The base class hands rows out within a transaction, so that a change to one cannot invalidate the cursor. An
    iteration that ends early, as AiiDA's search for a node to take from the cache does, then leaves it open.
    """

    def get_query(self, data: QueryDictType) -> BuiltQuery:
        """Return the statement of a query, which is built if this session did not build the same one lately.

        The base class keeps the last statement of each instance by the same hash; most instances ask once.
        """
        built: OrderedDict[str, BuiltQuery] = self.get_session().info.setdefault(BUILT, OrderedDict())
        key = make_hash(data)
        if key in built:
            built.move_to_end(key)
            return built[key]
        built[key] = self._build(data)
        if len(built) > MAX_BUILT_QUERIES:
            built.popitem(last=False)
        return built[key]

    def iterall(self, data: QueryDictType, batch_size: int | None) -> Iterator[list[Any]]:
        """Iterate over the rows of the result; all are read before the first, whatever the size of the batches."""
        del batch_size
        with self.query_session(data) as built:
            rows = self.get_session().execute(built.query.statement).all()
        for row in rows:
            yield [self.to_backend(item) for item in row]

    def iterdict(self, data: QueryDictType, batch_size: int | None) -> Iterator[dict[str, dict[str, Any]]]:
        """Iterate over the rows of the result as dictionaries; all are read before the first."""
        info = self.get_session().info
        info[READING] = True
        try:
            rows = list(super().iterdict(data, batch_size))
        finally:
            del info[READING]
        yield from rows


class LooseFirstRepository(DiskObjectStoreRepositoryBackend):
    """File repository that looks for an object where new ones lie before it opens the index of the packed ones.

    The base class opens that SQLite index at every look, some sixty times per calculation; until maintenance packs
    them, all objects of a running process are loose files. One packed between the two looks is found by the second.
    """

    def has_objects(self, keys: list[str]) -> list[bool]:
        """Return for each key whether the repository has its object."""
        loose = [self._loose(key).is_file() for key in keys]
        packed = [key for key, found in zip(keys, loose, strict=True) if not found]
        in_packs = dict(zip(packed, super().has_objects(packed), strict=True)) if packed else {}
        return [found or in_packs[key] for key, found in zip(keys, loose, strict=True)]

    @contextmanager
    def open(self, key: str) -> Iterator[BinaryIO]:
        """Open an object for reading.

        Raises:
            FileNotFoundError: if there is none with this key.
        """
        try:
            handle: AbstractContextManager[BinaryIO] = self._loose(key).open('rb')
        except FileNotFoundError:
            handle = super().open(key)
        with handle as stream:
            yield stream

    def _loose(self, key: str) -> Path:
        path: Path = self._container._get_loose_path_from_hashkey(key)
        return path


class FoundryStorage(SqliteDosStorage):
    """Storage ``core.sqlite_dos`` whose processes wait for each other, and do less per query and per checkpoint.

    Files and schema are those of the base class: a profile can be switched between the two by its entry
    ``storage.backend`` in AiiDA's configuration. A process that opens the storage uses libyaml from then on.
    """

    def __init__(self, profile: Profile) -> None:
        super().__init__(profile)
        use_libyaml()

    def _initialise_session(self) -> None:
        """Connect as the base class does, with a longer wait for locks."""
        engine = create_sqla_engine(self.filepath_database, connect_args={'timeout': LOCK_TIMEOUT})
        self._session_factory = scoped_session(sessionmaker(bind=engine, future=True, expire_on_commit=True))

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Open a transaction that may write, or one within another.

        The outermost waits for its turn to write when it starts: what it reads cannot be out of date when it writes.
        An inner one leaves it to the outermost to commit (in the base class it commits both).
        """
        session = self.get_session()
        if session.in_nested_transaction() or READING in session.info:
            inner = session.begin_nested() if session.in_nested_transaction() else super().transaction()
            with inner:
                yield session
            return
        connection = session.connection()
        if not connection.connection.dbapi_connection.in_transaction:
            connection.exec_driver_sql('BEGIN IMMEDIATE')
        try:
            with super().transaction():
                yield session
        except BaseException:
            session.rollback()
            raise

    def get_repository(self) -> LooseFirstRepository:
        """Return the file repository of this storage."""
        return LooseFirstRepository(container=self.get_container())

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
