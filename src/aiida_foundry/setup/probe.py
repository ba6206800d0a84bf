"""Where executables are and which version they have, on this machine or through the transport of a computer."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from aiida_foundry.common.errors import InputError
from aiida_foundry.setup.engines import Executable

if TYPE_CHECKING:
    from aiida.orm import Computer

Shell = Callable[[str], str]
"""Runs a bash script and returns its standard output."""

VERSION_SECONDS = 20

# Reading a version mostly waits for MPI to start: threads hide that, within reason on a small machine.
LOCAL_THREADS = 8


def local_shell(script: str) -> str:
    """Run a script on this machine; programs installed with this package are found even off PATH, last."""
    path = f'{os.environ.get("PATH", os.defpath)}{os.pathsep}{Path(sys.executable).parent}'
    done = subprocess.run(
        ['bash', '-c', script],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors='replace',
        check=False,
        env={**os.environ, 'PATH': path},
    )
    return done.stdout


@contextmanager
def shell_of(computer: Computer) -> Iterator[Shell]:
    """Shell of a computer: a transport is opened once, unless the computer is this machine.

    Raises:
        InputError: if the computer does not answer.
    """
    if computer.transport_type == 'core.local':
        yield local_shell
        return
    try:
        with computer.get_transport() as transport:
            yield lambda script: str(transport.exec_command_wait(script)[1])
    except InputError:
        raise
    except Exception as exception:  # each transport plugin has errors of its own
        raise InputError(
            f'computer `{computer.label}`',
            f'no connection ({exception!r})',
            f'Check it with `verdi computer test {computer.label}`',
        ) from exception


def locate(shell: Shell, names: Iterable[str], prepend_text: str = '') -> dict[str, str]:
    """Absolute paths of those names that are executables on PATH (or are such paths already).

    Args:
        shell: where to look.
        names: names or absolute paths.
        prepend_text: bash lines that run first, e.g. ``module load``.
    """
    words = ' '.join(shlex.quote(name) for name in names)
    found = 'path=$(command -v "$name") && [ -x "$path" ] && printf "@%s@%s\\n" "$name" "$path"'
    lookup = f'for name in {words}; do {found}; done'
    lines = shell(f'{prepend_text}\n{lookup}').splitlines()
    pairs = (line[1:].split('@', 1) for line in lines if line.startswith('@'))
    return {name: path for name, path in pairs if path.startswith('/')}


def read_version(shell: Shell, executable: Executable, path: str, prepend_text: str = '') -> str | None:
    """Version that a program prints, in an empty folder and with empty input; ``None`` if it prints none.

    It prints into a file: helpers that MPI leaves behind for a moment would hold a connection's output open, at which
    AiiDA's transport over SSH gives up.
    """
    run = f'timeout {VERSION_SECONDS} {shlex.quote(path)} {executable.version or ""} < /dev/null > output 2>&1'
    script = f'folder=$(mktemp -d) && cd "$folder" && {{ {run}; echo "$(< output)"; cd /; rm -rf "$folder"; }}'
    match = re.search(executable.pattern, shell(f'{prepend_text}\n{script}'))
    return match[1] if match else None


def read_local_versions(programs: Mapping[str, Executable]) -> dict[str, str | None]:
    """Versions of programs of this machine by path, several at a time.

    Args:
        programs: program by path.
    """
    with ThreadPoolExecutor(LOCAL_THREADS) as pool:
        versions = pool.map(lambda item: read_version(local_shell, item[1], item[0]), programs.items())
        return dict(zip(programs, versions, strict=True))
