"""Whether a polarization that was computed for one cell is that of a crystal as another cell describes it."""

from __future__ import annotations

import numpy as np

from aiida_foundry.analysis.crystal import Cell

#: Å; more than formats of structure files round away, less than any displacement that matters.
TOLERANCE = 1e-3


def same_crystal(computed: Cell, given: Cell) -> bool:
    """Return whether two cells hold the same atoms in the same Cartesian axes, up to a common shift.

    Its quanta make the polarization of ``computed`` useful for ``given`` only if the lattice of ``computed`` holds that
    of ``given``: the same cell, or the primitive one of a larger. A shift of all atoms leaves it as it is.
    """
    vectors = given.lattice @ np.linalg.inv(computed.lattice)
    whole = np.rint(vectors)
    if np.abs((vectors - whole) @ computed.lattice).max() > TOLERANCE:
        return False
    repeats = round(abs(np.linalg.det(whole)))
    if len(given.numbers) != repeats * len(computed.numbers):
        return False
    places = given.positions @ vectors
    starts = places[given.numbers == computed.numbers[0]]
    return any(_coincide(computed, places - start + computed.positions[0], given.numbers, repeats) for start in starts)


def _coincide(computed: Cell, places: np.ndarray, numbers: np.ndarray, repeats: int) -> bool:
    """Return whether every atom lies on so many of the places, which are reduced coordinates in its cell."""
    offsets = computed.positions[:, None] - places
    distances = np.linalg.norm((offsets - np.rint(offsets)) @ computed.lattice, axis=-1)
    hits = (distances < TOLERANCE) & (computed.numbers[:, None] == numbers)
    return bool((hits.sum(axis=1) == repeats).all())
