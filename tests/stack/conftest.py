"""The services, a user of them, and the page ``howto/cluster.md`` as that user's first day.

Not part of the default run: `make test-stack` installs the packages and names this folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from markdown_it import MarkdownIt

from .services import Stack, running_stack

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / 'docs/source/howto/cluster.md'

#: Counts what it submits, in the work folder of the job; on demand it kills in the moment before it answers.
SBATCH = """\
#!/bin/bash
answer=$(/usr/bin/sbatch "$@") || exit
echo submitted >> ledger
if [ -e {kill} ]; then kill -9 $(cat {kill}); rm {kill}; sleep 5; fi
echo "$answer"
"""


def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.stack)


class User:
    """Somebody who works with the stack: commands in a folder of his own.

    Args:
        stack: the services.
        folder: where commands run.
    """

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack, self.folder = stack, folder
        path = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
        self.environment = os.environ | stack.environment | {'PATH': path}
        self.kill_file = stack.folder / 'kill'

    def run(self, *command: str, seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a command; its output is shown when the test fails."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        print(' '.join(command)[:200], done.stdout[-5000:], done.stderr[-5000:], sep='\n')
        return done

    def python(self, code: str, *arguments: str) -> Any:
        """Run Python with the profile of the page, and return what its last line prints as JSON."""
        header = 'import json, sys\nfrom aiida import load_profile, orm\nload_profile("cluster")\n'
        done = self.run(sys.executable, '-c', header + code, *arguments)
        assert done.returncode == 0
        return json.loads(done.stdout.splitlines()[-1])

    def workers(self) -> list[psutil.Process]:
        """Return the workers of the daemon."""
        supervisor = self.supervisor()
        return [process for process in supervisor.children(recursive=True) if 'worker' in ' '.join(process.cmdline())]

    def supervisor(self) -> psutil.Process:
        """Return the daemon itself."""
        return psutil.Process(int(next(Path(self.environment['AIIDA_PATH']).glob('.aiida/daemon/*.pid')).read_text()))


def wait_until(condition: Callable[[], Any], seconds: float = 120) -> Any:
    """Wait for a condition, and return what it returned."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f'{condition} did not come true'
        time.sleep(0.2)
    return value


@pytest.fixture(scope='session')
def stack() -> Iterator[Stack]:
    with running_stack() as stack:
        wrapper = stack.folder / 'bin' / 'sbatch'
        wrapper.write_text(SBATCH.format(kill=stack.folder / 'kill'))
        wrapper.chmod(0o755)
        yield stack


@pytest.fixture(scope='session')
def user(stack, tmp_path_factory) -> User:
    folder = tmp_path_factory.mktemp('user')
    (folder / 'examples').symlink_to(ROOT / 'examples')
    return User(stack, folder)


@pytest.fixture(scope='session')
def document(user) -> Iterator[subprocess.CompletedProcess[str]]:
    """Return how the page ran, with the values of this cluster."""
    text = DOCUMENT.read_text(encoding='utf-8')
    ports, folder = user.stack.ports, user.stack.folder
    for theirs, ours in {
        'secret': user.stack.password,
        'database_port: 5432': f'database_port: {ports["postgres"]}',
        '--broker-port 5672': f'--broker-port {ports["rabbitmq"]}',
        '/scratch/{username}/aiida': str(folder / 'work'),
        'mpiprocs_per_machine: 64': 'mpiprocs_per_machine: 1',
        '--safe-interval 5': '--safe-interval 0',
    }.items():
        assert theirs in text
        text = text.replace(theirs, ours)
    script = '\n'.join(token.content for token in MarkdownIt().parse(text) if token.info.strip() == 'bash')
    yield user.run('bash', '-euxo', 'pipefail', '-c', script, seconds=600)
    if list(Path(user.environment['AIIDA_PATH']).glob('.aiida/daemon/*.pid')):
        user.run('verdi', '-p', 'cluster', 'daemon', 'stop')


@pytest.fixture
def daemon(user, document) -> Iterator[None]:
    """Let the daemon run with one worker."""
    assert user.run('verdi', '-p', 'cluster', 'daemon', 'start', '1').returncode == 0
    yield
    user.run('verdi', '-p', 'cluster', 'daemon', 'stop')
