"""Blocks, windows and projections from bands."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import erfc

from aiida_foundry.analysis.manifolds import MARGIN, empty_manifold, isolated_blocks

# Magnesium oxide, schematically: Mg 2s, Mg 2p, O 2s, O 2p at two k-points, eV.
OXIDE = np.array([[-70.0, -40.0, -39.9, -39.8, -15.0, 0.0, 1.0, 2.0], [-70.0, -40, -40, -40, -16.0, -1.0, -1.0, 2.0]])


def test_blocks():
    assert isolated_blocks(OXIDE, 8, 1.0) == [(1, 1), (2, 4), (5, 5), (6, 8)]
    assert isolated_blocks(OXIDE, 8, 20.0) == [(1, 1), (2, 4), (5, 8)]
    assert isolated_blocks(OXIDE, 8, 100.0) == [(1, 8)]


def test_gap_must_be_there_at_all_kpoints():
    crossing = np.array([[0.0, 2.0], [1.5, 5.0]])
    assert isolated_blocks(crossing, 2, 1.0) == [(1, 2)]


def test_too_few_bands():
    with pytest.raises(ValueError, match='8 bands do not hold 9'):
        isolated_blocks(OXIDE, 9, 1.0)
    with pytest.raises(ValueError, match='do not reach beyond'):
        empty_manifold(OXIDE, np.ones_like(OXIDE), 6, 2, 0.5)


@pytest.fixture
def atomic():
    """Return bands whose projectability is exactly ½ erfc((ε - 12)/3), as the fit assumes."""
    energies = np.linspace(-5, 25, 80).reshape(2, 40, order='F')
    return energies, 0.5 * erfc((energies - 12) / 3)


def test_weight_of_the_projections_is_that_of_vitale(atomic):
    chosen = empty_manifold(*atomic, occupied=4, functions=6, threshold=0.5)
    assert chosen.projection_width == pytest.approx(3, abs=1e-3)
    assert chosen.projection_centre == pytest.approx(12 - 3 * 3, abs=1e-2)


def test_window_ends_below_the_first_state_that_is_not_atomic(atomic):
    energies, shares = atomic
    chosen = empty_manifold(energies, shares, occupied=4, functions=30, threshold=0.5)
    assert chosen.frozen_maximum == pytest.approx(energies[shares < 0.5].min() - MARGIN)
    assert chosen.limited_by == 'projectability'


def test_window_holds_no_more_states_than_functions(atomic):
    energies, shares = atomic
    chosen = empty_manifold(energies, shares, occupied=4, functions=3, threshold=0.5)
    assert chosen.limited_by == 'number of functions'
    assert (energies[:, 4:] < chosen.frozen_maximum).sum(axis=1).max() == 3


def test_shapes(atomic):
    with pytest.raises(ValueError, match='differ'):
        empty_manifold(atomic[0], atomic[1][:1], 4, 3, 0.5)
