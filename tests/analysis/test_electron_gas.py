"""Gaps, carriers and layers on models with known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.constants import e, epsilon_0
from scipy.special import erfc

from aiida_foundry.analysis import electron_gas as gas
from aiida_foundry.common.errors import InputError

BANDS = np.array([[-1.0, 0.0, 2.0, 3.0], [-0.5, 0.5, 1.0, 2.5]])


def test_gap():
    assert gas.band_gap(BANDS, 4) == pytest.approx(0.5)
    assert gas.band_gap(BANDS, 2) == pytest.approx(0.5)
    assert gas.band_gap(BANDS + np.array([[0, 0, -3, -3], [0] * 4]), 4) == pytest.approx(-1.5)


def test_half_filled_band_overlaps_itself():
    assert gas.band_gap(BANDS, 3) == pytest.approx(-0.5)
    assert gas.band_gap(BANDS, 5) == pytest.approx(-1.0)


def test_gap_needs_a_band_beyond_the_filled_ones():
    with pytest.raises(InputError, match='do not tell a gap'):
        gas.band_gap(BANDS, 8)


def test_carriers_of_bands():
    """Half of a band at the Fermi energy is filled; two electrons fit into it."""
    weights = np.array([1.0, 3.0])
    found = gas.band_carriers(np.array([[-9.0, 0.0], [-9.0, 9.0]]), weights, 2, 0.0, 0.1)
    assert found == pytest.approx(2 * 0.5 * 0.25)


def test_sheet_of_charge_in_vacuum():
    """σ/ε₀ between the fields on both sides: 1 e/Å² makes a step of e/ε₀."""
    step = e / epsilon_0 * 1e10
    assert gas.displacement_step(-step / 2, step / 2, (1.0, 1.0), 1.0) == pytest.approx(1.0)


def test_carriers_of_a_slanted_gap():
    """Constant densities above and below a gap of 2 eV that slants by 4 eV: triangles of electrons and of holes."""
    energies = np.linspace(-5, 5, 1001)
    height = np.linspace(0, 8, 801)
    midgap = 2 - 0.5 * height
    ldos = 0.3 * (np.abs(energies - midgap[:, None]) > 1.0)
    free = gas.carriers(ldos, energies, 0.0, midgap)
    # conduction band at 3 − z/2: below zero from 6 Å on; valence band at 1 − z/2: above zero up to 2 Å
    expected = 0.3 * (np.maximum(0, midgap * -1 - 1) - np.maximum(0, midgap - 1))
    assert free == pytest.approx(expected, abs=0.3 * 0.011)
    places = [{'height': 0.0}, {'height': 8.0}]
    left, right = gas.locate(free, 8.01, places, periodic=False)
    assert left['holes'] == pytest.approx(0.3 * 1.0, rel=0.02)
    # a spline rings at the steps of this model; broadened states have none
    assert left['electrons'] == pytest.approx(0, abs=1e-5)
    assert right['electrons'] == pytest.approx(0.3 * 1.0, rel=0.02)
    assert 0 < right['spread'] < 1.5


def test_smeared_occupations():
    """A level 0.1 eV above the Fermi energy holds erfc(x)/2 of its states; broadening and smearing add in squares."""
    energies = np.linspace(-3, 3, 601)
    width, broadening, level = 0.3, 0.1, 0.1
    ldos = np.exp(-(((energies - level) / broadening) ** 2)) / (broadening * np.sqrt(np.pi))
    rest = np.sqrt(width**2 - broadening**2)
    found = gas.carriers(ldos[None], energies, 0.0, np.array([-1.0]), rest)
    assert found == pytest.approx([math.erfc(level / width) / 2], abs=1e-6)


@pytest.mark.parametrize('broadening', [0.02, 0.05, 0.1, 0.2, 0.4])
def test_occupations_on_a_coarse_grid(broadening):
    """Energies one broadening apart still count the bands with the smearing; levels lie anywhere between them."""
    width, levels = 0.4, np.linspace(-1, 1, 37)
    energies = np.arange(-4, 4, broadening)
    gaussians = np.exp(-(((energies - levels[:, None]) / broadening) ** 2)) / (broadening * np.sqrt(np.pi))
    rest = np.sqrt(width**2 - broadening**2)
    found = gas.carriers(gaussians, energies, 0.0, np.full(37, -3.5), rest)
    expected = erfc(levels / width) / 2
    # a single level is off by up to 1.6 % where the step is the width, some of them, as in a solid, by less than 0.1 %
    assert found == pytest.approx(expected, abs=0.02)
    assert found.sum() == pytest.approx(expected.sum(), rel=1e-3)


def test_nearest_place_over_the_end_of_the_cell():
    density = np.zeros(100)
    density[97] = 1.0
    left, right = gas.locate(density, 10.0, [{'height': 0.0}, {'height': 5.0}], periodic=True)
    assert left['electrons'] == pytest.approx(0.1)
    assert left['spread'] == pytest.approx(0.3)
    assert right['electrons'] == 0


def test_layers_add_up():
    rng = np.random.default_rng(3)
    ldos = rng.random((50, 7))
    edges = [*gas.layers_of({'bottom': 0.0, 'top': 4.0, 'period': 1.0}), (4.0, 9.0)]
    layers = gas.layer_dos(ldos, 9.0, edges)
    assert layers.shape == (5, 7)
    assert layers.sum(axis=0) == pytest.approx(ldos.sum(axis=0) * 9.0 / 50)
    across = gas.layer_dos(ldos, 9.0, [(8.0, 10.0)])
    apart = gas.layer_dos(ldos, 9.0, [(8.0, 9.0), (0.0, 1.0)])
    assert across[0] == pytest.approx(apart.sum(axis=0))


def test_contrast_of_a_step():
    """Ten times as many states within half a period of one interface."""
    height = np.arange(400) * 0.05
    weight = 1 + 9.0 * (np.abs(height - 10.0) < 1.0)
    slabs = [
        {'name': 'substrate', 'bottom': 0.0, 'top': 10.0, 'period': 2.0},
        {'name': 'film', 'bottom': 10.0, 'top': 20.0, 'period': 2.0},
    ]
    interfaces = [
        {'height': 10.0, 'below': 'substrate', 'above': 'film'},
        {'height': 0.0, 'below': 'film', 'above': 'substrate'},
    ]
    ratios = gas.contrast(weight, 20.0, {'slabs': slabs, 'interfaces': interfaces})
    assert ratios == pytest.approx([10.0, 1.0], rel=0.05)
