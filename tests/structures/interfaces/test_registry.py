"""Registries that continue a lattice, and grids of shifts without repetitions."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_foundry.structures.interfaces.registry import continuation, distinct_shifts

SQUARE = np.eye(3) * [3.0, 3.0, 10.0]


def test_single_atom_takes_the_place_of_the_next():
    shift = continuation(
        SQUARE[:2, :2], (np.array([5]), np.array([[2.9, 0.0]])), (np.array([6]), np.array([[0.2, 0.1]]))
    )
    assert shift == pytest.approx([0.3, 0.1])


def test_all_atoms_count():
    """A pair 1 Å apart goes to the pair of sites 1.2 Å apart; a lone site draws neither away."""
    film = np.array([6, 6]), np.array([[0.0, 0.0], [1.0, 0.0]])
    sites = np.array([6, 6, 6]), np.array([[0.0, 1.5], [1.2, 1.5], [0.5, 0.0]])
    shift = continuation(SQUARE[:2, :2], film, sites)
    assert abs(shift[1]) == pytest.approx(1.5)


def test_chemistry_decides_between_equal_positions():
    places = np.array([[0.0, 0.0], [1.5, 1.5]])
    lanthanum, strontium, oxygen = 57, 38, 8
    for order in (1, -1):
        numbers = np.array([strontium, oxygen])[::order]
        shift = continuation(SQUARE[:2, :2], (np.array([lanthanum, oxygen]), places), (numbers, places))
        assert np.linalg.norm(shift) == pytest.approx(0.0 if order == 1 else 1.5 * np.sqrt(2))


@pytest.mark.parametrize(('divisions', 'number'), [((1, 1), 1), ((2, 2), 3), ((4, 4), 6)])
def test_distinct_shifts_of_a_square(divisions, number):
    """One atom on one atom: the grid reduced by the eight operations of the square, zero first."""
    atoms = np.array([6]), np.array([[0.0, 0.0, 2.0]])
    shifts = distinct_shifts(SQUARE, atoms, (np.array([14]), np.zeros((1, 3))), divisions)
    assert len(shifts) == number
    assert shifts[0] == (0.0, 0.0)
