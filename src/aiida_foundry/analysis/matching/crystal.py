"""What matching needs to know of a crystal: its primitive cell, its point operations, its conventional axes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import spglib

from aiida_foundry.analysis.crystal import Cell
from aiida_foundry.analysis.matching.lattices import FloatArray, IntArray
from aiida_foundry.common.errors import InputError

#: Å; atoms and lattice within it count as symmetric. pymatgen's default for experimental structures.
SYMPREC = 1e-2


@dataclass(frozen=True, eq=False)
class Crystal:
    """A crystal in the orientation it was given in.

    Args:
        cell: primitive cell, right-handed, the shortest vectors.
        conventional: (3, 3) vectors in Å by rows of the standard conventional cell that Miller indices refer to.
        rotations: (k, 3, 3) integer point operations on columns of reduced coordinates of the primitive cell.
    """

    cell: Cell
    conventional: FloatArray
    rotations: IntArray

    @property
    def lattice(self) -> FloatArray:
        """Primitive vectors in Å by rows (3, 3)."""
        return self.cell.lattice

    @cached_property
    def determinants(self) -> IntArray:
        """Determinants of the point operations (k,): 1 proper, −1 improper."""
        return np.rint(np.linalg.det(self.rotations)).astype(np.int64)


def crystal_from_cell(cell: Cell, symprec: float = SYMPREC) -> Crystal:
    """Reduce a cell to its primitive cell, turning and idealising nothing.

    Args:
        cell: any cell of the crystal: primitive, conventional, supercell, left-handed.
        symprec: distance in Å within which atoms count as symmetric.

    Raises:
        InputError: the lattice is flat, or no space group is found.
    """
    if abs(np.linalg.det(cell.lattice)) < symprec**3:
        raise InputError('crystal', 'its lattice vectors lie in one plane', 'Give three independent vectors in Å.')
    dataset = _dataset(cell, symprec)
    _, first = np.unique(dataset.mapping_to_primitive, return_index=True)
    positions = cell.positions[first] @ cell.lattice @ np.linalg.inv(dataset.primitive_lattice)
    primitive = Cell(np.asarray(dataset.primitive_lattice), positions % 1.0, cell.numbers[first])
    conventional = np.linalg.solve(dataset.transformation_matrix.T, cell.lattice)
    return Crystal(primitive, conventional, _rotations(primitive.lattice, conventional, dataset.hall_number))


def _dataset(cell: Cell, symprec: float) -> spglib.SpglibDataset:
    try:
        dataset = spglib.get_symmetry_dataset(tuple(cell), symprec=symprec)
    except spglib.SpglibError:
        dataset = None
    if dataset is None:
        reason = f'spglib finds no space group within {symprec} Å, which points to overlapping atoms'
        raise InputError('crystal', reason, 'Check the positions for duplicates.')
    return dataset


def _rotations(lattice: FloatArray, conventional: FloatArray, hall_number: int) -> IntArray:
    """Return the point operations on the primitive cell: those that spglib finds miss some where a supercell does."""
    to_conventional = (lattice @ np.linalg.inv(conventional)).T
    operations = np.linalg.inv(to_conventional) @ _point_operations(hall_number) @ to_conventional
    return np.rint(operations).astype(np.int64)


@lru_cache(maxsize=530)
def _point_operations(hall_number: int) -> IntArray:
    """Return the point operations (k, 3, 3) of a setting on columns of coordinates of its conventional cell."""
    return np.unique(spglib.get_symmetry_from_database(hall_number)['rotations'], axis=0).astype(np.int64)
