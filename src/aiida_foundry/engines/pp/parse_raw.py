"""Text of pp.x in, arrays out; no aiida."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aiida_foundry.analysis.planar import planar_average
from aiida_foundry.common.units import BOHR_TO_ANGSTROM

_ENERGY = re.compile(r'Energy =\s*([-\d.]+) eV, broadening =\s*([-\d.]+)\s*eV')

_EXPONENT = re.compile(r'(?<=\d)-(?=\d{3}\b)')


class Profile(NamedTuple):
    """Average over planes: values (n,) in the unit of the grid, and the height of the cell in Å."""

    values: NDArray[np.float64]
    length: float


def parse_cube(text: str) -> Profile:
    """Return the planar average, along the third direction, of a Gaussian cube file of pp.x.

    Raises:
        ValueError: the text is no whole cube file, or holds what is no finite number.
    """
    lines = text.split('\n', 6)
    if len(lines) < 7:
        raise ValueError('the file ends within its header')
    atoms = int(lines[2].split()[0])
    rows = [line.split() for line in lines[3:6]]
    shape = tuple(int(row[0]) for row in rows)
    cell = np.array([[float(value) for value in row[1:4]] for row in rows]) * np.array(shape)[:, None]
    body = lines[6].split('\n', atoms)[-1]
    values = _numbers(body)
    if values.size != np.prod(shape):
        raise ValueError(f'{values.size} values where the header announces {np.prod(shape)}')
    if not np.isfinite(values).all():
        raise ValueError('values that are no numbers')
    normal = np.cross(cell[0], cell[1])
    length = float(abs(cell[2] @ normal) / np.linalg.norm(normal)) * BOHR_TO_ANGSTROM
    return Profile(planar_average(values.reshape(shape)), length)


def _numbers(text: str) -> NDArray[np.float64]:
    try:
        return np.array(text.split(), dtype=float)
    except ValueError:
        # three-digit exponents are written without their letter: 0.1-100
        return np.array(_EXPONENT.sub('E-', text).split(), dtype=float)


def parse_energies(stdout: str) -> list[tuple[float, float]]:
    """Return energy and broadening in eV of each local density of states that pp.x announces, in the order of files."""
    return [(float(energy), float(width)) for energy, width in _ENERGY.findall(stdout)]
