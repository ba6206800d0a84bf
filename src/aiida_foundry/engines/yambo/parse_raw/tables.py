"""Yambo's tables (``o-*``): dielectric functions and quasiparticle energies."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
_DIRECTION = re.compile(r'@ Q\(1\)\s*:\s*(\S+)\s+(\S+)\s+(\S+)')


class UnreadableTableError(ValueError):
    """A table is truncated or is not what it should be."""


@dataclass(frozen=True)
class Spectrum:
    """A dielectric function along one direction.

    Attributes:
        direction: (3,) Cartesian unit vector.
        frequencies: (w,) in eV.
        excitonic: (w,) complex, without unit.
        independent: (w,) of independent particles on the energies that entered.
    """

    direction: FloatArray
    frequencies: FloatArray
    excitonic: NDArray[np.complex128]
    independent: NDArray[np.complex128]


def parse_spectrum(text: str) -> Spectrum:
    """Parse ``o-*.eps_q1_*``; that of a run without kernel has the independent particles alone.

    Raises:
        UnreadableTableError: truncated, or another table.
    """
    rows = _rows(text, 3)
    direction = _DIRECTION.search(text)
    if direction is None:
        raise UnreadableTableError('no direction of the field')
    try:
        vector = np.array([float(word) for word in direction.groups()])
    except ValueError as error:
        raise UnreadableTableError(f'direction of the field: {error}') from error
    return Spectrum(
        direction=vector / np.linalg.norm(vector),
        frequencies=rows[:, 0],
        excitonic=rows[:, 2] + 1j * rows[:, 1],
        independent=rows[:, -1] + 1j * rows[:, -2],
    )


def parse_corrections(text: str) -> dict[tuple[int, int], tuple[float, float]]:
    """Parse ``o-*.qp``: k-point and band (from 1) to Kohn-Sham energy from the valence band maximum and correction, eV.

    Raises:
        UnreadableTableError: truncated, or another table.
    """
    rows = _rows(text, 4)
    states = rows[:, :2]
    if not np.isfinite(states).all() or (states != np.rint(states)).any():
        raise UnreadableTableError('k-points or bands are no whole numbers')
    return {(int(row[0]), int(row[1])): (float(row[2]), float(row[3])) for row in rows}


def _rows(text: str, columns: int) -> FloatArray:
    """Return the numbers of a table with at least so many columns."""
    lines = [line.split() for line in text.splitlines() if line.strip() and not line.lstrip().startswith('#')]
    if not lines or any(len(line) != len(lines[0]) for line in lines) or len(lines[0]) < columns:
        raise UnreadableTableError('it is empty or its lines have different lengths')
    try:
        return np.array(lines, dtype=float)
    except ValueError as error:
        raise UnreadableTableError(str(error)) from error
