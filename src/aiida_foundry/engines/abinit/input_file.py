"""Text of the input file: variables from the structure, the k-points and the user's parameters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from aiida import orm
from aiida.common.constants import elements

from aiida_foundry.common.units import BOHR_TO_ANGSTROM

_ATOMIC_NUMBERS = {data['symbol']: number for number, data in elements.items()}
# A number, a repetition (`*1`, `3*0.5`), several of these, or a number with a unit (`20 Ry`): written without quotes.
_RAW_VALUE = re.compile(r'^([\d.+\-*/eEdD]+\s*)+([A-Za-z]+)?$')


def _format_scalar(value: Any) -> str:
    """Return a number with all its digits, or a string in quotes unless ABINIT reads it as numbers."""
    if isinstance(value, bool):
        return '1' if value else '0'
    if isinstance(value, str):
        return value if _RAW_VALUE.match(value) else f'"{value}"'
    return repr(value.item() if isinstance(value, np.generic) else value)


def format_variable(name: str, value: Any) -> str:
    """Return one variable as it stands in the input file; nested sequences become one line per row."""
    if not isinstance(value, (Sequence, np.ndarray)) or isinstance(value, str):
        return f'{name} {_format_scalar(value)}'
    rows = [row if isinstance(row, (Sequence, np.ndarray)) and not isinstance(row, str) else [row] for row in value]
    if all(len(row) == 1 for row in rows):
        rows = [[entry for row in rows for entry in row]]
    lines = [' '.join(_format_scalar(entry) for entry in row) for row in rows]
    if len(lines) == 1:
        return f'{name} {lines[0]}'
    return '\n'.join([name, *(f'  {line}' for line in lines)])


def structure_variables(structure: orm.StructureData) -> dict[str, Any]:
    """Return the variables of cell and atoms: one type per kind, lengths in bohr, positions reduced.

    All digits are kept, so that ABINIT (``tolsym`` 1e-5) finds the full symmetry; reduced positions lose only the
    rounding errors of the change of coordinates.
    """
    kinds = structure.get_kind_names()
    symbols = {kind.name: kind.symbol for kind in structure.kinds}
    cell = np.array(structure.cell)
    positions = np.linalg.solve(cell.T, np.array([site.position for site in structure.sites]).T).T
    return {
        'natom': len(structure.sites),
        'ntypat': len(kinds),
        'znucl': [_ATOMIC_NUMBERS[symbols[kind]] for kind in kinds],
        'typat': [kinds.index(site.kind_name) + 1 for site in structure.sites],
        'acell': [1.0, 1.0, 1.0],
        'rprim': (cell / BOHR_TO_ANGSTROM).tolist(),
        'xred': (np.round(positions, 13) + 0.0).tolist(),
    }


def kpoints_variables(kpoints: orm.KpointsData) -> dict[str, Any]:
    """Return the variables of a mesh (reduced by all symmetries unless ``kptopt`` says otherwise) or of a list.

    Weights are written when the list has them; ABINIT normalises them.
    """
    if 'mesh' in kpoints.base.attributes.all:
        mesh, offset = kpoints.get_kpoints_mesh()
        return {'kptopt': 1, 'ngkpt': mesh, 'nshiftk': 1, 'shiftk': [offset]}
    points = kpoints.get_kpoints()
    variables: dict[str, Any] = {'kptopt': 0, 'nkpt': len(points), 'kpt': points.tolist()}
    if 'weights' in kpoints.get_arraynames():
        variables['wtk'] = kpoints.get_kpoints(also_weights=True)[1].tolist()
    return variables


def render(variables: dict[str, Any]) -> str:
    """Return the text of the input file, one variable per paragraph, in the given order."""
    return '\n'.join(format_variable(name, value) for name, value in variables.items()) + '\n'
