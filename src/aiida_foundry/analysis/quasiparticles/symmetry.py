"""Which k-points are equivalent by a symmetry of the crystal, time reversal and a reciprocal lattice vector."""

from __future__ import annotations

import numpy as np
import spglib
from numpy.typing import ArrayLike, NDArray

from aiida_foundry.analysis.crystal import Cell

MATCH = 1e-4
"""Distance, in reduced coordinates, within which two k-points are one: engines print five to eight digits."""


def reciprocal_operations(cell: Cell, symprec: float = 1e-4) -> NDArray[np.int_]:
    """Return the operations on reduced k-points, (n, 3, 3), that leave the bands of a non-magnetic crystal unchanged.

    A symmetry x → W x + w of the crystal maps k, as a row, to k W (over the whole group the same set as k W⁻¹). Time
    reversal adds −k.

    Args:
        cell: the crystal.
        symprec: distance in Å within which atoms count as equivalent.

    Raises:
        ValueError: if spglib finds no symmetry, not even the identity.
    """
    dataset = spglib.get_symmetry_dataset(tuple(cell), symprec=symprec)
    if dataset is None:
        raise ValueError(f'no space group was found within {symprec} Å')
    rotations = np.unique(np.asarray(dataset.rotations), axis=0)
    return np.unique(np.concatenate([rotations, -rotations]), axis=0)


def equivalent_points(kpoint: ArrayLike, candidates: ArrayLike, operations: NDArray[np.int_]) -> NDArray[np.int_]:
    """Return the indices of the candidates that an operation maps to the k-point, up to a reciprocal lattice vector.

    Args:
        kpoint: (3,) reduced.
        candidates: (k, 3) reduced.
        operations: (n, 3, 3), acting on rows from the right.
    """
    star = np.asarray(kpoint, dtype=float) @ operations
    distance = star[:, np.newaxis] - np.asarray(candidates, dtype=float)[np.newaxis]
    matches = (np.abs(distance - np.round(distance)) < MATCH).all(axis=-1)
    return np.flatnonzero(matches.any(axis=0))
