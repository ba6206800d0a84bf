"""Kernels as second derivatives of the energy; the head against Madelung constants."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_foundry.analysis.koopmans import functional
from aiida_foundry.analysis.koopmans.kernels import Kernels, head_correction
from aiida_foundry.analysis.koopmans.states import mesh_of

RANDOM = np.random.default_rng(7)
ONE = mesh_of([[0, 0, 0]])


def smooth(states, count):
    """Return random functions with few Fourier components, shape ``(points, count)``."""
    waves = np.zeros((*states.grid, count), dtype=complex)
    near = (np.abs(states.box) <= 2).all(axis=-1)
    waves[near] = RANDOM.normal(size=(near.sum(), count)) + 1j * RANDOM.normal(size=(near.sum(), count))
    return np.fft.ifftn(waves, axes=(0, 1, 2), norm='forward').reshape(-1, count)


def energy(states, density, name):
    waves = np.fft.fftn(density)[..., None] * 1j * (states.box @ states.reciprocal)
    gradient = np.fft.ifftn(waves, axes=(0, 1, 2)).real
    return functional.energy_density(name, density, (gradient**2).sum(axis=-1)).mean()


@pytest.mark.parametrize('name', ['lda', 'pbe', 'pbesol'])
def test_charge_kernel_is_the_second_derivative(system, name):
    """⟨δ|f|δ⟩ = d²E/dλ² for n + λδ."""
    density = np.maximum(system.density, 3e-3)  # far from where finite differences of a steep function fail
    waves = np.fft.fftn(density)
    waves[(np.abs(system.states.box) > 4).any(axis=-1)] = 0
    density = np.fft.ifftn(waves).real
    density += 2e-3 - min(0.0, density.min())
    change = smooth(system.states, 1).real
    change *= 1e-3 / np.abs(change).max()
    kernels = Kernels(system.states, density, name)
    step = 0.05
    around = [energy(system.states, density + x * change.reshape(density.shape), name) for x in (-step, 0, step)]
    second = (around[0] - 2 * around[1] + around[2]) / step**2
    assert (change * kernels.charge(change + 0j, 0).real).mean() == pytest.approx(second, rel=1e-3)


@pytest.mark.parametrize('name', ['lda', 'pbe', 'pbesol'])
@pytest.mark.parametrize('channel', ['charge', 'spin', 'hartree'])
def test_kernels_are_hermitian_and_real(system, name, channel):
    """⟨a|f b⟩ = ⟨f a|b⟩ at each q, and f* at q is f at -q."""
    kernel = getattr(Kernels(system.states, system.density, name), channel)
    mesh = system.states.mesh
    for q in range(len(mesh.points)):
        values = smooth(system.states, 2)
        images = kernel(values, q)
        left, right = np.vdot(values[:, 0], images[:, 1]), np.vdot(images[:, 0], values[:, 1])
        assert left == pytest.approx(right, rel=1e-9)
        opposite = int(mesh.find(-mesh.points[q]))
        wave = (-mesh.points[q] - mesh.points[opposite]) // np.array(mesh.divisions)
        phase = np.exp(2j * np.pi * (np.stack(np.indices(system.states.grid), axis=-1) / system.states.grid) @ wave)
        mirrored = kernel(values.conj() * phase.reshape(-1, 1), opposite) * phase.reshape(-1, 1).conj()
        np.testing.assert_allclose(mirrored, images.conj(), atol=1e-9 * np.abs(images).max())


@pytest.mark.parametrize(
    ('lattice', 'constant'),
    [
        (np.eye(3), 2.8372974795),
        ([[-0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.5, 0.5, -0.5]], 3.6392334496),
        ([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]], 4.5848620712),
    ],
)
def test_head_is_the_madelung_energy(lattice, constant):
    """Constants of sc, bcc and fcc point charges in a background, e.g. R. Coldwell-Horsfall and A. Maradudin (1960)."""
    side = 7.0
    assert head_correction(side * np.array(lattice), ONE) == pytest.approx(2 * constant / side, rel=1e-8)


def test_head_depends_on_the_supercell_alone():
    lattice = np.array([[4.0, 0, 0], [1, 5, 0], [0, 1, 6]])
    mesh = mesh_of(np.stack(np.indices((3, 2, 1)), axis=-1).reshape(-1, 3) / (3, 2, 1))
    expected = head_correction(lattice * np.array([[3], [2], [1]]), ONE)
    assert head_correction(lattice, mesh) == pytest.approx(expected)
    assert head_correction(lattice, mesh, 8.0) == pytest.approx(expected / 8)
