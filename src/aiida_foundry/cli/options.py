"""Options that several commands share."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml

from aiida_foundry.common.errors import InputError

if TYPE_CHECKING:
    from aiida.orm import ProcessNode

PROFILE = click.option(
    '-p',
    '--profile',
    envvar='AIIDA_FOUNDRY_PROFILE',
    metavar='NAME',
    help='AiiDA profile. [default: `foundry` if it exists, else the default of AiiDA]',
)
JSON = click.option('--json', 'as_json', is_flag=True, help='Write JSON to standard output.')
STRUCTURE = click.option(
    '-s',
    '--structure',
    required=True,
    metavar='SPEC',
    help='CIF, POSCAR or extended xyz file; PK or UUID of a node; or a name such as Si, GaAs, MgO, diamond.',
)
CELL = click.option(
    '--cell',
    type=click.Choice(['primitive', 'as-given']),
    default='primitive',
    show_default=True,
    help='What to make of a file: its standardised primitive cell, exactly symmetric; or the cell as written.',
)
PROTOCOL = click.option(
    '--protocol', metavar='NAME', help='fast, balanced or stringent. [default: the one of the workflow]'
)
OVERRIDES = click.option(
    '--set',
    'assignments',
    multiple=True,
    metavar='KEY=VALUE',
    help='Replace a value of the protocol: a dotted path and a YAML value. Repeatable.',
)
FAMILY = click.option('--family', metavar='LABEL', help='Pseudopotential family. [default: the one of the protocol]')
DAEMON = click.option(
    '--daemon/--blocking',
    default=False,
    help='Submit to the daemon and return, or run here and show progress. [default: --blocking]',
)
DRY_RUN = click.option('--dry-run', is_flag=True, help='Print what would run and its cost; store and run nothing.')
RERUN = click.option('--rerun', is_flag=True, help='Run although the same job has a result.')

_NUMBER = re.compile(r'[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?')


def require_format(path: Path, formats: Sequence[str]) -> None:
    """Refuse the name of an image whose suffix is not one of ``formats``.

    Raises:
        InputError: names the formats.
    """
    if path.suffix.lower() not in formats:
        raise InputError(f'output `{path}`', 'its suffix tells no known format', f'Use one of {", ".join(formats)}')


def area_of(node: ProcessNode) -> str:
    """Return the area of a workflow of ours: ``gw`` for ``foundry.gw.gap``; the empty string for any other process."""
    _, _, entry_point = (node.process_type or '').partition(':')
    return entry_point.split('.')[1] if entry_point.startswith('foundry.') else ''


def function_of(reference: str) -> Callable[..., Any]:
    """Import the function that ``module:function`` means, a module of this package."""
    module, _, function = reference.partition(':')
    found: Callable[..., Any] = getattr(importlib.import_module(f'aiida_foundry.cli.{module}'), function)
    return found


def parse_overrides(assignments: Sequence[str]) -> dict[str, Any]:
    """Turn ``['a.b=1', 'a.c=x']`` into ``{'a': {'b': 1, 'c': 'x'}}``.

    Args:
        assignments: dotted paths and YAML values.

    Raises:
        InputError: if one has no ``=``, is no YAML, or contradicts another.
    """
    overrides: dict[str, Any] = {}
    for assignment in assignments:
        path, separator, text = assignment.partition('=')
        keys = path.strip().split('.')
        if not separator or not all(keys):
            raise InputError(f'--set {assignment}', 'it is not KEY=VALUE', 'Write e.g. --set parameters.bands=60')
        _insert(overrides, keys, _parse_value(text, assignment), assignment)
    return overrides


def _parse_value(text: str, assignment: str) -> Any:
    if _NUMBER.fullmatch(text.strip()) and not text.strip().lstrip('+-').isdigit():
        return float(text)  # YAML 1.1 takes 1e-6 for a string
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as exception:
        raise InputError(f'--set {assignment}', f'its value is not YAML ({exception})', 'Quote the value') from None


def _insert(overrides: dict[str, Any], keys: list[str], value: Any, assignment: str) -> None:
    *parents, last = keys
    group: Any = overrides
    for key in parents:
        group = group.setdefault(key, {}) if isinstance(group, dict) else None
    if not isinstance(group, dict) or last in group:
        raise InputError(f'--set {assignment}', 'another --set gives the same key', 'Keep one of them')
    group[last] = value
