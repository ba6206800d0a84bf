"""Cells and contacts of periodic crystals."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import spglib
from ase import Atoms
from ase.data import covalent_radii
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int_]


class Cell(NamedTuple):
    """A crystal: rows of ``lattice`` are its vectors in Å (3, 3), ``positions`` are reduced (n, 3)."""

    lattice: FloatArray
    positions: FloatArray
    numbers: IntArray


class Contact(NamedTuple):
    """A pair of atoms (or of an atom and a periodic image) and their distance in Å."""

    first: int
    second: int
    distance: float


def standard_primitive_cell(cell: Cell, symprec: float) -> Cell:
    """Return the standardised primitive cell with lattice and positions made exactly symmetric.

    Lattice and positions are averaged over the operations of the space group that holds within ``symprec``, so that
    0.3333 in a file becomes 1/3 to full precision (spglib: A. Togo et al., Sci. Technol. Adv. Mater. Meth. 4, 2384822
    (2024); setting of the International Tables, choice of the primitive vectors as in spglib's documentation).

    Args:
        cell: any cell of the crystal.
        symprec: distance in Å within which atoms count as equivalent.

    Raises:
        ValueError: if no space group is found within ``symprec``.
    """
    standard = spglib.standardize_cell(tuple(cell), to_primitive=True, no_idealize=False, symprec=symprec)
    if standard is None:
        raise ValueError(f'no space group was found within {symprec} Å')
    lattice, positions, numbers = standard
    return Cell(np.asarray(lattice), np.asarray(positions) % 1.0, np.asarray(numbers))


def space_group(cell: Cell, symprec: float) -> tuple[str, int]:
    """Return international symbol and number of the space group within ``symprec`` Å.

    Raises:
        ValueError: if no space group is found.
    """
    dataset = spglib.get_symmetry_dataset(tuple(cell), symprec=symprec)
    if dataset is None:
        raise ValueError(f'no space group was found within {symprec} Å')
    return dataset.international, int(dataset.number)


def overlapping_atoms(cell: Cell, fraction: float) -> list[Contact]:
    """Return the pairs closer than ``fraction`` of the sum of their covalent radii, shortest first.

    Periodic images count, those of an atom with itself included. Radii: B. Cordero et al., Dalton Trans. 2832 (2008).
    """
    from ase.neighborlist import neighbor_list  # half of what it takes to import this module

    atoms = Atoms(numbers=cell.numbers, scaled_positions=cell.positions, cell=cell.lattice, pbc=True)
    radii = fraction * covalent_radii[cell.numbers]
    first, second, distance = neighbor_list('ijd', atoms, radii)
    pairs = {
        (min(i, j), max(i, j)): Contact(int(min(i, j)), int(max(i, j)), float(d))
        for i, j, d in sorted(zip(first, second, distance, strict=True), key=lambda pair: -pair[2])
    }
    return sorted(pairs.values(), key=lambda contact: contact.distance)
