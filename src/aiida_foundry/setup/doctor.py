"""What is there, what each part enables, what is missing and how to get it; nothing is changed.

:func:`diagnose` returns plain data, which ``aiida-foundry doctor --json`` prints. Its keys (``schema`` counts their
changes):

``schema``
    1.
``versions``
    Version by name of ``aiida-foundry``, ``aiida-core`` and ``python``.
``engines``
    List of ``name``, ``kind`` (code, tool or package), ``enables``, ``sources`` (what to install, by kind of source),
    ``note`` (on the installation) and ``executables``: list of ``name``, ``enables``, ``path`` and ``version``. The
    last two are null where it is missing; ``version`` alone is null where it does not start.
``profile``
    ``name``, ``exists``, ``problem`` (null, or why it cannot be read), ``default`` (whether it is AiiDA's default),
    ``daemon`` (running or stopped), ``computers`` and ``codes`` (labels), ``families`` (number of elements by label).
``missing``
    List of ``what``, ``why`` and ``remedy`` for everything without which the main job, the GW gap, cannot run.
"""

from __future__ import annotations

import importlib.util
import platform
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiida_foundry import __version__
from aiida_foundry.common.errors import InputError
from aiida_foundry.setup.engines import ENGINES, REQUIRED, Engine, Executable, programs
from aiida_foundry.setup.probe import local_shell, locate, read_local_versions
from aiida_foundry.setup.profile import PROFILE, read_config
from aiida_foundry.setup.pseudos import FAMILIES

if TYPE_CHECKING:
    from aiida.manage.configuration.config import Config

SCHEMA = 1


def diagnose(profile: str = PROFILE) -> dict[str, Any]:
    """Look at this machine and at a profile.

    Args:
        profile: its name; it need not exist.

    Returns:
        The data that the module's docstring describes.
    """
    engines = _engines()
    state = _profile(profile)
    return {
        'schema': SCHEMA,
        'versions': {
            'aiida-foundry': __version__,
            'aiida-core': metadata.version('aiida-core'),
            'python': platform.python_version(),
        },
        'engines': engines,
        'profile': state,
        'missing': _missing(engines, state),
    }


def _engines() -> list[dict[str, Any]]:
    """Every engine with path and version of its programs."""
    by_program = {executable.name: executable for _, executable in programs()}
    paths = locate(local_shell, by_program)
    versions = read_local_versions({path: by_program[name] for name, path in paths.items()})
    found = {name: (path, versions[path]) for name, path in paths.items()}
    return [_engine(engine, found) for engine in ENGINES]


def _engine(engine: Engine, found: dict[str, tuple[str, str | None]]) -> dict[str, Any]:
    rows = []
    for executable in engine.executables:
        path, version = _package(executable) if engine.kind == 'package' else found.get(executable.name, (None, None))
        rows.append({'name': executable.name, 'enables': executable.enables, 'path': path, 'version': version})
    return {
        'name': engine.name,
        'kind': engine.kind,
        'enables': engine.enables,
        'sources': engine.sources,
        'note': engine.note,
        'executables': rows,
    }


def _package(package: Executable) -> tuple[str | None, str | None]:
    """Folder and version of a Python package, which is not imported: that takes seconds."""
    spec = importlib.util.find_spec(package.name)
    if spec is None or spec.origin is None:
        return None, None
    return str(Path(spec.origin).parent), metadata.version(package.name)


def _profile(name: str) -> dict[str, Any]:
    """State of the profile; a missing or unreadable one is a finding, not an error."""
    from aiida.common.exceptions import AiidaException, MissingConfigurationError

    state: dict[str, Any] = {'name': name, 'exists': False, 'problem': None, 'default': False, 'daemon': 'stopped'}
    state |= {'computers': [], 'codes': [], 'families': {}}
    try:
        config = read_config(create=False)
    except MissingConfigurationError:
        return state
    except InputError as exception:
        return state | {'problem': str(exception)}
    if name not in config.profile_names:
        return state
    state |= {'exists': True, 'default': config.default_profile_name == name}
    try:
        return state | _content(config, name)
    except (AiidaException, OSError) as exception:
        return state | {'problem': str(exception)}


def _content(config: Config, name: str) -> dict[str, Any]:
    """What the profile holds, and whether its daemon runs."""
    from aiida.engine.daemon.client import get_daemon_client
    from aiida.manage.configuration import profile_context
    from aiida.orm import Computer, InstalledCode, QueryBuilder
    from aiida_pseudo.groups.family import PseudoPotentialFamily

    has_broker = config.get_profile(name).process_control_backend is not None
    with profile_context(name, allow_switch=True):
        codes = QueryBuilder().append(InstalledCode).all(flat=True)
        families = QueryBuilder().append(PseudoPotentialFamily).all(flat=True)
        return {
            'daemon': 'running' if has_broker and get_daemon_client(name).is_daemon_running else 'stopped',
            'computers': sorted(QueryBuilder().append(Computer, project='label').all(flat=True)),
            'codes': sorted(code.full_label for code in codes),
            'families': {family.label: family.count() for family in sorted(families, key=lambda family: family.label)},
        }


def _missing(engines: list[dict[str, Any]], state: dict[str, Any]) -> list[dict[str, str]]:
    """What the main job needs and does not find."""
    findings = []
    for name in REQUIRED:
        engine = next(engine for engine in engines if name in {row['name'] for row in engine['executables']})
        row = next(row for row in engine['executables'] if row['name'] == name)
        if row['path'] is None and not any(code.startswith(f'{name}@') for code in state['codes']):
            findings.append(
                {'what': name, 'why': 'not on PATH, and no code of the profile', 'remedy': how_to_get(engine)}
            )
    if state['problem']:
        remedy = 'See the message, or choose another profile'
        findings.append({'what': f'profile {state["name"]}', 'why': state['problem'], 'remedy': remedy})
    elif not state['exists']:
        findings.append({'what': f'profile {state["name"]}', 'why': 'does not exist', 'remedy': 'aiida-foundry setup'})
    else:
        if not any(code.partition('@')[0] in REQUIRED for code in state['codes']):
            findings.append({'what': 'code abinit', 'why': 'not registered', 'remedy': 'aiida-foundry setup'})
        if not any(label in state['families'] for label in FAMILIES):
            findings.append({'what': 'pseudopotentials', 'why': 'no family', 'remedy': 'aiida-foundry setup'})
    return findings


def how_to_get(engine: dict[str, Any]) -> str:
    """How to install an engine, in a line."""
    ways = {
        'apt': '`apt install {}`',
        'conda-forge': '`conda install -c conda-forge {}`',
        'PyPI': '`pip install {}`',
        'release': 'the program at {}',
    }
    lines = ' or '.join(ways[kind].format(name) for kind, name in engine['sources'].items())
    return f'{lines} ({engine["note"]})' if engine['note'] else lines
