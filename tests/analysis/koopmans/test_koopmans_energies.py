from __future__ import annotations

import numpy as np
import pytest

from aiida_foundry.analysis.koopmans.densities import Manifold
from aiida_foundry.analysis.koopmans.energies import corrected_energies, koopmans_energies


def rotation(angle):
    return np.array([[np.cos(angle), -1j * np.sin(angle)], [-1j * np.sin(angle), np.cos(angle)]])


def test_equal_corrections_are_a_scissor():
    gauge = np.stack([rotation(0.3), rotation(1.1)])
    energies = np.array([[-2.0, 1.0], [-1.5, 0.2]])
    before, after = corrected_energies(energies, gauge, [0.7, 0.7])
    np.testing.assert_allclose(before, energies, atol=1e-12)
    np.testing.assert_allclose(after, energies + 0.7, atol=1e-12)


def test_first_order_of_unequal_corrections():
    """A small correction shifts a state by its weight on each function (Hellmann and Feynman)."""
    _, after = corrected_energies([[-2.0, 1.0]], rotation(0.3)[None], [1e-5, 0.0])
    assert after[0] + [2.0, -1.0] == pytest.approx(1e-5 * np.array([np.cos(0.3) ** 2, np.sin(0.3) ** 2]), abs=1e-10)


def test_disentangled_states_are_left_out():
    kohn_sham = np.array([[-3.0, 1.0, 2.0, 4.0], [-3.0, 1.5, 2.0, 4.0]])
    mixed = np.array([[1, 0], [0, np.sqrt(0.5)], [0, np.sqrt(0.5)]])
    pure = np.eye(3)[:, :2]
    centres = np.zeros((2, 3))
    manifolds = [
        Manifold('occupied', 0, np.ones((2, 1, 1), dtype=complex), centres[:1]),
        Manifold('empty', 1, np.stack([pure, mixed]).astype(complex), centres),
    ]
    energies = koopmans_energies(kohn_sham, manifolds, [[-0.4], [0.2, 0.2]], 0.05)
    np.testing.assert_allclose(energies.wannier, [[-3, 1, 2, np.nan], [-3, 1.5, 3, np.nan]])
    np.testing.assert_allclose(energies.koopmans[1], [-3.4, 1.7, 3.2, np.nan])
    np.testing.assert_allclose(energies.quasiparticle, [[-3.4, 1.2, 2.2, np.nan], [-3.4, 1.7, np.nan, np.nan]])
    assert energies.left_out == 1
    assert energies.as_arrays()['qp_energies'].shape == (1, 2, 4)
