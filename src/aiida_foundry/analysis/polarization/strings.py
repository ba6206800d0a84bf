"""Strings of k-points for Berry phases, reduced by the symmetry of the crystal, and the average over them.

The phase φ(k) of the string that starts at k and runs along a primitive reciprocal vector g is constant along g and
periodic across. A symmetry of the crystal that keeps g, and time reversal (φ(−k) = φ(k) without spin-orbit coupling),
leave it unchanged; one that reverses g turns it into −φ plus a constant (Vanderbilt, Berry Phases in Electronic
Structure Theory, Cambridge 2018, sections 3.4 and 4.2). Only the former may join strings. pw.x itself (6.7) joins
strings by all symmetries of the empty lattice, which is wrong for crystals of lower symmetry, such as P2₁2₁2₁.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from aiida_foundry.common.errors import InputError

FloatArray = npt.NDArray[np.float64]

#: Part of the circle that the phases of the strings must leave free, so that the place to cut it is not in doubt.
SMALLEST_ARC = 0.25


@dataclass(frozen=True, eq=False)
class Strings:
    """Strings of k-points along one direction.

    Args:
        kpoints: (strings × points, 3) reduced coordinates, one string after the other; the last point of a string is
            the first one plus the reciprocal vector.
        weights: (strings × points,) that add up to 1.
        points: number of points of a string, both ends included.
    """

    kpoints: FloatArray
    weights: FloatArray
    points: int


def make_strings(direction: int, mesh: Sequence[int], points: int, rotations: npt.ArrayLike) -> Strings:
    """Return the strings on a mesh through Γ across a reciprocal vector, one of each set of equivalent ones.

    Args:
        direction: index of the reciprocal vector, 0, 1 or 2.
        mesh: (3,) divisions of the mesh; that along the direction does not count.
        points: number of points of a string, both ends included.
        rotations: (n, 3, 3) integer point operations of the crystal on columns of fractional coordinates.
    """
    divisions = [1 if axis == direction else int(n) for axis, n in enumerate(mesh)]
    starts = np.stack(np.meshgrid(*(np.arange(n) / n for n in divisions), indexing='ij'), axis=-1).reshape(-1, 3)
    labels = _equivalent(starts, direction, divisions, points, np.asarray(rotations))
    _, first, counts = np.unique(labels, return_index=True, return_counts=True)
    along = np.zeros((points, 3))
    along[:, direction] = np.linspace(0, 1, points)
    kpoints = (starts[first][:, None] + along).reshape(-1, 3)
    return Strings(kpoints, np.repeat(counts / len(starts) / points, points), points)


def _equivalent(
    starts: FloatArray, direction: int, divisions: list[int], points: int, rotations: npt.NDArray[np.int64]
) -> npt.NDArray[np.int32]:
    """Return a label for each start that equivalent strings share."""
    axis = np.eye(3)[direction]
    inverses = [np.rint(np.linalg.inv(rotation)) for rotation in rotations]
    keeping = [inverse for inverse in inverses if np.array_equal(axis @ inverse, axis)] or [np.eye(3)]
    # along the string a start may be displaced by whole steps, which leaves the string as it is
    steps = np.array([points - 1 if i == direction else n for i, n in enumerate(divisions)])
    rows, columns = [], []
    for inverse in keeping:
        for sign in (1, -1):
            multiples = sign * starts @ inverse * steps
            on_mesh = np.flatnonzero(np.abs(multiples - np.rint(multiples)).max(axis=1) < 1e-6)
            indices = np.rint(multiples[on_mesh]).astype(int) % steps
            indices[:, direction] = 0
            rows.append(on_mesh)
            columns.append(np.ravel_multi_index(tuple(indices.T), tuple(divisions)))
    row, column = np.concatenate(rows), np.concatenate(columns)
    graph = coo_array((np.ones(len(row)), (row, column)), shape=(len(starts), len(starts)))
    labels: npt.NDArray[np.int32] = connected_components(graph, directed=False)[1]
    return labels


def average_phase(phases: npt.ArrayLike, weights: npt.ArrayLike) -> float:
    """Return the weighted mean of phases that are known modulo 1, in [0, 1).

    The circle is cut in the middle of its largest part without a phase. That is right where the phases of neighbouring
    strings are continuous and do not wind, which they do not in a time-reversal invariant insulator.

    Args:
        phases: (n,) phase of each string per spin, divided by 2π.
        weights: (n,) that need not be normalised.

    Raises:
        InputError: the phases fill the circle, so that they have no mean.
    """
    wrapped = np.asarray(phases, dtype=float) % 1.0
    order = np.sort(wrapped)
    arcs = np.diff(np.append(order, order[0] + 1.0))
    largest = int(np.argmax(arcs))
    if arcs[largest] < SMALLEST_ARC:
        raise InputError(
            f'Berry phases of {len(wrapped)} strings',
            f'they spread over the circle (the largest arc without one is {arcs[largest]:.2f} of it), so that their '
            'mean depends on where it is cut',
            'Take a denser mesh of k-points, or a smaller cell',
        )
    cut = (order[largest] + arcs[largest] / 2) % 1.0
    mean = np.average((wrapped - cut) % 1.0, weights=np.asarray(weights, dtype=float)) + cut
    return float(mean % 1.0)
