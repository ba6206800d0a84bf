"""All the ways in which two superlattices can lie on each other, and which of them are different interfaces."""

from __future__ import annotations

import numpy as np

from aiida_foundry.analysis.matching.lattices import WALLS, FloatArray, IntArray, determinant, transform
from aiida_foundry.analysis.matching.limits import Limit, accepts, largest_strain, strain_coordinates


def alignments(film: FloatArray, substrate: FloatArray, limit: Limit) -> tuple[IntArray, IntArray]:
    """Find every basis of the substrate's superlattices that matches the reduced basis of the film's.

    Two reduced superlattices that match are the least strained way to lay one on the other; near a symmetric shape
    (square, hexagonal, rectangular, rhombic) there are others, turned or turned over, within the limit as well. The
    search goes from chamber to chamber of the reflection group through walls. A straight line from the film to an
    image of the substrate crosses chambers whose images are ever nearer to the film, so nothing is missed by never
    going through an image beyond the limit.

    Args:
        film: reduced Gram forms (n, 3) in Å².
        substrate: reduced Gram forms (n, 3) in Å²; those of one row match.
        limit: the criterion.

    Returns:
        Rows (m,), and for each a matrix (m, 2, 2) of determinant ±1 that makes the substrate's basis from its reduced
        one. A matrix stands for its negative too: a half turn costs no strain.
    """
    place = strain_coordinates(film)
    rows = np.arange(len(film))
    matrices = np.tile(np.eye(2, dtype=np.int64), (len(film), 1, 1))
    frontier = seen = np.column_stack([rows, matrices.reshape(-1, 4)])
    while len(frontier):
        steps = (frontier[:, None, 1:].reshape(-1, 1, 2, 2) @ WALLS).reshape(-1, 2, 2)
        row = np.repeat(frontier[:, 0], len(WALLS))
        near = largest_strain(place[:, row], strain_coordinates(transform(substrate[row], steps))) <= limit.strain
        found = np.unique(np.column_stack([row, _without_sign(steps)])[near], axis=0)
        frontier = found[~_contains(seen, found)]
        seen = np.concatenate([seen, frontier])
    rows, matrices = seen[:, 0], seen[:, 1:].reshape(-1, 2, 2)
    images = limit.coordinates(transform(substrate[rows], matrices))
    accepted = accepts(limit, limit.coordinates(film)[:, rows], images)
    return rows[accepted], matrices[accepted]


def _without_sign(matrices: IntArray) -> IntArray:
    """Flatten matrices (n, 2, 2) to rows (n, 4) whose first non-zero element is positive."""
    flat = matrices.reshape(-1, 4)
    first = np.where(flat[:, 0] != 0, flat[:, 0], flat[:, 1])
    return flat * np.sign(first)[:, None]


def _contains(rows: IntArray, queries: IntArray) -> np.ndarray:
    """Tell which of the distinct rows ``queries`` are among the distinct ``rows``."""
    _, inverse, counts = np.unique(np.concatenate([rows, queries]), axis=0, return_inverse=True, return_counts=True)
    return counts[inverse.ravel()[len(rows) :]] > 1


def distinct(film: IntArray, substrate: IntArray, operations: tuple[IntArray, IntArray]) -> IntArray:
    """Choose one of each set of matches that are repetitions of each other, or that the surface symmetries relate.

    What lies on what is told by the rational map between the surface lattices, film⁻¹ substrate, whatever the vectors
    and the number of repetitions. Symmetry operations u of the film and v of the substrate carry it to
    u⁻¹ film⁻¹ substrate v.

    Args:
        film: superlattice vectors (n, 2, 2), right-handed, on the primitive surface vectors of the film.
        substrate: the same of the substrate.
        operations: pairs (u, v) of operations that leave an interface the same, two arrays (k, 2, 2).

    Returns:
        The first row of each set, in increasing order.
    """
    adjugate = np.stack([film[:, 1, 1], -film[:, 0, 1], -film[:, 1, 0], film[:, 0, 0]], axis=-1).reshape(-1, 2, 2)
    maps = adjugate @ substrate
    denominators = determinant(film)
    common = np.gcd(np.gcd.reduce(maps.reshape(-1, 4), axis=1), denominators)
    maps = maps // common[:, None, None]
    inverse = np.rint(np.linalg.inv(operations[0])).astype(np.int64)
    images = (inverse @ maps[:, None] @ operations[1]).reshape(len(maps), len(inverse), 4)
    base = 2 * int(np.abs(images).max(initial=0)) + 1
    first, second = (images @ np.array(weights) for weights in ([base, 1, 0, 0], [0, 0, base, 1]))
    # The lexicographically last image stands for all.
    last = first.max(axis=1)
    key = (denominators // common, last, np.where(first == last[:, None], second, -(base**2)).max(axis=1))
    return np.sort(np.unique(np.column_stack(key), axis=0, return_index=True)[1])


def equivalences(film: IntArray, substrate: IntArray) -> tuple[IntArray, IntArray]:
    """Pair surface symmetry operations that together leave an interface the same.

    Rotations of film and substrate are independent: each leaves its crystal as it is. A reflection must reflect both.

    Args:
        film: surface symmetry (j, 2, 2) of the film.
        substrate: surface symmetry (k, 2, 2) of the substrate.
    """
    first, second = np.nonzero(determinant(film)[:, None] == determinant(substrate))
    return film[first], substrate[second]
