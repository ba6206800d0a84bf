"""Arrangements of vacancies that symmetry tells apart."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_foundry.analysis.crystal import Cell
from aiida_foundry.common.errors import InputError
from aiida_foundry.structures.interfaces.planes import Stack
from aiida_foundry.structures.interfaces.vacancies import arrangements


def square(repeats):
    """Return a square lattice of one element in a supercell, planes 3 Å apart."""
    points = np.array([(i / repeats, j / repeats, 0.5) for i in range(repeats) for j in range(repeats)])
    return Stack(Cell(np.diag([2.0 * repeats, 2.0 * repeats, 3.0]), points, np.full(len(points), 8)))


@pytest.mark.parametrize(
    ('repeats', 'count', 'number'),
    [
        (2, 1, 1),  # all sites are equivalent
        (2, 2, 2),  # neighbours, or across the diagonal
        (3, 2, 2),  # neighbours, or across the diagonal: nothing is farther in a 3×3 cell
    ],
)
def test_square_lattice(repeats, count, number):
    assert len(arrangements(square(repeats), 0, 'O', count)) == number


def test_too_few_atoms():
    with pytest.raises(InputError, match='the plane O4 has 4'):
        arrangements(square(2), 0, 'O', 5)
