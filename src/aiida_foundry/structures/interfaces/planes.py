"""Atomic planes of a crystal along the normal of a face, and every way to cut it between two of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from ase.data import chemical_symbols
from ase.formula import Formula

from aiida_foundry.analysis.crystal import Cell, FloatArray, IntArray
from aiida_foundry.common.errors import InputError

PLANE_TOLERANCE = 0.1
"""Å along the normal within which atoms belong to one plane; planes of different composition lie farther apart."""

DIPOLE_TOLERANCE = 1e-3
"""e Å per repeat; nominal charges are whole numbers, so that anything smaller is rounding."""

Polarity = Literal['neutral planes', 'charged planes, no dipole', 'dipole', 'unknown']


@dataclass(frozen=True, eq=False)
class Stack:
    """A crystal as a periodic sequence of atomic planes along z.

    Args:
        cell: cell with its first two vectors in the plane; the third leads to the next repeat.
    """

    cell: Cell

    @property
    def period(self) -> float:
        """Height of a repeat, Å."""
        return float(self.cell.lattice[2, 2])

    @cached_property
    def planes(self) -> list[IntArray]:
        """Indices of the atoms of each plane, from the lowest."""
        return [atoms for _, atoms in self._planes]

    @cached_property
    def heights(self) -> FloatArray:
        """Mean heights of the planes, Å, increasing, all within one repeat."""
        return np.array([height for height, _ in self._planes])

    @cached_property
    def _planes(self) -> list[tuple[float, IntArray]]:
        heights = (self.cell.positions[:, 2] * self.period) % self.period
        order = np.argsort(heights, kind='stable')
        gaps = np.diff(heights[order], append=heights[order[0]] + self.period)
        cuts = np.flatnonzero(gaps > PLANE_TOLERANCE)
        if not len(cuts):
            raise InputError(
                'crystal',
                f'its atoms lie closer than {PLANE_TOLERANCE} Å along the normal, so that no cut is possible',
                'Choose a face of lower indices',
            )
        # the first plane begins after the last cut; its atoms may lie on both sides of the end of the repeat
        rolled = np.roll(order, -(cuts[-1] + 1))
        splits = np.cumsum(np.diff(np.concatenate([[cuts[-1] - len(order)], cuts])))[:-1]
        found = [self._plane(atoms, heights) for atoms in np.split(rolled, splits)]
        return sorted(found, key=lambda plane: plane[0])

    def _plane(self, atoms: IntArray, heights: FloatArray) -> tuple[float, IntArray]:
        first = heights[atoms[0]]
        offsets = (heights[atoms] - first + self.period / 2) % self.period - self.period / 2
        return float((first + offsets.mean()) % self.period), np.sort(atoms)

    def height(self, plane: int) -> float:
        """Return the height in Å of a plane, counted through all repeats; negative ones lie below."""
        repeat, index = divmod(plane, len(self.planes))
        return float(self.heights[index] + repeat * self.period)

    def cut(self, plane: int) -> float:
        """Return the height in Å half-way between a plane and the one below."""
        return (self.height(plane - 1) + self.height(plane)) / 2

    def atoms(self, plane: int) -> tuple[IntArray, FloatArray]:
        """Return atomic numbers (n,) and Cartesian positions (n, 3) in Å of a plane, counted through all repeats."""
        atoms = self.planes[plane % len(self.planes)]
        positions = self.cell.positions[atoms] @ self.cell.lattice
        wanted = self.height(plane)
        repeats = np.rint((wanted - positions[:, 2]) / self.period)
        return self.cell.numbers[atoms], positions + repeats[:, None] * self.cell.lattice[2]

    def formula(self, plane: int) -> str:
        """Return the formula of a plane."""
        return formula_of(self.atoms(plane)[0])


def formula_of(numbers: IntArray) -> str:
    """Return a chemical formula in Hill order."""
    return str(Formula.from_list([chemical_symbols[number] for number in numbers]).convert('hill'))


@dataclass(frozen=True)
class Termination:
    """A cut of a crystal between two planes: a slab above it begins with the plane ``index``.

    Args:
        index: of the plane above the cut, within one repeat.
        above, below: formulas of the planes on both sides.
        spacing: between them, Å; wide cuts break fewer bonds.
        charge: nominal charge of the plane above, e per superlattice cell; None without oxidation states.
        polarity: of a slab of whole repeats that begins here, after Tasker, J. Phys. C 12, 4977 (1979).
    """

    index: int
    above: str
    below: str
    spacing: float
    charge: float | None
    polarity: Polarity


def terminations(stack: Stack, states: Mapping[str, float] | None = None) -> list[Termination]:
    """Return every way to cut a crystal between two atomic planes, one repeat of them; none is dropped.

    Args:
        stack: the crystal.
        states: oxidation states by element, to tell polar cuts.
    """
    count = len(stack.planes)
    charges = None if states is None else np.array([_charge(stack, plane, states) for plane in range(count)])
    return [
        Termination(
            index=index,
            above=stack.formula(index),
            below=stack.formula(index - 1),
            spacing=stack.height(index) - stack.height(index - 1),
            charge=None if charges is None else float(charges[index]),
            polarity=_polarity(stack, index, charges),
        )
        for index in range(count)
    ]


def _charge(stack: Stack, plane: int, states: Mapping[str, float]) -> float:
    return float(sum(states[chemical_symbols[number]] for number in stack.atoms(plane)[0]))


def _polarity(stack: Stack, first: int, charges: FloatArray | None) -> Polarity:
    if charges is None:
        return 'unknown'
    if np.allclose(charges, 0):
        return 'neutral planes'
    planes = range(first, first + len(charges))
    dipole = sum(charges[plane % len(charges)] * (stack.height(plane) - stack.cut(first)) for plane in planes)
    return 'dipole' if abs(dipole) > DIPOLE_TOLERANCE else 'charged planes, no dipole'
