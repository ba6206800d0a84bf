"""The variational solution against the direct one."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_foundry.analysis.koopmans.screening import Channel, solve_channels
from aiida_foundry.common.errors import InputError

RANDOM = np.random.default_rng(5)
SIZE = 40


def hermitian(spectrum):
    basis, _ = np.linalg.qr(RANDOM.normal(size=(SIZE, SIZE)) + 1j * RANDOM.normal(size=(SIZE, SIZE)))
    return basis @ np.diag(spectrum) @ basis.conj().T


def problem(strength=1.0):
    response = hermitian(np.geomspace(1e-3, 3, SIZE))
    kernel = strength * hermitian(np.geomspace(1e-2, 2, SIZE))
    potentials = RANDOM.normal(size=(SIZE, 3)) + 1j * RANDOM.normal(size=(SIZE, 3))
    return response, kernel, potentials


def channel(kernel, potentials):
    return Channel(potentials, lambda v: kernel @ v, lambda residual: residual)


def test_energy_of_the_dyson_equation():
    response, kernel, potentials = problem()
    first, second = channel(kernel, potentials), channel(-0.05 * kernel, potentials[:, :1])
    found = solve_channels(lambda v: response @ v, [first, second], 1e-8)
    for energies, k, v in zip(found, (kernel, -0.05 * kernel), (potentials, potentials[:, :1]), strict=True):
        screened = np.linalg.solve(np.eye(SIZE) + 2 * k @ response, v)
        expected = ((response @ v).conj() * screened).sum(axis=0).real / SIZE
        np.testing.assert_allclose(energies, expected, rtol=1e-7)


def test_error_is_of_second_order():
    """A relative tolerance of 1e-3 gives energies that are better than that."""
    response, kernel, potentials = problem()
    found = solve_channels(lambda v: response @ v, [channel(kernel, potentials)], 1e-3)[0]
    exact = solve_channels(lambda v: response @ v, [channel(kernel, potentials)], 1e-10)[0]
    assert (found <= exact * (1 + 1e-12)).all()  # a maximum
    np.testing.assert_allclose(found, exact, rtol=1e-3)


def test_unstable_density():
    response, kernel, potentials = problem(strength=-50.0)
    with pytest.raises(InputError, match='not stable'):
        solve_channels(lambda v: response @ v, [channel(kernel, potentials)], 1e-6)


def test_not_converged():
    response, kernel, potentials = problem()
    with pytest.raises(InputError, match='not converged in 2 steps'):
        solve_channels(lambda v: response @ v, [channel(kernel, potentials)], 1e-12, iterations=2)
