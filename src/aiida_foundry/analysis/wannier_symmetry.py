"""Wannier functions that the symmetry of the crystal makes equivalent must have equal spreads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import spglib
from numpy.typing import ArrayLike, NDArray

from aiida_foundry.analysis.crystal import Cell

VERSION = 1


@dataclass(frozen=True)
class SpreadSymmetry:
    """How far spreads follow the symmetry.

    Attributes:
        largest_difference: largest difference in Å² between the spreads at two sites that a symmetry maps onto each
            other.
        functions: the two functions, from 0, that differ most; None where nothing differs.
        unmatched: functions whose images under some symmetry are at no centre: the functions break the symmetry, as
            hybrids on one atom may; their spreads cannot be compared.
    """

    largest_difference: float
    functions: tuple[int, int] | None
    unmatched: tuple[int, ...]


def spread_symmetry(cell: Cell, centres: ArrayLike, spreads: ArrayLike, tolerance: float = 0.05) -> SpreadSymmetry:
    """Compare the spreads of functions at centres that the space group maps onto each other.

    Functions that share a centre are compared in the order of their spreads.

    Args:
        cell: the crystal.
        centres: Cartesian, in Å, shape ``(functions, 3)``.
        spreads: in Å², shape ``(functions,)``.
        tolerance: distance in Å within which two centres are the same.
    """
    widths = np.asarray(spreads, dtype=float)
    reduced = np.asarray(centres, dtype=float) @ np.linalg.inv(cell.lattice)
    same = _distances(reduced, reduced, cell.lattice) < tolerance
    symmetry = spglib.get_symmetry(tuple(cell), symprec=1e-4)
    worst, pair, unmatched = 0.0, None, set()
    for rotation, translation in zip(symmetry['rotations'], symmetry['translations'], strict=True):
        images = reduced @ rotation.T + translation
        close = _distances(images, reduced, cell.lattice) < tolerance
        for index in range(len(widths)):
            here, there = _by_spread(same[index], widths), _by_spread(close[index], widths)
            if len(here) != len(there):
                unmatched.add(index)
                continue
            differences = np.abs(widths[here] - widths[there])
            if differences.max() > worst:
                most = int(differences.argmax())
                worst, pair = float(differences[most]), (int(here[most]), int(there[most]))
    return SpreadSymmetry(worst, pair, tuple(sorted(unmatched)))


def _by_spread(members: NDArray[np.bool_], spreads: NDArray[np.float64]) -> NDArray[np.intp]:
    indices = np.flatnonzero(members)
    return indices[np.argsort(spreads[indices], kind='stable')]


def _distances(
    first: NDArray[np.float64], second: NDArray[np.float64], lattice: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the distances in Å modulo the lattice, shape ``(len(first), len(second))``; exact where they are small."""
    difference = first[:, np.newaxis] - second[np.newaxis]
    difference -= np.round(difference)
    return np.linalg.norm(difference @ lattice, axis=-1)
