"""Cells that are, or are not, the same crystal in the same axes."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_foundry.analysis.crystal import Cell
from aiida_foundry.analysis.interfaces.identity import same_crystal

FCC = 2.0 * (1 - np.eye(3))
#: Rock salt with the anion displaced: primitive cell, and four times that.
PRIMITIVE = Cell(FCC, np.array([[0, 0, 0], [0.52, 0.52, 0.48]]), np.array([3, 1]))
CORNERS = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
OFFSET = PRIMITIVE.positions[1] @ FCC / 4.0
CONVENTIONAL = Cell(4.0 * np.eye(3), np.vstack([CORNERS, CORNERS + OFFSET]), np.array([3] * 4 + [1] * 4))


def moved(cell: Cell, atom: int, by: float) -> Cell:
    positions = cell.positions.copy()
    positions[atom] += np.array([0, 0, by]) @ np.linalg.inv(cell.lattice)
    return cell._replace(positions=positions)


def test_same():
    assert same_crystal(PRIMITIVE, PRIMITIVE)
    assert same_crystal(PRIMITIVE, CONVENTIONAL)
    assert same_crystal(PRIMITIVE, Cell(FCC[[1, 0, 2]], PRIMITIVE.positions[:, [1, 0, 2]], PRIMITIVE.numbers))
    order = [5, 2, 7, 0, 1, 3, 4, 6]
    shifted = Cell(CONVENTIONAL.lattice, (CONVENTIONAL.positions + 0.3)[order] % 1, CONVENTIONAL.numbers[order])
    assert same_crystal(PRIMITIVE, shifted)
    assert same_crystal(PRIMITIVE, moved(PRIMITIVE, 1, 5e-4))


@pytest.mark.parametrize(
    'other',
    [
        moved(PRIMITIVE, 1, 2e-3),
        moved(CONVENTIONAL, 6, 2e-3),
        PRIMITIVE._replace(numbers=np.array([3, 9])),
        PRIMITIVE._replace(numbers=np.array([1, 3])),
        PRIMITIVE._replace(lattice=FCC * 1.001),
        PRIMITIVE._replace(positions=-PRIMITIVE.positions),
        Cell(FCC[:, [2, 0, 1]], PRIMITIVE.positions, PRIMITIVE.numbers),
        Cell(FCC * [[2], [1], [1]], PRIMITIVE.positions * [0.5, 1, 1], PRIMITIVE.numbers),
    ],
    ids=['displaced', 'one of four displaced', 'element', 'exchanged', 'strained', 'inverted', 'turned', 'half empty'],
)
def test_different(other):
    assert not same_crystal(PRIMITIVE, other)


def test_quanta_of_a_larger_cell_are_too_small():
    """A phase of the conventional cell does not tell which of the quanta of the primitive one it is."""
    assert not same_crystal(CONVENTIONAL, PRIMITIVE)
