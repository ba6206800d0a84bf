"""Records are found in PostgreSQL as they are in SQLite."""

from __future__ import annotations

import json
import sys

import yaml

from .conftest import ROOT

PROFILE = {
    'profile': 'query',
    'email': 'you@example.org',
    'first_name': 'Your',
    'last_name': 'Name',
    'institution': 'Institute',
    'database_hostname': '127.0.0.1',
    'database_username': 'postgres',
    'database_name': 'query',
    'broker': 'none',
    'set_as_default': False,
}


def test_every_record_is_found_and_exported(user):
    user.run('psql', '--quiet', '--dbname', 'postgres', '--command', 'CREATE DATABASE query TEMPLATE template0')
    home = user.environment['HOME']
    values = {'database_port': user.stack.ports['postgres'], 'database_password': user.stack.password}
    values |= PROFILE | {'repository_uri': f'file://{home}/.aiida/repository/query'}
    (user.folder / 'query.yaml').write_text(yaml.safe_dump(values))
    setup = ('verdi', 'profile', 'setup', 'core.psql_dos', '--non-interactive', '--config', 'query.yaml')
    assert user.run(*setup).returncode == 0
    benchmark = (sys.executable, str(ROOT / 'benchmarks/query.py'), '--number', '40', '--profile', 'query', '--task')
    assert user.run(*benchmark, 'fill').returncode == 0
    for task in ('query, all', 'export'):
        done = user.run(*benchmark, task)
        assert json.loads(done.stdout.splitlines()[-1])['rows'] == 40
