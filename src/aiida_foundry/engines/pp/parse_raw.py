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


class Cube(NamedTuple):
    """Average over planes.

    Attributes:
        values: in the unit of the grid, shape ``(n,)``.
        length: height of the cell in Å.
        energy: energy and broadening in eV of a local density of states; None of all else.
    """

    values: NDArray[np.float64]
    length: float
    energy: tuple[float, float] | None


def parse_cube(text: str) -> Cube:
    """Return the planar average, along the third direction, of a Gaussian cube file of pp.x.

    Raises:
        ValueError, IndexError: the text is no whole cube file, or holds what is no finite number.
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
    if not text.endswith('\n'):
        raise ValueError('the file ends within a number')
    if not np.isfinite(values).all():
        raise ValueError('values that are no numbers')
    normal = np.cross(cell[0], cell[1])
    length = float(abs(cell[2] @ normal) / np.linalg.norm(normal)) * BOHR_TO_ANGSTROM
    if not (np.isfinite(length) and length > 0):
        raise ValueError('its cell has no height')
    energies = parse_energies(lines[1])
    return Cube(planar_average(values.reshape(shape)), length, energies[0] if energies else None)


def _numbers(text: str) -> NDArray[np.float64]:
    try:
        return np.array(text.split(), dtype=float)
    except ValueError:
        # three-digit exponents are written without their letter: 0.1-100
        return np.array(_EXPONENT.sub('E-', text).split(), dtype=float)


def parse_energies(stdout: str) -> list[tuple[float, float]]:
    """Return energy and broadening in eV of each local density of states that pp.x announces, in the order of files."""
    return [(float(energy), float(width)) for energy, width in _ENERGY.findall(stdout)]
