"""Extrapolation and stop rule on sequences whose limit is known."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_foundry.analysis import convergence


@pytest.mark.parametrize('power', [1.0, 1.5, 3.0])
def test_exact_power_law(power):
    x = np.array([20, 40, 60, 90])
    limit = convergence.extrapolate(x, 3.2 - 5 * x**-power, power)
    assert limit.value == pytest.approx(3.2)
    assert limit.slope == pytest.approx(-5)
    assert limit.error == pytest.approx(0, abs=1e-9)


def test_zeta_of_two():
    """Partial sums of 1/n² lack 1/N + O(1/N²): the limit lies within the error estimate."""
    numbers = np.array([10, 20, 40, 80])
    sums = [np.sum(1 / np.arange(1, n + 1) ** 2) for n in numbers]
    limit = convergence.extrapolate(numbers, sums)
    assert abs(limit.value - np.pi**2 / 6) < limit.error
    assert limit.error < abs(sums[-1] - np.pi**2 / 6) / 5


@pytest.mark.parametrize(('parameters', 'values'), [([1, 2], [1, 2]), ([3, 2, 1], [1, 2, 3]), ([0, 1, 2], [1, 2, 3])])
def test_sequences_without_a_limit(parameters, values):
    with pytest.raises(ValueError, match=r'three of each|not positive and growing'):
        convergence.extrapolate(parameters, values)


def test_one_small_change_is_not_convergence():
    assert not convergence.is_converged([1.0, 1.5, 1.501], 0.01)
    assert convergence.is_converged([1.0, 1.5, 1.501, 1.502], 0.01)
    assert not convergence.is_converged([1.0, 1.5, 1.501, 1.502, 1.6], 0.01)
