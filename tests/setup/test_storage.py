"""The storage of our profiles against that of aiida-core, on the same files and from several connections."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from io import BytesIO
from threading import Thread

import pytest
from aiida import orm
from aiida.common import LinkType
from aiida.common.exceptions import StorageBackupError
from aiida.manage.configuration.profile import Profile
from aiida.plugins import StorageFactory
from aiida.storage.sqlite_dos.backend import SqliteDosStorage

from aiida_foundry.setup.storage import MAX_BUILT_QUERIES, FoundryStorage


def built_queries(storage):
    return storage.get_session().info.get('foundry_built_queries', {})


@pytest.fixture
def profile(tmp_path, aiida_config):
    """A profile with initialised storage in the mode that setup chooses, apart from the profile of the suite."""
    profile = Profile(
        'storage',
        {
            'storage': {'backend': 'foundry.sqlite', 'config': {'filepath': str(tmp_path / 'files')}},
            'process_control': {'backend': None, 'config': None},
        },
    )
    FoundryStorage.initialise(profile)
    with closing(sqlite3.connect(tmp_path / 'files' / 'database.sqlite')) as connection:
        connection.execute('PRAGMA journal_mode = WAL')
    aiida_config.add_profile(profile).store()
    yield profile
    aiida_config.remove_profile(profile.name).store()


@pytest.fixture
def open_storage(profile):
    """Return a function that opens the storage once more; all are closed at the end."""
    opened = []

    def open_(cls=FoundryStorage):
        opened.append(cls(profile))
        return opened[-1]

    yield open_
    for storage in opened:
        storage.close()


@pytest.fixture
def storage(open_storage):
    storage = open_storage()
    orm.User(email='a@b.org', backend=storage).store()
    return storage


def holds_lock(storage):
    return storage.get_session().connection().connection.dbapi_connection.in_transaction


def user_of(storage):
    return orm.QueryBuilder(storage).append(orm.User).first(flat=True)


def make_dict(storage, value):
    return orm.Dict({'value': value}, backend=storage, user=user_of(storage)).store()


def make_calculation(storage, inputs):
    node = orm.CalculationNode(backend=storage, user=user_of(storage))
    for index, data in enumerate(inputs):
        node.base.links.add_incoming(data, LinkType.INPUT_CALC, f'input_{index}')
    return node.store()


def test_entry_point():
    assert StorageFactory('foundry.sqlite') is FoundryStorage


def test_answers_are_those_of_aiida_core(storage, open_storage):
    node = make_calculation(storage, [make_dict(storage, value) for value in range(3)])
    core = open_storage(SqliteDosStorage)

    def answers(backend):
        query = orm.QueryBuilder(backend).append(orm.CalculationNode, tag='calculation')
        query.append(orm.Dict, with_outgoing='calculation', project=['uuid', 'attributes.value'], edge_project='label')
        loaded = orm.QueryBuilder(backend).append(orm.Node, filters={'id': node.pk}).one()[0]
        links = loaded.base.links.get_incoming().all()
        return (
            sorted(query.all()),
            query.count(),
            sorted(map(str, query.dict())),
            sorted((link.link_label, link.node.uuid) for link in links),
        )

    assert answers(storage) == answers(core)
    assert answers(storage) == answers(core)  # from the statements that were kept


def test_statements_are_kept_per_question(storage):
    node = make_calculation(storage, [make_dict(storage, 1)])
    node.base.links.get_outgoing().all()
    number = len(built_queries(storage))
    node.base.links.get_outgoing().all()
    assert len(built_queries(storage)) == number > 0
    node.base.links.get_incoming().all()
    assert len(built_queries(storage)) == number + 1


def test_kept_statements_are_bounded(storage):
    for pk in range(MAX_BUILT_QUERIES + 20):
        orm.QueryBuilder(storage).append(orm.Node, filters={'id': pk}).count()
    assert len(built_queries(storage)) == MAX_BUILT_QUERIES


def test_changes_by_another_connection_are_seen(storage, open_storage):
    """What another process writes is read by a node that is held, by a kept statement, and within a transaction."""
    node = make_dict(storage, 1)
    query = orm.QueryBuilder(storage).append(orm.Dict, project=['*', 'extras.value'])
    node.base.extras.set('value', 1)
    assert query.all() == [[node, 1]]

    other = open_storage()
    twin = orm.QueryBuilder(other).append(orm.Dict).first(flat=True)
    twin.base.extras.set('value', 2)
    assert node.base.extras.get('value') == 2
    assert query.all() == [[node, 2]]

    twin.base.extras.set('other', 3)
    rows = query.all()
    assert rows[0][0].base.extras.all == {'value': 2, 'other': 3} | {
        key: value for key, value in node.base.extras.all.items() if key.startswith('_aiida')
    }
    make_dict(other, 2)
    assert query.count() == len(query.all()) == 2


@pytest.mark.parametrize('batch_size', [None, 1, 100])
def test_rows_can_be_changed_while_iterating(storage, batch_size):
    for value in range(5):
        make_dict(storage, value)
    for (node,) in orm.QueryBuilder(storage).append(orm.Dict).iterall(batch_size=batch_size):
        node.base.extras.set('seen', True)
    assert orm.QueryBuilder(storage).append(orm.Dict, filters={'extras.seen': True}).count() == 5


def test_an_iteration_that_ends_early_holds_no_lock(storage):
    for value in range(3):
        make_dict(storage, value)
    next(iter(orm.QueryBuilder(storage).append(orm.Dict).iterall()))
    next(iter(orm.QueryBuilder(storage).append(orm.Dict, project='id').iterdict()))
    assert not holds_lock(storage)


def test_transactions_of_two_processes_wait_for_each_other(storage, open_storage):
    """A transaction that reads, while another process wants to write, can itself write: core.sqlite_dos fails here."""
    other = open_storage()
    writer = Thread(target=lambda: make_dict(other, 2))
    with storage.transaction():
        assert orm.QueryBuilder(storage).append(orm.Dict).count() == 0
        writer.start()
        writer.join(timeout=0.5)
        make_dict(storage, 1)
    writer.join()
    assert sorted(orm.QueryBuilder(storage).append(orm.Dict, project='attributes.value').all(flat=True)) == [1, 2]


def test_a_failed_transaction_changes_nothing_and_holds_no_lock(storage):
    user = user_of(storage)

    def fail():
        with storage.transaction():
            orm.Dict({'value': 1}, backend=storage, user=user).store()
            with storage.transaction():
                orm.Dict({'value': 2}, backend=storage, user=user).store()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not holds_lock(storage)
    assert orm.QueryBuilder(storage).append(orm.Dict).count() == 0


def test_a_failed_query_leaves_the_session_usable(storage):
    with pytest.raises(Exception, match='not a column'):
        orm.QueryBuilder(storage).append(orm.Dict, filters={'nonsense': 1}).all()
    assert orm.QueryBuilder(storage).append(orm.Dict).count() == 0


def test_objects_are_found_loose_and_packed(storage):
    repository, absent = storage.get_repository(), '0' * 64
    keys = [repository.put_object_from_filelike(BytesIO(content)) for content in (b'first', b'second')]
    assert repository.has_objects([absent, *keys]) == [False, True, True]
    assert [repository.get_object_content(key) for key in keys] == [b'first', b'second']

    repository.maintain(live=False)
    assert storage.get_container().count_objects().loose == 0
    keys.append(repository.put_object_from_filelike(BytesIO(b'third')))
    assert repository.has_objects([*keys, absent]) == [True, True, True, False]
    assert [repository.get_object_content(key) for key in keys] == [b'first', b'second', b'third']
    assert [repository.get_object_hash(key) for key in keys] == keys
    with pytest.raises(FileNotFoundError):
        repository.get_object_content(absent)


needs_rsync = pytest.mark.skipif(shutil.which('rsync') is None, reason='AiiDA copies by rsync')


@needs_rsync
def test_backup_holds_what_is_in_the_log(storage, tmp_path):
    for value in range(3):
        make_dict(storage, value)
    storage.backup(str(tmp_path / 'backup'))
    (copy,) = (tmp_path / 'backup').glob('backup_*/database.sqlite')
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute('SELECT count(*) FROM db_dbnode').fetchone() == (3,)


@needs_rsync
def test_no_backup_of_half_a_log(open_storage, tmp_path, monkeypatch):
    monkeypatch.setattr('aiida_foundry.setup.storage.LOCK_TIMEOUT', 0.5)  # the reader will not end
    storage = open_storage()
    orm.User(email='a@b.org', backend=storage).store()
    make_dict(storage, 1)
    database = storage.filepath_database
    with closing(sqlite3.connect(database, isolation_level=None)) as reader:
        reader.execute('BEGIN')
        reader.execute('SELECT count(*) FROM db_dbnode').fetchone()
        make_dict(storage, 2)
        with pytest.raises(StorageBackupError, match='stop the daemon'):
            storage.backup(str(tmp_path / 'backup'))
