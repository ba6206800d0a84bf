"""Kernels against published energies, against other derivations, and against derivatives by finite differences."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_foundry.analysis.koopmans import functional
from aiida_foundry.common.errors import InputError

DENSITIES = np.array([0.003, 0.02, 0.1, 0.4])
GRADIENTS = np.array([1e-5, 4e-4, 0.02, 0.3])
GAMMA = (1 - np.log(2)) / np.pi**2


@pytest.mark.parametrize(('radius', 'energy'), [(1, -0.0598), (2, -0.0448), (5, -0.0282)])
def test_correlation_of_the_homogeneous_gas(radius, energy):
    """PW92 fit the quantum Monte Carlo energies of D. Ceperley and B. Alder, PRL 45, 566 (1980), in hartree."""
    n = np.array([3 / (4 * np.pi * radius**3)])
    exchange = -0.75 * (3 / np.pi) ** (1 / 3) * n ** (4 / 3)
    total = functional.energy_density('lda', n, np.zeros(1)) / 2
    assert (total - exchange) / n == pytest.approx(energy, abs=2e-4)  # the Monte Carlo error


def test_enhancement_of_pbe_exchange():
    """F(s) = 1 + κ - κ/(1 + μs²/κ) at s = 1 is 1.1724 (PBE) and 1.1070 (PBEsol)."""
    n = np.array([1e6])  # correlation is negligible at high density
    s2 = 4 * (3 * np.pi**2) ** (2 / 3) * n ** (8 / 3)
    exchange = -0.75 * (3 / np.pi) ** (1 / 3) * n ** (4 / 3)
    for name, factor in (('pbe', 1.1724), ('pbesol', 1.1070)):
        mu = {'pbe': 0.21951, 'pbesol': 10 / 81}[name]
        expected = 1 + 0.804 - 0.804 / (1 + mu / 0.804)
        assert expected == pytest.approx(factor, abs=2e-3)
        assert functional.energy_density(name, n, s2) / (2 * exchange) == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize('name', ['lda', 'pbe', 'pbesol'])
def test_derivatives_of_the_charge(name):
    """Central differences of the energy; the step leaves an error of about 1e-5."""
    charge, _ = functional.coefficients(name, DENSITIES, GRADIENTS)

    def energy(dn, ds):
        return functional.energy_density(name, DENSITIES + dn, GRADIENTS + ds)

    h, g = 1e-3 * DENSITIES, 1e-3 * GRADIENTS
    np.testing.assert_allclose(charge.nn, (energy(h, 0) - 2 * energy(0, 0) + energy(-h, 0)) / h**2, rtol=1e-4)
    if name == 'lda':
        assert not charge.s.any()
        assert not charge.ns.any()
        return
    np.testing.assert_allclose(charge.s, (energy(0, g) - energy(0, -g)) / (2 * g), rtol=1e-4)
    np.testing.assert_allclose(charge.ss, (energy(0, g) - 2 * energy(0, 0) + energy(0, -g)) / g**2, rtol=1e-3)
    mixed = (energy(h, g) - energy(h, -g) - energy(-h, g) + energy(-h, -g)) / (4 * h * g)
    np.testing.assert_allclose(charge.ns, mixed, rtol=1e-3)


def pw92(rs, a, a1, b1, b2, b3, b4):
    return -2 * a * (1 + a1 * rs) * np.log1p(1 / (2 * a * (b1 * rs**0.5 + b2 * rs + b3 * rs**1.5 + b4 * rs**2)))


def polarised_correlation(n, s, z, beta):
    """Return the PBE correlation energy per volume in hartree at any polarisation, from the papers; LDA if β = 0."""
    rs = (3 / (4 * np.pi * n)) ** (1 / 3)
    para = pw92(rs, 0.0310907, 0.21370, 7.5957, 3.5876, 1.6382, 0.49294)
    ferro = pw92(rs, 0.01554535, 0.20548, 14.1189, 6.1977, 3.3662, 0.62517)
    stiffness = -pw92(rs, 0.0168869, 0.11125, 10.357, 3.6231, 0.88026, 0.49671)
    f = ((1 + z) ** (4 / 3) + (1 - z) ** (4 / 3) - 2) / (2 ** (4 / 3) - 2)
    eps = para + stiffness * f / 1.709921 * (1 - z**4) + (ferro - para) * f * z**4
    if beta == 0:
        return n * eps
    phi = ((1 + z) ** (2 / 3) + (1 - z) ** (2 / 3)) / 2
    t2 = s / (4 * phi**2 * n**2 * 4 * (3 * np.pi**2 * n) ** (1 / 3) / np.pi)
    a = beta / GAMMA / np.expm1(-eps / (GAMMA * phi**3))
    inner = beta / GAMMA * t2 * (1 + a * t2) / (1 + a * t2 + a**2 * t2**2)
    return n * (eps + GAMMA * phi**3 * np.log1p(inner))


@pytest.mark.parametrize(('name', 'beta'), [('lda', 0.0), ('pbe', 0.06672455060314922), ('pbesol', 0.046)])
def test_stiffness_against_spin(name, beta):
    _, spin = functional.coefficients(name, DENSITIES, GRADIENTS)
    h = 0.01  # error of the central difference: h² times the fourth derivative, a few 1e-4
    energy = [polarised_correlation(DENSITIES, GRADIENTS, z, beta) for z in (-h, 0, h)]
    second = (energy[0] - 2 * energy[1] + energy[2]) / h**2
    np.testing.assert_allclose(spin.zz, 2 * second / DENSITIES**2, rtol=1e-3)


def test_no_density_no_kernel():
    charge, spin = functional.coefficients('pbe', np.array([0.0, -1e-6, 0.1]), np.array([0.0, 0.0, 0.01]))
    for entry in (*charge, *spin):
        assert np.isfinite(entry).all()
        assert not entry[:2].any()


@pytest.mark.parametrize(
    ('name', 'known'), [('PW', 'lda'), ('SLA+PW+PBX+PBC', 'pbe'), ('pbesol', 'pbesol'), ('SLA PW NOGX NOGC', 'lda')]
)
def test_names(name, known):
    assert functional.canonical_name(name) == known


@pytest.mark.parametrize('name', ['PZ', 'LDA', 'PBE0', 'SCAN', ''])
def test_refused_functionals(name):
    with pytest.raises(InputError, match='kernels are not here'):
        functional.canonical_name(name)
