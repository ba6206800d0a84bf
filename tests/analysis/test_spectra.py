"""Spectra from transitions, and tensors from directions: exact cases."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_foundry.analysis import spectra
from aiida_foundry.common.errors import InputError

FREQUENCIES = np.linspace(0, 60, 60001)


def test_static_limit():
    """ε(0) = 1 + 2 Σ f / E."""
    found = spectra.dielectric_function([2.0, 4.0], [3.0, 1.0], [0.0], 0.0)
    assert found[0] == pytest.approx(1 + 2 * (3.0 / 2.0 + 1.0 / 4.0))


def test_kramers_kronig():
    """The integral of Im ε / ω is π/2 (ε(0) − 1), whatever the broadening."""
    for broadening in (0.05, 0.2):
        found = spectra.dielectric_function([3.0], [2.0], FREQUENCIES, broadening)
        integral = np.trapezoid(found.imag[1:] / FREQUENCIES[1:], FREQUENCIES[1:])
        assert integral == pytest.approx(np.pi / 2 * (found[0].real - 1), rel=2e-3)


def test_sum_rule():
    """The integral of ω Im ε is π Σ f E up to the tail of the Lorentzians beyond the grid."""
    found = spectra.dielectric_function([3.0, 5.0], [2.0, 1.0], FREQUENCIES, 0.01)
    assert np.trapezoid(FREQUENCIES * found.imag, FREQUENCIES) == pytest.approx(np.pi * (6 + 5), rel=1e-2)


def test_tensor_from_directions():
    rng = np.random.default_rng(0)
    tensor = rng.normal(size=(5, 3, 3)) + 1j * rng.normal(size=(5, 3, 3))
    tensor = tensor + np.transpose(tensor, (0, 2, 1))
    directions = rng.normal(size=(7, 3))
    units = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    values = np.einsum('qi,wij,qj->qw', units, tensor, units)
    assert spectra.dielectric_tensor(directions, values) == pytest.approx(tensor)
    assert spectra.average(tensor) == pytest.approx(np.trace(tensor, axis1=1, axis2=2) / 3)


def test_directions_that_do_not_suffice():
    with pytest.raises(InputError, match='these 6 do not determine the dielectric tensor'):
        spectra.dielectric_tensor([[1, 0, 0], [0, 1, 0], [1, 1, 0], [1, -1, 0], [2, 1, 0], [1, 2, 0]], np.ones((6, 1)))


def test_peaks_between_grid_points():
    x = np.linspace(0, 10, 101)
    y = 2 / (1 + ((x - 3.333) / 0.5) ** 2) + 1 / (1 + ((x - 7.07) / 0.5) ** 2)
    positions, heights = spectra.peaks(x, y)
    assert positions == pytest.approx([3.333, 7.07], abs=0.01)
    tails = [1 / (1 + (3.737 / 0.5) ** 2), 2 / (1 + (3.737 / 0.5) ** 2)]
    assert heights == pytest.approx([2 + tails[0], 1 + tails[1]], abs=2e-3)
