"""Planes with atoms left out: all arrangements that symmetry does not make the same."""

from __future__ import annotations

import itertools

import numpy as np
import spglib
from ase.data import atomic_numbers

from aiida_foundry.common.errors import InputError
from aiida_foundry.structures.interfaces.planes import Stack

SYMPREC = 1e-2
"""Å; that of the faces."""


def arrangements(stack: Stack, plane: int, element: str, count: int) -> list[tuple[int, ...]]:
    """Return the sets of atoms of a plane that can be left out, one of each that the crystal's symmetry relates.

    Only operations that keep the normal count, and that carry the plane to itself.

    Args:
        stack: the crystal in its superlattice cell.
        plane: counted through all repeats.
        element: of the atoms.
        count: how many.

    Returns:
        Positions within the plane, in the order of `Stack.atoms`.

    Raises:
        InputError: the plane has too few atoms of the element.
    """
    numbers, _ = stack.atoms(plane)
    members = np.flatnonzero(numbers == atomic_numbers[element])
    if len(members) < count:
        raise InputError(
            f'{count} vacancies of {element}', f'the plane {stack.formula(plane)} has {len(members)}', 'Leave out fewer'
        )
    permutations = _permutations(stack, plane)
    chosen: list[tuple[int, ...]] = []
    seen: set[frozenset[int]] = set()
    for subset in itertools.combinations(members.tolist(), count):
        if frozenset(subset) not in seen:
            chosen.append(subset)
            seen.update(frozenset(permutation[list(subset)].tolist()) for permutation in permutations)
    return chosen


def _permutations(stack: Stack, plane: int) -> list[np.ndarray]:
    """Return how the operations that keep the plane permute its atoms."""
    cell = stack.cell
    atoms = stack.planes[plane % len(stack.planes)]
    positions = cell.positions[atoms]
    symmetry = spglib.get_symmetry(tuple(cell), symprec=SYMPREC)
    found = []
    for rotation, translation in zip(symmetry['rotations'], symmetry['translations'], strict=True):
        if rotation[2].tolist() != [0, 0, 1]:
            continue
        images = positions @ rotation.T + translation
        difference = images[:, None] - positions
        distance = np.linalg.norm((difference - np.rint(difference)) @ cell.lattice, axis=-1)
        if (distance.min(axis=1) < 2 * SYMPREC).all():
            found.append(distance.argmin(axis=1))
    return found
