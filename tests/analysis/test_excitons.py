"""Excitons: grouping, composition, and the head of W against recorded runs of two codes."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_foundry.analysis import excitons

#: Cell of silicon in bohr³ (a = 10.263101844 bohr).
VOLUME = 10.263101844**3 / 4


def test_multiplets():
    energies = [3.0, 2.0001, 2.0, 2.0002, 4.0]
    strengths = [1e-9, 1.0, 2.0, 3.0, 0.5]
    groups = excitons.multiplets(energies, strengths, 2.5)
    assert [group.degeneracy for group in groups] == [3, 1, 1]
    assert [group.bright for group in groups] == [True, False, True]
    assert groups[0].strength == pytest.approx(6.0)
    assert groups[0].energy == pytest.approx(2.0001)
    assert groups[0].spread == pytest.approx(2e-4)
    assert groups[0].binding_energy == pytest.approx(0.4999)


@pytest.mark.parametrize('parts', [1, 2])
def test_composition_adds_up(parts):
    """With resonant pairs, and with antiresonant ones behind them."""
    rng = np.random.default_rng(1)
    points, bands = np.repeat(np.arange(3), 4), np.tile([[0, 2], [0, 3], [1, 2], [1, 3]], (3, 1))
    amplitudes = rng.normal(size=(2, 12 * parts)) + 1j * rng.normal(size=(2, 12 * parts))
    amplitudes /= np.linalg.norm(amplitudes, axis=1, keepdims=True)
    weights = excitons.composition(amplitudes, points, bands, (3, 4))
    assert weights[:, :2].sum() == pytest.approx(1)
    assert weights[:, 2:].sum() == pytest.approx(1)
    probability = (np.abs(amplitudes) ** 2).mean(axis=0).reshape(parts, 3, 4)
    assert weights.sum(axis=1) / 2 == pytest.approx(probability.sum(axis=(0, 2)))


def test_head_difference_of_two_codes():
    """Lowest exciton of silicon by Yambo minus that by ABINIT, 2×2×2, recorded at equal settings (PseudoDojo LDA, 60
    bands, 65 plane waves): 2.2059 − 2.2039 eV. ABINIT's log has c = 7.6087, ε = 57.623; Yambo's cell has c = 7.44. What
    is left after the correction is below the last digit of the energies.
    """
    found = excitons.head_difference((7.6087, 57.623), (7.44, 57.623), VOLUME, 8)
    assert found == pytest.approx(2.2059 - 2.2039, abs=1e-4)


def test_head_difference_of_two_codes_in_a_hexagonal_crystal():
    """Lowest exciton of AlN on Koopmans energies that are not rigid, 2×2×2, by the workflows of this package.

    ABINIT 9.6.2: 6.57702 eV, c = 6.0297 for this mesh, ε = 7.2355 along its own direction of q → 0; Yambo 5.2.4:
    6.43573 eV, c = 7.44, ε = 7.1032 along (1, 1, 1). Single precision of the kernels leaves 0.1 meV.
    """
    found = excitons.head_difference((6.0297, 7.2355), (7.44, 7.1032), 281.975, 8)
    assert found == pytest.approx(6.43573 - 6.57702, abs=2e-4)
