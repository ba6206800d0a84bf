"""Directions of the field: how many a crystal needs is known from the form of its dielectric tensor."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_foundry.analysis import directions, spectra
from aiida_foundry.analysis.crystal import Cell
from aiida_foundry.analysis.quasiparticles import reciprocal_operations

FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]) * 5.43
DIAMOND = Cell(FCC, np.array([[0, 0, 0], [0.25, 0.25, 0.25]]), np.array([14, 14]))
HEXAGONAL = np.array([[3.11, 0, 0], [-1.555, 3.11 * np.sqrt(0.75), 0], [0, 0, 4.98]])
WURTZITE = Cell(
    HEXAGONAL,
    np.array([[1 / 3, 2 / 3, 0], [2 / 3, 1 / 3, 0.5], [1 / 3, 2 / 3, 0.382], [2 / 3, 1 / 3, 0.882]]),
    np.array([13, 13, 7, 7]),
)
TRICLINIC = Cell(
    np.array([[4.0, 0.3, 0.2], [0.1, 5.0, 0.4], [0.5, 0.2, 6.0]]),
    np.array([[0.0, 0, 0], [0.3, 0.2, 0.1]]),
    np.array([1, 3]),
)


@pytest.mark.parametrize(('cell', 'number'), [(DIAMOND, 1), (WURTZITE, 2), (TRICLINIC, 6)])
def test_number_of_runs(cell, number):
    """Cubic, uniaxial and triclinic tensors have one, two and six independent components (Nye, Physical Properties)."""
    fields = directions.needed(cell.lattice, reciprocal_operations(cell))
    assert len(fields) == number
    assert directions.rank(directions.stars(fields, cell.lattice, reciprocal_operations(cell))[0]) == 6


@pytest.mark.parametrize(
    ('cell', 'tensor'), [(DIAMOND, np.diag([12.0, 12.0, 12.0])), (WURTZITE, np.diag([4.0, 4.0, 4.3]))]
)
def test_tensor_comes_back(cell, tensor):
    operations = reciprocal_operations(cell)
    fields = directions.needed(cell.lattice, operations)
    points, source = directions.stars(fields, cell.lattice, operations)
    values = np.einsum('qi,ij,qj->q', fields, tensor, fields)[source]
    assert spectra.dielectric_tensor(points, values[:, np.newaxis])[0].real == pytest.approx(tensor, abs=1e-9)
    assert np.linalg.norm(points, axis=1) == pytest.approx(1)
