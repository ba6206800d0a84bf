"""Gauge matrices: exact identities, and the recorded functions of silicon."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import unitary_group

from aiida_foundry.analysis import wannier
from aiida_foundry.engines.wannier90.parse_raw.matrices import parse_gauge

FIXTURES = Path(__file__).parents[1] / 'fixtures' / 'wannier90'


@pytest.fixture
def rotations():
    return np.stack(unitary_group.rvs(4, size=5, random_state=1))


@pytest.fixture
def energies():
    return np.sort(np.random.default_rng(2).normal(size=(5, 4)), axis=1)


def test_isometry(rotations):
    assert wannier.isometry_error(rotations) < 1e-14
    assert wannier.isometry_error(rotations[:, :, :3]) < 1e-14
    assert wannier.isometry_error(1.001 * rotations) == pytest.approx(2.001e-3, rel=1e-6)


def test_isolated_bands_are_reproduced_by_any_unitary_matrix(rotations, energies):
    assert wannier.wannier_energies(energies, rotations) == pytest.approx(energies, abs=1e-13)


def test_subspace_bands_interlace(rotations, energies):
    """Cauchy: the eigenvalues of a compression to n - 1 dimensions lie between those of the whole matrix."""
    chosen = wannier.wannier_energies(energies, rotations[:, :, :3])
    assert (chosen >= energies[:, :3]).all()
    assert (chosen <= energies[:, 1:]).all()


def test_recorded_functions_of_silicon():
    """States in the frozen window of `si_empty` are kept exactly; the matrices have ten decimals."""
    rotation = parse_gauge((FIXTURES / 'si_empty/aiida_u.mat').read_text())
    subspace = parse_gauge((FIXTURES / 'si_empty/aiida_u_dis.mat').read_text())
    gauge = wannier.total_gauge(rotation.matrices, subspace.matrices)
    assert gauge.shape == (8, 12, 4)
    assert wannier.isometry_error(gauge) < 1e-8
    with pytest.raises(ValueError, match='do not belong together'):
        wannier.total_gauge(rotation.matrices[1:], subspace.matrices)


def test_distance(energies):
    assert wannier.band_distance(energies, energies, 10.0) == 0
    assert wannier.band_distance(energies, energies + 0.01, 100.0) == pytest.approx(0.01)


def test_distance_counts_states_below_the_limit_only():
    reference = np.array([[0.0, 5.0]])
    moved = np.array([[0.003, 7.0]])
    assert wannier.band_distance(reference, moved, 2.0) == pytest.approx(0.003, rel=1e-3)
    assert wannier.band_distance(reference, moved, -20.0) == np.inf


def test_shapes(energies, rotations):
    with pytest.raises(ValueError, match='do not fit'):
        wannier.wannier_energies(energies[:, :3], rotations)
    with pytest.raises(ValueError, match='cannot be compared'):
        wannier.band_distance(energies, energies[:, :3], 0.0)
