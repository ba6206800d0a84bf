"""Checks of the inputs of a Koopmans calculation, made before anything is submitted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm

from aiida_foundry.common.errors import InputError

DEFAULTS: dict[str, Any] = {
    'head_correction': True,
    'symmetry': True,
    'symmetry_tolerance': 2e-3,
    'tolerance': 1e-4,
    'closure': True,
    'coverage_tolerance_ev': 0.05,
}
"""Values of the parameters that may be left out; `dielectric_constant` belongs to the correction of the head."""

_FILES = {'occupied': ('aiida_u.mat', 'aiida.wout'), 'empty': ('aiida_u.mat', 'aiida.wout')}
_LOWEST = 1.0  # vacuum


def check_parameters(parameters: Mapping[str, Any]) -> None:
    """Check names, types and ranges.

    Raises:
        InputError: unknown parameter, wrong value, or a head correction without dielectric constant.
    """
    for name, value in parameters.items():
        if name != 'dielectric_constant' and name not in DEFAULTS:
            known = ', '.join(['dielectric_constant', *DEFAULTS])
            raise InputError(f'parameters: `{name}`', 'it is not a parameter', f'They are {known}')
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if isinstance(DEFAULTS.get(name), bool) != isinstance(value, bool):
            raise InputError(f'parameters: `{name}`', f'{value!r} is of the wrong type', 'See the documentation')
        if not isinstance(value, bool) and (not number or value <= 0):
            raise InputError(f'parameters: `{name}`', f'{value!r} is not a positive number', 'Give one')
    head = parameters.get('head_correction', DEFAULTS['head_correction'])
    constant = parameters.get('dielectric_constant')
    if head and (constant is None or constant < _LOWEST):
        raise InputError(
            'parameters: `dielectric_constant`',
            f'the correction of the head needs ε∞ of 1 or more, not {constant}',
            'Compute it with ph.x (`epsil`), or set `head_correction` to False to go without',
        )
    if not head and constant is not None:
        raise InputError(
            'parameters: `dielectric_constant`', 'without head correction it has no effect', 'Remove one of the two'
        )


def check_wannier(label: str, folder: orm.FolderData) -> None:
    """Check that a folder holds the files of Wannier90.

    Raises:
        InputError: a file is missing.
    """
    names = folder.base.repository.list_object_names()
    missing = [name for name in _FILES[label] if name not in names]
    if missing:
        raise InputError(f'{label}', f'it has no {", ".join(missing)}', 'Give the files retrieved from Wannier90')


def check_folders(folders: Mapping[str, orm.RemoteData], computer: orm.Computer) -> None:
    """Check that remote folders are where the code runs.

    Raises:
        InputError: another computer, or a folder that was cleaned.
    """
    for label, folder in folders.items():
        if folder.computer.pk != computer.pk:
            raise InputError(label, f'it is on `{folder.computer.label}`', f'Use a code on `{folder.computer.label}`')
        if folder.base.extras.get('cleaned', False):
            raise InputError(label, 'its files were removed', 'Run the ground state again')
