"""Spontaneous polarization: the change of the formal polarization along a path from a reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from aiida_foundry.analysis.polarization.branch import Quantum, follow_branch, images_to_start, steps_to_divide
from aiida_foundry.analysis.polarization.formal import COULOMB_PER_SQUARE_METRE
from aiida_foundry.analysis.polarization.path import Path

FloatArray = npt.NDArray[np.float64]
Phases = Sequence[Sequence[float | None]]

VERSION = 1
"""Raise it with every change of a number below, in `path` or in `branch`: it is an input of the calcfunctions."""


def predicted_phases(path: Path, fractions: npt.ArrayLike, charges: npt.ArrayLike) -> FloatArray:
    """Return the phases of nominal charges along a path relative to its start, shape (n, 3), in e.

    Args:
        path: the path.
        fractions: (n,) places on it.
        charges: (atoms,) nominal charges in e.
    """
    phases: FloatArray = np.outer(
        np.asarray(fractions, dtype=float), np.asarray(charges, dtype=float) @ path.displacements
    )
    return phases


def first_fractions(path: Path, charges: npt.ArrayLike, modulus: Quantum) -> tuple[float, ...]:
    """Return the places on a path where images are computed first."""
    change = predicted_phases(path, [1.0], charges)[0]
    return tuple(np.linspace(0, 1, images_to_start(change, modulus)).tolist())


def along(phases: Phases, directions: Sequence[int]) -> Phases:
    """Return phases (n, 3) with None along the lattice vectors, counted from 1, that a path keeps.

    A reference of higher symmetry than the path, such as a cubic one, knows those of all vectors from one.
    """
    return [[phase if i + 1 in directions else None for i, phase in enumerate(image)] for image in phases]


def further_fractions(
    path: Path,
    fractions: Sequence[float],
    phases: Sequence[Sequence[float | None]],
    modulus: Quantum,
    charges: npt.ArrayLike,
) -> tuple[float, ...]:
    """Return places between those computed where the branch is open; empty if it is followed all the way.

    Args:
        path: the path.
        fractions: (n,) places computed, ascending.
        phases: (n, 3) total phases there, in e; None where symmetry keeps them as they are.
        modulus: of the phases, in e.
        charges: (atoms,) nominal charges in e.
    """
    predicted = predicted_phases(path, fractions, charges)
    return tuple((fractions[i] + fractions[i + 1]) / 2 for i in steps_to_divide(_changing(phases), modulus, predicted))


def spontaneous_record(
    path: Path,
    fractions: Sequence[float],
    phases: Sequence[Sequence[float | None]],
    modulus: Quantum,
    charges: npt.ArrayLike,
) -> dict[str, Any]:
    """Return the change of polarization along a path as plain numbers.

    Args:
        path: the path.
        fractions: (n,) places computed, ascending.
        phases: (n, 3) total phases there, in e; None where symmetry keeps them as they are.
        modulus: of the phases, in e.
        charges: (atoms,) nominal charges in e.

    Returns:
        ``cartesian`` (3,) and ``magnitude`` of the change in C/m², ``change`` (3,) of the phases in e, ``quanta``
        (3, 3) by rows of the crystal in C/m², ``modulus`` in e; by image ``fractions``, ``phases`` as computed (0 where
        symmetry keeps them), ``branch``: the continuous phases in e, and ``path``: the polarization (n, 3) in C/m² on
        that branch; ``largest_step`` in quanta, ``longest_move`` in Å, ``charges``.

    Raises:
        InputError: a step leaves the branch open.
    """
    branch = follow_branch(_changing(phases), path.end, modulus, predicted_phases(path, fractions, charges))
    change = branch.change * COULOMB_PER_SQUARE_METRE
    return {
        'cartesian': change.tolist(),
        'magnitude': float(np.linalg.norm(change)),
        'change': (branch.phases[-1] - branch.phases[0]).tolist(),
        'quanta': (branch.quanta * COULOMB_PER_SQUARE_METRE).tolist(),
        'modulus': modulus,
        'fractions': list(fractions),
        'phases': _changing(phases).tolist(),
        'branch': branch.phases.tolist(),
        'path': (branch.phases @ branch.quanta / modulus * COULOMB_PER_SQUARE_METRE).tolist(),
        'largest_step': branch.largest_step,
        'longest_move': path.longest_move,
        'charges': np.asarray(charges, dtype=float).tolist(),
    }


def _changing(phases: Phases) -> FloatArray:
    """Return phases with 0 in place of those that symmetry keeps; one that some images lack stays missing."""
    values = np.array([[np.nan if phase is None else phase for phase in image] for image in phases])
    kept = np.isnan(values).all(axis=0)
    return np.where(kept, 0.0, values)
