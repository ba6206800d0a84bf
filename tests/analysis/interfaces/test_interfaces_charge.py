"""Charge of interfaces against published counts and an exhaustive search over terminations."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from aiida_foundry.analysis.interfaces.charge import FIELD, charge_quantum, interface_charge


def test_lanthanum_aluminate_on_strontium_titanate():
    """½ e per cell whatever the size of the superlattice cell (Nakagawa et al., Nature Mater. 5, 204 (2006))."""
    cells = np.array([1, 2, 4, 9])
    charge = interface_charge(np.zeros(4), np.full(4, 0.5), cells, cells)
    np.testing.assert_allclose(np.abs(charge) / cells, 0.5)
    np.testing.assert_array_equal(charge_quantum(cells, cells), cells)


@pytest.mark.parametrize(
    ('first', 'second', 'charge'),
    [
        (0.0, 0.75, 0.25),  # C/cBN(111) and Ge/GaAs(111): Harrison et al., PRB 18, 4402 (1978)
        (0.0, 0.5, 0.5),  # Ge/GaAs(001), the same
        (0.0, 0.0, 0.0),  # Ge/GaAs(110), the same: neutral
        (0.5, 0.5, 0.0),  # KTaO3/LaAlO3(001): AlO2/KO and TaO2/LaO planes make ±1, the other two 0
        (0.45, 0.55, -0.1),
        (0.5, 0.75, -0.25),
    ],
)
def test_known_pairs(first, second, charge):
    assert float(interface_charge(first, second, 1, 1)) == pytest.approx(charge)


def test_exchange_and_mirror_change_the_sign():
    rng = np.random.default_rng(1)
    first, second = rng.random((2, 200))
    cells = rng.integers(1, 9, (2, 200))
    charge = interface_charge(first, second, *cells)
    np.testing.assert_allclose(np.abs(interface_charge(second, first, *cells[::-1])), np.abs(charge), atol=1e-12)
    np.testing.assert_allclose(np.abs(interface_charge(1 - first, 1 - second, *cells)), np.abs(charge), atol=1e-12)


def test_least_of_all_terminations_with_less_than_an_electron_on_each_side():
    rng = np.random.default_rng(2)
    for first, second in rng.random((50, 2)):
        m, n = (int(value) for value in rng.integers(1, 6, 2))
        sides = [[f + k for k in range(-3, 4) if abs(f + k) < 1] for f in (first, second)]
        least = min(abs(m * one - n * other) for one, other in itertools.product(*sides))
        charge = float(interface_charge(first, second, m, n))
        assert abs(charge) == pytest.approx(least)
        # and it is one of the charges that the interface theorem allows
        steps = (charge - (m * first - n * second)) / charge_quantum(m, n)
        assert steps == pytest.approx(round(float(steps)), abs=1e-9)


def test_unknown_polarization_stays_unknown():
    assert np.isnan(interface_charge(np.nan, 0.5, 1, 1))


def test_rounding_does_not_decide():
    assert float(interface_charge(0.0, 1e-12, 7, 7)) == 0
    assert float(interface_charge(0.0, 0.5 + 1e-13, 1, 1)) == pytest.approx(0.5)


def test_unit_of_the_field():
    """σ = 1 µC/cm² is 11.3 kV/cm·10² = 1.13e9 V/m in vacuum."""
    microcoulomb_per_square_centimetre = 1e-2 / 16.02176634
    assert FIELD * microcoulomb_per_square_centimetre == pytest.approx(0.1129, abs=1e-4)
