"""The YAML file in which a user names executables."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import yaml

from aiida_foundry.common.errors import InputError
from aiida_foundry.setup.engines import by_name

KEYS = {'path': str, 'modules': list, 'prepend_text': str, 'with_mpi': bool}


@dataclass(frozen=True)
class Choice:
    """What the user says about an executable.

    Args:
        path: absolute path on the computer, or a name to look up after ``prepend_text`` has run.
        prepend_text: bash lines that run before the executable.
        with_mpi: whether it runs under MPI; ``None``: each calculation says so.
    """

    path: str
    prepend_text: str = ''
    with_mpi: bool | None = None


def read_executables(file: Path) -> dict[str, Choice]:
    """Read a mapping of executables to paths, or to the fields of :class:`Choice` and the modules to load.

    ::

        pw.x: /opt/qe/bin/pw.x
        abinit:
          modules: [abinit/10.2]
          with_mpi: true

    Raises:
        InputError: if the file cannot be read, is not such a mapping, or has an unknown executable or key.
    """
    try:
        content = yaml.safe_load(file.read_text('utf-8'))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exception:
        raise InputError(f'executables `{file}`', f'cannot be read ({exception})', 'Give a YAML file') from exception
    if not isinstance(content, Mapping) or not content:
        raise InputError(f'executables `{file}`', 'is not a mapping of executables to paths', 'E.g. `pw.x: /opt/pw.x`')
    return {_known(file, name): _choice(file, name, entry) for name, entry in content.items()}


def _known(file: Path, name: object) -> str:
    """Refuse an executable that no engine has."""
    if isinstance(name, str) and name in by_name():
        return name
    similar = difflib.get_close_matches(str(name), by_name(), n=1)
    hint = f'Did you mean `{similar[0]}`?' if similar else '`aiida-foundry doctor` lists those that are known'
    raise InputError(f'executables `{file}`', f'`{name}` is not an executable of a known engine', hint)


def _choice(file: Path, name: str, entry: object) -> Choice:
    """One entry: a path, or a mapping."""
    subject = f'executable `{name}` in `{file}`'
    if isinstance(entry, str):
        entry = {'path': entry}
    if not isinstance(entry, Mapping) or not entry:
        raise InputError(subject, 'is neither a path nor a mapping', f'Its keys are {", ".join(KEYS)}')
    for key, value in entry.items():
        if key not in KEYS:
            raise InputError(subject, f'unknown key `{key}`', f'Its keys are {", ".join(KEYS)}')
        if not isinstance(value, KEYS[key]):
            raise InputError(subject, f'`{key}` is not a {KEYS[key].__name__}', 'Correct the file')
    path = entry.get('path', name)
    if not PurePosixPath(path).is_absolute() and '/' in path:
        raise InputError(subject, f'`{path}` is a relative path', 'Give an absolute path, or a name to find on PATH')
    lines = [f'module load {module}' for module in entry.get('modules', [])]
    lines += [entry['prepend_text'].rstrip('\n')] if entry.get('prepend_text') else []
    return Choice(path, '\n'.join(lines), entry.get('with_mpi'))
