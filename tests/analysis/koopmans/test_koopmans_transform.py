from __future__ import annotations

import numpy as np

from aiida_foundry.analysis.koopmans.transform import SphereTransform

RANDOM = np.random.default_rng(3)


def test_against_fast_fourier_transform():
    grid = (9, 8, 10)
    box = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 3, indexing='ij'), axis=-1).reshape(-1, 3)
    miller = box[(box**2).sum(axis=1) <= 4] + [1, 0, -2]  # off centre, so that indices wrap
    coefficients = RANDOM.normal(size=(len(miller), 3)) + 1j * RANDOM.normal(size=(len(miller), 3))
    cube = np.zeros((*grid, 3), dtype=complex)
    cube[tuple((miller % grid).T)] = coefficients
    transform = SphereTransform(miller, grid)
    values = transform.to_grid(coefficients)
    np.testing.assert_allclose(values, np.fft.ifftn(cube, axes=(0, 1, 2), norm='forward').reshape(-1, 3), atol=1e-12)
    np.testing.assert_allclose(transform.to_sphere(values), coefficients, atol=1e-12)
    other = RANDOM.normal(size=(720, 2)) + 0j
    waves = np.fft.fftn(other.reshape(*grid, 2), axes=(0, 1, 2), norm='forward')
    np.testing.assert_allclose(transform.to_sphere(other), waves[tuple((miller % grid).T)], atol=1e-12)
