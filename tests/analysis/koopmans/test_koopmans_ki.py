"""Integrals of real Wannier functions on a mesh that hides nothing (3×2×1): symmetries that must hold exactly.

On a 2×2×2 mesh every q is its own opposite, so that wrong conjugations and reciprocal vectors do not show.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aiida_foundry.analysis.koopmans.densities import wannier_density
from aiida_foundry.analysis.koopmans.ki import KoopmansScreening, Settings, total_integrals
from aiida_foundry.analysis.koopmans.response import IndependentResponse
from aiida_foundry.common.errors import InputError

RANDOM = np.random.default_rng(11)
SETTINGS = Settings('pbe', None, tolerance=1e-7, single_precision=False)


def integrals(system, manifolds, settings=SETTINGS):
    """Return all integrals, shape ``(3, functions, nk)``, and the calculation."""
    screening = KoopmansScreening(system.states, system.cell, system.density, manifolds, settings)
    results = {}
    for q, positions in screening.tasks():
        for position, row in zip(positions, screening.compute(q, positions), strict=True):
            results[q, position] = row
    found = screening.integrals(lambda q, position: results[q, position])
    return np.stack([found.self_hartree, found.bare, found.screened]), screening


@pytest.fixture(scope='module')
def pair(manifolds):
    """Return one function of each manifold."""
    return [replace(entry, gauge=entry.gauge[:, :, 1:2], centres=entry.centres[1:2]) for entry in manifolds]


@pytest.fixture(scope='module')
def reference(system, pair):
    return integrals(system, pair, replace(SETTINGS, symmetry=False))[0]


def test_symmetry_changes_nothing(system, manifolds):
    settings = replace(SETTINGS, tolerance=1e-5, single_precision=True)
    reference, _ = integrals(system, manifolds[:1], replace(settings, symmetry=False))
    found, screening = integrals(system, manifolds[:1], settings)
    assert len(screening.representatives) < 4
    # The functions are equivalent within 2e-3 only, as far as the minimisation of the spread went.
    np.testing.assert_allclose(found.sum(axis=2), reference.sum(axis=2), rtol=1e-4)
    np.testing.assert_allclose(found, reference, atol=1e-5)


def test_single_precision_is_enough(system, pair, reference):
    """Its error is of second order, as that of a loose tolerance: 1e-6 Ry are 1e-5 eV."""
    settings = replace(SETTINGS, symmetry=False, single_precision=True, tolerance=1e-4)
    found, _ = integrals(system, pair, settings)
    np.testing.assert_allclose(found[2].sum(axis=1), reference[2].sum(axis=1), atol=1e-6)
    np.testing.assert_array_equal(found[1], reference[1])


def test_phases_of_wavefunctions_drop_out(system, pair, reference):
    states = system.states
    phases = np.exp(2j * np.pi * RANDOM.random(states.energies.shape))
    coefficients = [c * phase[:, None] for c, phase in zip(states.coefficients, phases, strict=True)]
    turned = replace(system, states=replace(states, coefficients=coefficients))
    gauges = []
    for manifold in pair:
        bands = slice(manifold.first_band, manifold.first_band + manifold.gauge.shape[1])
        gauges.append(replace(manifold, gauge=manifold.gauge * phases[:, bands, None].conj()))
    found, _ = integrals(turned, gauges, replace(SETTINGS, symmetry=False))
    np.testing.assert_allclose(found, reference, atol=1e-10)


def test_origin_drops_out(system, pair, reference):
    """Everything is moved by a third of a grid spacing and some."""
    states, shift = system.states, np.array([2 / 15, 1 / 15, 5 / 15])
    coefficients = [
        c * np.exp(-2j * np.pi * (miller + k) @ shift)
        for c, miller, k in zip(states.coefficients, states.miller, states.mesh.reduced, strict=True)
    ]
    waves = np.fft.fftn(system.density) * np.exp(-2j * np.pi * states.box @ shift)
    moved = replace(system, states=replace(states, coefficients=coefficients), density=np.fft.ifftn(waves).real)
    centred = [replace(entry, centres=entry.centres + shift @ states.lattice) for entry in pair]
    found, _ = integrals(moved, centred, replace(SETTINGS, symmetry=False))
    np.testing.assert_allclose(found, reference, atol=1e-9)


def test_opposite_wave_vectors(system, reference):
    mesh = system.states.mesh
    np.testing.assert_allclose(reference, reference[:, :, mesh.find(-mesh.points)], atol=1e-8)


def test_density_is_real_and_normalised(system, manifolds):
    density = wannier_density(system.states, manifolds[0], 2)
    states = system.states
    assert density[0].mean() * states.volume == pytest.approx(1, abs=1e-6)
    fraction = np.stack(np.indices(states.grid), axis=-1).reshape(-1, 3) / states.grid
    total = sum(part * np.exp(2j * np.pi * fraction @ q) for part, q in zip(density, states.mesh.reduced, strict=True))
    assert np.abs(total.imag).max() < 1e-12
    assert total.real.min() > -1e-12


def test_response_is_hermitian_and_positive(system):
    response = IndependentResponse(system.states)
    for q in (1, 2, 5):
        values = RANDOM.normal(size=(np.prod(system.states.grid), 3)) + 0j
        matrix = values.conj().T @ response.apply(values, q)
        np.testing.assert_allclose(matrix, matrix.conj().T, atol=1e-9 * np.abs(matrix).max())
        assert np.linalg.eigvalsh(matrix)[0] > 0


def test_uniform_potential_has_no_response(system):
    """Charge is conserved: a constant at q = 0 mixes nothing, and no potential changes the number of electrons."""
    response = IndependentResponse(system.states)
    points = int(np.prod(system.states.grid))
    assert np.abs(response.apply(np.ones((points, 1), dtype=complex), 0)).max() < 1e-9
    changed = response.apply(RANDOM.normal(size=(points, 1)) + 0j, 0)
    assert abs(changed.sum()) < 1e-9 * np.abs(changed).sum()


def test_head_correction_is_added_to_the_sums(system, manifolds):
    screening = KoopmansScreening(system.states, system.cell, system.density, manifolds, SETTINGS)
    results = screening.integrals(lambda q, position: np.array([1.0, 0.5]))
    plain = total_integrals(results, system.states, None)
    corrected = total_integrals(results, system.states, 8.0)
    np.testing.assert_allclose(corrected.bare - plain.bare, corrected.head)
    np.testing.assert_allclose(corrected.screened - plain.screened, corrected.head / 8)
    np.testing.assert_allclose(corrected.self_hartree - plain.self_hartree, corrected.head / 2)
    np.testing.assert_allclose(plain.alpha, 0.5)


def test_matrices_of_other_wavefunctions_are_refused(system, manifolds):
    """Another run has other phases: the functions are then not where Wannier90 says."""
    phases = np.exp(2j * np.pi * RANDOM.random(system.states.energies.shape))
    coefficients = [c * phase[:, None] for c, phase in zip(system.states.coefficients, phases, strict=True)]
    states = replace(system.states, coefficients=coefficients)
    with pytest.raises(InputError, match='not centred where Wannier90 says'):
        KoopmansScreening(states, system.cell, system.density, manifolds, SETTINGS)


def test_gauge_that_is_not_unitary_is_refused(system, manifolds):
    wrong = replace(manifolds[0], gauge=1.01 * manifolds[0].gauge)
    with pytest.raises(InputError, match=r'its norm at k-point 1 is 1\.02'):
        KoopmansScreening(system.states, system.cell, system.density, [wrong], SETTINGS)


def test_metal_is_refused(system, manifolds):
    metal = replace(system.states, energies=system.states.energies.copy())
    metal.energies[3, metal.occupied] = metal.energies[0, 0]
    with pytest.raises(InputError, match='a metal'):
        KoopmansScreening(metal, system.cell, system.density, manifolds, SETTINGS)
