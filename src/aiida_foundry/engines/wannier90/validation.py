"""Checks of the inputs of a Wannier90 calculation, made before anything is submitted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm

from aiida_foundry.common.errors import InputError

OWNED = {
    'mp_grid': 'kpoints',
    'kpoints': 'kpoints',
    'unit_cell_cart': 'structure',
    'atoms_frac': 'structure',
    'atoms_cart': 'structure',
    'projections': 'projections',
    'kpoint_path': 'path',
    'bands_plot': 'path',
    'postproc_setup': 'settings',
}
"""Keywords that other inputs determine."""

_COUNTS = ('num_wann', 'num_bands', 'num_iter', 'dis_num_iter', 'conv_window', 'dis_conv_window')


def check_parameters(parameters: Mapping[str, Any]) -> None:
    """Check names and values of the keywords.

    Raises:
        InputError: owned or missing keyword, impossible number of bands, functions or iterations, or empty windows.
    """
    for name, value in parameters.items():
        subject = f'parameters: keyword `{name}`'
        if name != name.lower():
            raise InputError(subject, 'it is not in lower case', f'Write `{name.lower()}`')
        if name in OWNED:
            raise InputError(subject, f'it is set by the input `{OWNED[name]}`', 'Remove it from the parameters')
        if name in _COUNTS and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            raise InputError(subject, f'{value!r} is not a number of anything', 'Give a non-negative integer')
    functions = parameters.get('num_wann', 0)
    if functions < 1:
        raise InputError('parameters', '`num_wann`, the number of functions, is missing', 'Set it to 1 or more')
    bands = parameters.get('num_bands', functions)
    if bands < functions:
        raise InputError(
            'parameters: keyword `num_bands`',
            f'{bands} bands cannot make {functions} functions',
            'Give at least as many bands as functions',
        )
    _check_windows(parameters)


def _check_windows(parameters: Mapping[str, Any]) -> None:
    for name in ('dis_win', 'dis_froz'):
        low, high = parameters.get(f'{name}_min'), parameters.get(f'{name}_max')
        if low is not None and high is not None and low >= high:
            raise InputError(
                f'parameters: keyword `{name}_max`', f'it is not above `{name}_min` ({low})', 'Widen the window'
            )


def check_mesh(kpoints: orm.KpointsData) -> None:
    """Check that the k-points are a mesh through Γ.

    Raises:
        InputError: a list, or a mesh with an offset.
    """
    if 'mesh' not in kpoints.base.attributes.all:
        raise InputError('kpoints', 'they are a list', 'Give the mesh itself; its points are written in order')
    if any(kpoints.base.attributes.get('offset', [0, 0, 0])):
        raise InputError('kpoints', 'the mesh is shifted from Γ', 'Give it no offset')


def check_path(path: orm.KpointsData) -> None:
    """Check that the path has labels at its corners.

    Raises:
        InputError: no list, or fewer than two labels.
    """
    if 'kpoints' not in path.get_arraynames() or len(path.labels or []) < 2:
        raise InputError('path', 'it is no list of k-points with labels at its corners', 'Set points and labels')
