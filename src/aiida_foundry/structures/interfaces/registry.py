"""How one crystal lies on another within the plane."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from pymatgen.core import Element

from aiida_foundry.analysis.crystal import FloatArray, IntArray

DISTANCE_STEP = 1e-3
"""Å; positions that continue a lattice equally well to within it are told apart by their chemistry."""

FINGERPRINT_RANGE = 6.0
"""Å; contacts across an interface up to this distance tell two registries apart."""


def continuation(
    lattice: FloatArray, film: tuple[IntArray, FloatArray], virtual: tuple[IntArray, FloatArray]
) -> FloatArray:
    """Return the in-plane shift (2,) in Å with which a plane best takes the place of the next one of the crystal below.

    Every shift that puts one atom on a site is tried. The one with the least root mean square distance of all atoms
    from the nearest sites wins; among equals the one whose atoms are closest in electronegativity (Pauling) to those
    that they replace, then the shortest.

    Args:
        lattice: (2, 2) superlattice vectors in Å by rows.
        film: atomic numbers (n,) and positions (n, 2) in Å of the plane.
        virtual: numbers (m,) and positions (m, 2) of the plane that would come next.
    """
    (numbers, positions), (sites, places) = film, virtual
    difference = np.abs(_electronegativity(numbers)[:, None] - _electronegativity(sites))
    best = None
    for mine, other in itertools.product(range(len(numbers)), range(len(sites))):
        shift = _shortest(lattice, places[other] - positions[mine])
        separation = np.linalg.norm(_shortest(lattice, positions[:, None] + shift - places), axis=-1)
        nearest = separation.argmin(axis=1)
        rms = np.sqrt((separation.min(axis=1) ** 2).mean())
        chemistry = difference[np.arange(len(numbers)), nearest].sum()
        key = (round(rms / DISTANCE_STEP), round(chemistry, 6), round(float(np.linalg.norm(shift)), 6))
        if best is None or key < best[0]:
            best = key, shift
    if best is None:
        raise ValueError('a plane without atoms')
    return best[1]


def _electronegativity(numbers: IntArray) -> FloatArray:
    values = np.array([Element.from_Z(int(number)).X for number in numbers], dtype=float)
    return np.nan_to_num(values)  # noble gases have none


def _shortest(lattice: FloatArray, vectors: FloatArray) -> FloatArray:
    """Return the shortest periodic images of in-plane vectors (..., 2)."""
    reduced = vectors @ np.linalg.inv(lattice)
    base = (reduced - np.rint(reduced)) @ lattice
    images = np.array(list(itertools.product((-1, 0, 1), repeat=2))) @ lattice
    candidates = base[..., None, :] + images
    # a step keeps the rounding of equally short images from choosing
    lengths = np.rint(np.linalg.norm(candidates, axis=-1) / 1e-6)
    return np.take_along_axis(candidates, lengths.argmin(axis=-1)[..., None, None], axis=-2)[..., 0, :]


def distinct_shifts(
    lattice: FloatArray,
    film: tuple[IntArray, FloatArray],
    substrate: tuple[IntArray, FloatArray],
    divisions: Sequence[int],
) -> list[tuple[float, float]]:
    """Return the shifts of a grid that lead to different contacts across an interface, zero first.

    Two shifts are the same if the sorted distances between all pairs of elements across the interface agree.

    Args:
        lattice: (3, 3) cell in Å by rows, the first two in the plane.
        film: numbers and Cartesian positions in Å of the atoms above the interface.
        substrate: the same below.
        divisions: of the two superlattice vectors.
    """
    chosen: dict[tuple, tuple[float, float]] = {}
    for i, j in itertools.product(*map(range, divisions)):
        shift = (i / divisions[0], j / divisions[1])
        moved = film[1] + np.array(shift) @ lattice[:2]
        chosen.setdefault(_contacts(lattice, (film[0], moved), substrate), shift)
    return list(chosen.values())


def _contacts(lattice: FloatArray, film: tuple[IntArray, FloatArray], substrate: tuple[IntArray, FloatArray]) -> tuple:
    reach = int(np.ceil(FINGERPRINT_RANGE / np.linalg.svd(lattice[:2, :2])[1].min())) + 1
    images = np.array(list(itertools.product(range(-reach, reach + 1), repeat=2))) @ lattice[:2]
    vectors = film[1][:, None, None] - substrate[1][None, :, None] + images
    distances = np.linalg.norm(vectors, axis=-1)
    near = np.argwhere(distances <= FINGERPRINT_RANGE)
    found = [(int(film[0][a]), int(substrate[0][b]), round(distances[a, b, image] / 1e-2)) for a, b, image in near]
    return tuple(sorted(found))
