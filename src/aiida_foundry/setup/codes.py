"""Codes: an AiiDA node for every executable that is there, with its version.

A code node is immutable. When path, version or set-up of an executable change, a new node takes the label, so that
``pw@localhost`` is always the present one, and the old node stays, with its version in its label, for the calculations
that it ran. The version is a comment in the prepended text: there it is part of the hash that caching compares, so that
results of an executable that was replaced in place are not taken for results of its successor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from aiida_foundry.common.errors import InputError
from aiida_foundry.setup.engines import Executable, by_name
from aiida_foundry.setup.executables import Choice
from aiida_foundry.setup.probe import Shell, local_shell, locate, read_local_versions, read_version, shell_of
from aiida_foundry.setup.reporting import Report, silent

if TYPE_CHECKING:
    from aiida.orm import Computer, InstalledCode

EXTRA = 'foundry_executable'
"""Extra of the codes that are ours: a dictionary with ``name`` and ``version``."""


def ensure_codes(
    computer: Computer, choices: Mapping[str, Choice] | None = None, report: Report = silent
) -> dict[str, InstalledCode]:
    """Find or register a code for each executable of the engines that the computer has.

    Args:
        computer: where they run.
        choices: executables that the user names; the others are looked for on PATH.
        report: is told what was done.

    Returns:
        Codes by label.

    Raises:
        InputError: if the computer does not answer or an executable that the user names is not there.
    """
    known, choices = by_name(), choices or {}
    with shell_of(computer) as shell:
        paths = locate(shell, [name for name in known if name not in choices])
        paths |= {name: _located(shell, computer, name, choice) for name, choice in choices.items()}
        versions = _versions(shell, paths, choices)
    codes = {}
    for name, path in paths.items():
        choice = replace(choices.get(name, Choice(path)), path=path)
        codes[known[name].label] = _ensure_code(computer, known[name], choice, versions[name], report)
    missing = [name for name in known if name not in paths]
    if missing:
        report('note', f'not found: {", ".join(missing)} (`aiida-foundry doctor` says how to get them)')
    return codes


def _located(shell: Shell, computer: Computer, name: str, choice: Choice) -> str:
    """Path of an executable that the user names.

    Raises:
        InputError: if it is not there.
    """
    paths = locate(shell, [choice.path], choice.prepend_text)
    if choice.path not in paths:
        reason = f'`{choice.path}` is not an executable of computer `{computer.label}`'
        raise InputError(f'executable `{name}`', reason, 'Correct its path, modules or prepend_text')
    return paths[choice.path]


def _versions(shell: Shell, paths: Mapping[str, str], choices: Mapping[str, Choice]) -> dict[str, str | None]:
    """Version of each executable: several at once on this machine, one by one elsewhere (a login node is shared)."""
    known = by_name()
    plain = {name: path for name, path in paths.items() if shell is local_shell and name not in choices}
    by_path = read_local_versions({path: known[name] for name, path in plain.items()})
    versions = {name: by_path[path] for name, path in plain.items()}
    for name in paths.keys() - plain.keys():
        prepend_text = choices[name].prepend_text if name in choices else ''
        versions[name] = read_version(shell, known[name], paths[name], prepend_text)
    return versions


def _ensure_code(
    computer: Computer, executable: Executable, choice: Choice, version: str | None, report: Report
) -> InstalledCode:
    """The code of an executable: the one with its label if nothing changed or the user made it, else a new one."""
    from aiida.orm import InstalledCode, QueryBuilder

    attributes = {
        'filepath_executable': choice.path,
        'default_calc_job_plugin': executable.plugin,
        'prepend_text': '\n'.join(line for line in (f'# {executable.name} {version}', choice.prepend_text) if line),
        'with_mpi': choice.with_mpi,
    }
    query = QueryBuilder().append(type(computer), filters={'id': computer.pk}, tag='computer')
    query.append(InstalledCode, filters={'label': executable.label}, with_computer='computer')
    old = query.order_by({InstalledCode: {'id': 'desc'}}).first(flat=True)
    full_label = f'{executable.label}@{computer.label}'
    if old is not None and EXTRA not in old.base.extras.all:
        report('kept', f'code `{full_label}`, not made by setup ({old.filepath_executable})')
        return old
    if old is not None and all(str(getattr(old, key)) == str(value) for key, value in attributes.items()):
        report('kept', f'code `{full_label}` {version}')
        return old
    if old is not None:
        old.label = _retired_label(old)
        report('changed', f'code `{full_label}` was replaced; the old one is now `{old.full_label}`')
    description = f'{executable.name} {version or "of unknown version"}: {executable.enables}'
    code = InstalledCode(computer, label=executable.label, description=description, **attributes).store()
    code.base.extras.set(EXTRA, {'name': executable.name, 'version': version})
    report('created', f'code `{full_label}` {version or "(version not readable)"} ({choice.path})')
    return code


def _retired_label(code: InstalledCode) -> str:
    """Label for a code that another replaces: with its version, and its PK, which makes it unique."""
    version = code.base.extras.get(EXTRA)['version'] or 'unknown'
    return f'{code.label}-{version}-{code.pk}'
