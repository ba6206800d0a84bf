"""Averages and fits on functions whose result is known."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_foundry.analysis.planar import bulk_range, fit_line, macroscopic_average, planar_average
from aiida_foundry.common.errors import InputError

LENGTH = 12.0
Z = np.arange(240) * LENGTH / 240


def test_planar_average_is_along_the_third_direction():
    grid = np.arange(24.0).reshape(2, 3, 4)
    assert planar_average(grid) == pytest.approx([10, 11, 12, 13])


def test_window_of_its_period_removes_an_oscillation():
    profile = 3 + np.cos(2 * np.pi * Z / 2.0)
    assert macroscopic_average(profile, LENGTH, [2.0]) == pytest.approx(np.full(240, 3.0), abs=1e-12)


def test_average_of_a_cosine():
    """A window of width w scales cos(qz) by sin(qw/2)/(qw/2)."""
    q, width = 2 * np.pi / LENGTH, 3.0
    expected = np.cos(q * Z) * np.sin(q * width / 2) / (q * width / 2)
    assert macroscopic_average(np.cos(q * Z), LENGTH, [width]) == pytest.approx(expected, abs=1e-12)


def test_slopes_of_two_layers_with_different_oscillations():
    """A triangle wave of slopes ±0.3, with the lattice of each half on it; windows of one period leave the slopes."""
    wave = 0.3 * np.where(Z < 6, Z, 12 - Z) + np.where(Z < 6, np.sin(2 * np.pi * Z / 1.5), np.sin(2 * np.pi * Z / 2.0))
    for (bottom, top), period, slope in (((0, 6), 1.5, 0.3), ((6, 12), 2.0, -0.3)):
        line = fit_line(macroscopic_average(wave, LENGTH, [period]), LENGTH, *bulk_range(bottom, top, period / 2 + 0.5))
        assert line.slope == pytest.approx(slope, abs=2e-3)
        assert line.error < 1e-3


def test_fit_reaches_over_the_end_of_the_cell():
    line = fit_line(np.where(Z < 6, Z, Z - 12), LENGTH, -2.0, 2.0)
    assert line.slope == pytest.approx(1.0)
    assert line.at(0.0) == pytest.approx(0.0, abs=1e-12)
    assert line.at(5.0) == pytest.approx(5.0)


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        (lambda: macroscopic_average(Z, LENGTH, [0.0]), 'do not fit'),
        (lambda: macroscopic_average(Z, LENGTH, [13.0]), 'do not fit'),
        (lambda: bulk_range(0, 4, 2.0), 'nothing of it'),
        (lambda: fit_line(Z, LENGTH, 1.0, 1.1), 'points of the grid'),
    ],
)
def test_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
