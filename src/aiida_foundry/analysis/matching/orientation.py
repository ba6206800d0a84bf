"""How two crystals of a match are turned against each other."""

from __future__ import annotations

import numpy as np

from aiida_foundry.analysis.matching.crystal import Crystal
from aiida_foundry.analysis.matching.lattices import FloatArray
from aiida_foundry.analysis.matching.match import Match


def misorientation(match: Match) -> float:
    """Return the smallest angle in radians between the conventional axes of two crystals.

    All proper rotations of both count, so that crystals in parallel have 0, and twins of cubic ones about [111] π/3.
    """
    frames = [side.rotation @ _oriented_axes(side.face.crystal) for side in (match.film, match.substrate)]
    traces = np.einsum('aij,bij->ab', *frames)
    return float(np.arccos(np.clip((traces.max() - 1) / 2, -1.0, 1.0)))


def _oriented_axes(crystal: Crystal) -> FloatArray:
    """Return the orthonormal frames (k, 3, 3) by columns nearest to the conventional axes and their rotated images."""
    left, _, right = np.linalg.svd(crystal.conventional.T)
    to_cartesian = crystal.lattice.T
    proper = crystal.rotations[crystal.determinants == 1]
    images: FloatArray = to_cartesian @ proper @ np.linalg.inv(to_cartesian) @ (left @ right)
    return images
