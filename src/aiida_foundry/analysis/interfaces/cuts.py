"""Terminations of a crystal face: where it can be cut between planes of atoms, and the charge of each cut."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aiida_foundry.analysis.matching import Face

#: Å; atoms closer along the normal lie in one plane.
PLANE = 0.2


class Cut(NamedTuple):
    """A plane between two atomic planes.

    Args:
        height: of the cut in units of the spacing of lattice planes, in [0, 1).
        below: atoms of the last plane on the lower side, such as ``{'Al': 1, 'O': 2}`` per primitive surface cell.
        above: atoms of the first plane on the upper side.
        charge: P·n̂ in e per primitive surface cell of the bulk cell that this cut bounds, for point charges: it is
            the branch of the formal polarization that belongs to ionic terminations of that kind.
    """

    height: float
    below: dict[str, int]
    above: dict[str, int]
    charge: float


def cuts(
    face: Face, lattice: NDArray[np.float64], positions: NDArray[np.float64], symbols: list[str], charges: list[int]
) -> list[Cut]:
    """Return the cuts of a crystal parallel to a face, by increasing height.

    Args:
        face: the face; its normal is the direction that heights grow along.
        lattice: (3, 3) vectors by rows in Å of a primitive cell, in the orientation of the face's crystal.
        positions: (n, 3) reduced positions.
        symbols: (n,) of the atoms.
        charges: (n,) in e.
    """
    spacing = 1 / float(np.linalg.norm(face.reciprocal))
    heights = (positions @ lattice @ face.reciprocal) % 1.0
    order = np.argsort(heights, kind='stable')
    heights = heights[order]
    steps = np.diff(heights, append=heights[:1] + 1.0)
    first = (np.flatnonzero(steps * spacing > PLANE) + 1) % len(heights)
    found = []
    for place in np.sort(first):
        rolled = np.roll(order, -place)
        above = np.concatenate([heights[place:], heights[:place] + 1.0])
        found.append(_cut(above, [symbols[atom] for atom in rolled], [charges[atom] for atom in rolled], spacing))
    return sorted(found, key=lambda cut: cut.height)


def _cut(heights: NDArray[np.float64], symbols: list[str], charges: list[int], spacing: float) -> Cut:
    """Return the cut below the first of the atoms, which fill one spacing and are sorted by height."""
    steps = np.diff(heights) * spacing
    breaks = [0, *(np.flatnonzero(steps > PLANE) + 1).tolist(), len(heights)]
    middle = (heights[0] + heights[-1] - 1.0) / 2
    return Cut(
        height=float(middle % 1.0),
        below=dict(sorted(Counter(symbols[breaks[-2] :]).items())),
        above=dict(sorted(Counter(symbols[: breaks[1]]).items())),
        charge=float(np.dot(charges, heights - middle)),
    )
