"""Directions of the electric field along which a spectrum must be computed, and those that symmetry adds."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

VERSION = 1

FloatArray = NDArray[np.float64]

#: Together they determine any symmetric tensor; the first alone does for a cubic crystal.
CANDIDATES = np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]]) / np.sqrt(
    [[2], [2], [2], [1], [1], [1]]
)


def stars(directions: ArrayLike, lattice: ArrayLike, operations: ArrayLike) -> tuple[FloatArray, NDArray[np.int_]]:
    """Return all directions that are equivalent to given ones, with the index of the one that each is equivalent to.

    Args:
        directions: (q, 3) Cartesian unit vectors.
        lattice: vectors as rows.
        operations: (n, 3, 3) integer, on reduced reciprocal vectors as rows from the right, with −1 among them.

    Returns:
        (m, 3) Cartesian, one of each pair ±q; (m,) indices into `directions`.
    """
    a = np.asarray(lattice, dtype=float)
    reciprocal = np.linalg.inv(a).T
    found: list[FloatArray] = []
    sources: list[int] = []
    for index, direction in enumerate(np.asarray(directions, dtype=float)):
        for image in (a @ direction) @ np.asarray(operations) @ reciprocal:
            if not any(np.allclose(abs(image @ other), 1, atol=1e-6) for other in found):
                found.append(image)
                sources.append(index)
    return np.array(found), np.array(sources)


def rank(directions: ArrayLike) -> int:
    """Return how many components of a symmetric tensor the directions (q, 3) determine, at most 6."""
    q = np.asarray(directions, dtype=float)
    rows, columns = np.triu_indices(3)
    return int(np.linalg.matrix_rank(q[:, rows] * q[:, columns], tol=1e-6))


def needed(lattice: ArrayLike, operations: ArrayLike) -> FloatArray:
    """Return the fewest of `CANDIDATES`, in order, whose equivalents determine the dielectric tensor, (q, 3)."""
    chosen: list[FloatArray] = []
    for candidate in CANDIDATES:
        before = rank(stars(chosen, lattice, operations)[0]) if chosen else 0
        if before == 6:
            break
        if rank(stars([*chosen, candidate], lattice, operations)[0]) > before:
            chosen.append(candidate)
    return np.array(chosen)
