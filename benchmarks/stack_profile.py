"""A profile with PostgreSQL and RabbitMQ, as docs/source/howto/cluster.md makes it, on services of its own.

They are those of ``tests/stack`` (``scripts/test-stack`` installs them), listen on the loopback interface, and end with
the context.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from overhead import environment

sys.path.append(str(Path(__file__).parents[1] / 'tests' / 'stack'))
from services import LOOPBACK, running_stack

PROFILE = 'cluster'


@contextmanager
def stack_environment() -> Iterator[Mapping[str, str]]:
    """Return the variables that lead to the profile `PROFILE`; the services run while the context lasts."""
    with running_stack() as stack:
        home = stack.folder / 'home'
        variables = environment(home) | stack.environment
        roles = f"CREATE ROLE aiida LOGIN PASSWORD '{stack.password}';\nCREATE DATABASE aiida OWNER aiida;\n"
        run('psql', '--quiet', '--dbname', 'postgres', variables=variables, text=roles)
        values = {
            'profile': PROFILE,
            'email': 'benchmark@localhost',
            'first_name': 'A',
            'last_name': 'B',
            'institution': 'C',
            'database_hostname': LOOPBACK,
            'database_port': stack.ports['postgres'],
            'database_username': 'aiida',
            'database_password': stack.password,
            'database_name': 'aiida',
            'repository_uri': f'file://{home}/repository',
            'broker': 'core.rabbitmq',
            'set_as_default': 'true',
        }
        settings = stack.folder / 'profile.yaml'
        settings.write_text(''.join(f'{key}: {value}\n' for key, value in values.items()))
        settings.chmod(0o600)
        verdi = [sys.executable, '-W', 'ignore', '-m', 'aiida']
        profile = ['profile', 'setup', 'core.psql_dos', '--non-interactive', '--config', str(settings)]
        run(*verdi, *profile, variables=variables)
        broker = ['profile', 'configure-broker', 'core.rabbitmq', PROFILE, '--force', '--broker-protocol', 'amqp']
        broker += ['--broker-host', LOOPBACK, '--broker-port', str(stack.ports['rabbitmq'])]
        broker += ['--broker-username', 'aiida', '--broker-virtual-host', '']
        run(*verdi, *broker, variables=variables, text=stack.password)
        run(*verdi, 'config', 'set', 'warnings.rabbitmq_version', 'False', variables=variables)
        yield variables


def run(*command: str, variables: Mapping[str, str], text: str = '') -> None:
    """Run a command with an input; show what it wrote if it fails."""
    done = subprocess.run(command, env=variables, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f'{command[:4]} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}')
