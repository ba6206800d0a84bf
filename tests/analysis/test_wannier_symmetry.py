"""Spreads of functions that the diamond structure makes equivalent."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_foundry.analysis.crystal import Cell
from aiida_foundry.analysis.wannier_symmetry import spread_symmetry

LATTICE = 5.43 / 2 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
CRYSTAL = Cell(LATTICE, np.array([[0, 0, 0], [0.25, 0.25, 0.25]]), np.array([14, 14]))
BONDS = 5.43 / 8 * np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])


def test_equal_spreads():
    symmetry = spread_symmetry(CRYSTAL, BONDS, np.full(4, 1.02))
    assert symmetry == type(symmetry)(0.0, None, ())


def test_images_in_other_cells_are_the_same():
    moved = BONDS + np.array([LATTICE[0], -LATTICE[2], 2 * LATTICE[1], np.zeros(3)])
    assert spread_symmetry(CRYSTAL, moved, np.full(4, 1.02)).unmatched == ()


def test_bad_minimum():
    """What Wannier90 gave for silicon without guiding centres on a coarse mesh: one function is larger."""
    symmetry = spread_symmetry(CRYSTAL, BONDS, [1.02, 1.02, 5.1, 1.02])
    assert symmetry.largest_difference == pytest.approx(4.08)
    assert 2 in symmetry.functions


def test_functions_on_one_site_are_compared_in_order():
    """An s and a p function on each atom: equal between the atoms, different on one."""
    centres = np.repeat([[0, 0, 0], LATTICE.sum(axis=0) / 4], 2, axis=0)
    assert spread_symmetry(CRYSTAL, centres, [1.0, 2.0, 2.0, 1.0]).largest_difference == 0
    assert spread_symmetry(CRYSTAL, centres, [1.0, 2.0, 2.5, 1.0]).largest_difference == pytest.approx(0.5)


def test_hybrids_off_the_sites_are_reported_not_compared():
    """Four hybrids on one atom point along four of eight equivalent directions of rocksalt."""
    rocksalt = Cell(LATTICE, np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), np.array([3, 9]))
    hybrids = LATTICE.sum(axis=0) / 2 + 0.3 / np.sqrt(3) * np.sign(BONDS)
    symmetry = spread_symmetry(rocksalt, hybrids, np.full(4, 0.7))
    assert symmetry.unmatched == (0, 1, 2, 3)
    assert symmetry.largest_difference == 0
