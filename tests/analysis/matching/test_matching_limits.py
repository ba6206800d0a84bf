"""Criteria of matching, and the measure of strain."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.analysis.interfaces.zsl import is_same_vectors
from scipy.linalg import logm, polar

from aiida_foundry.analysis.matching.lattices import gram, reduce_forms
from aiida_foundry.analysis.matching.limits import (
    LengthAngleLimit,
    StrainLimit,
    accepts,
    cell_angle,
    largest_strain,
    strain_coordinates,
)
from aiida_foundry.common.errors import InputError

LIMITS = [StrainLimit(0.03), StrainLimit(0.2), LengthAngleLimit(0.03, 0.01), LengthAngleLimit(0.1, 0.05)]


def pairs(amplitude: float, number: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Return bases (n, 2, 2): reduced ones, and deformed ones."""
    rng = np.random.default_rng(11)
    bases = rng.normal(size=(number, 2, 2))
    # Elongated cells too: one in two has its second vector stretched.
    bases[::2, 1] *= 10
    forms, matrices = reduce_forms(gram(bases))
    reduced = matrices @ bases
    np.testing.assert_allclose(gram(reduced), forms, rtol=1e-6, atol=1e-9)
    return reduced, reduced @ (np.eye(2) + amplitude * rng.uniform(-1, 1, size=(number, 2, 2)))


def strain(film: np.ndarray, substrate: np.ndarray) -> np.ndarray:
    return largest_strain(strain_coordinates(gram(film)), strain_coordinates(gram(substrate)))


def test_strain_is_the_logarithm_of_the_stretch():
    film, substrate = pairs(0.1, 50)
    stretches = [polar(deformation)[1] for deformation in np.linalg.solve(film, substrate)]
    expected = [np.abs(np.linalg.eigvalsh(logm(stretch))).max() for stretch in stretches]
    np.testing.assert_allclose(strain(film, substrate), expected, rtol=1e-9)


def test_strain_is_symmetric_under_exchange():
    film, substrate = pairs(0.1)
    np.testing.assert_allclose(strain(film, substrate), strain(substrate, film), rtol=1e-9, atol=1e-15)


def test_small_strain_without_cancellation():
    cell = np.array([[[3.0, 0.0], [1.0, 4.0]]])
    assert strain(cell, cell * (1 + 1e-12))[0] == pytest.approx(1e-12, rel=1e-3)
    assert strain(cell, cell @ np.diag([1 + 1e-7, 1 - 1e-7]))[0] == pytest.approx(1e-7, rel=1e-3)


def test_reduced_bases_are_the_least_strained():
    """No other bases of two lattices are nearer to each other than the two reduced ones."""
    film, substrate = pairs(0.5, 100)
    _, matrices = reduce_forms(gram(substrate))
    reduced = strain(film, matrices @ substrate)
    entries = range(-2, 3)
    others = [
        np.array([[a, b], [c, d]]) for a in entries for b in entries for c in entries for d in entries if a * d - b * c
    ]
    unimodular = [matrix for matrix in others if abs(round(np.linalg.det(matrix))) == 1]
    best = np.min([strain(film, matrix @ matrices @ substrate) for matrix in unimodular], axis=0)
    assert (reduced <= best + 1e-9).all()


@pytest.mark.parametrize('limit', LIMITS, ids=str)
@pytest.mark.parametrize('amplitude', [0.02, 0.1])
def test_bounds_hold_for_all_that_is_accepted(limit, amplitude):
    film, substrate = pairs(amplitude, 20000)
    substrate = reduce_forms(gram(substrate))[1] @ substrate
    forms = gram(film), gram(substrate)
    accepted = accepts(limit, *map(limit.coordinates, forms))
    assert accepted.sum() > 100
    film_form, substrate_form = (form[accepted] for form in forms)
    assert np.abs(0.5 * np.log(film_form / substrate_form)[:, :2]).max() <= limit.log_length
    assert np.abs(cell_angle(film_form) - cell_angle(substrate_form)).max() <= limit.angle
    assert strain(film[accepted], substrate[accepted]).max() <= limit.strain


def test_strain_bound_of_lengths_and_angle_is_not_loose():
    """3 % of both lengths is 0.0305 by itself, 1 % of π/2 adds half its shear, 0.0079."""
    assert 0.0305 < LengthAngleLimit(0.03, 0.01).strain < 0.040


def test_lengths_and_angle_as_in_pymatgen():
    limit = LengthAngleLimit(0.03, 0.01)
    film, substrate = pairs(0.03, 1000)
    accepted = accepts(limit, limit.coordinates(gram(film)), limit.coordinates(gram(substrate)))
    three = np.zeros((2, 1000, 2, 3))
    three[..., :2] = film, substrate
    expected = [is_same_vectors(f, s, max_length_tol=0.03, max_angle_tol=0.01) for f, s in zip(*three, strict=True)]
    assert 10 < sum(expected) < 990
    np.testing.assert_array_equal(accepted, expected)


def test_strain_limit_is_the_strain():
    """Compared without a logarithm, within the rounding of the hyperbolic sine."""
    limit = StrainLimit(0.05)
    film, substrate = pairs(0.05, 2000)
    accepted = accepts(limit, limit.coordinates(gram(film)), limit.coordinates(gram(substrate)))
    assert 100 < accepted.sum() < 1900
    np.testing.assert_array_equal(accepted, strain(film, substrate) <= 0.05)


@pytest.mark.parametrize('value', [0.0, -0.1, 0.3, np.nan])
def test_limits_out_of_range(value):
    for build in (StrainLimit, LengthAngleLimit, lambda angle: LengthAngleLimit(0.03, angle)):
        with pytest.raises(InputError, match='limit on the'):
            build(value)
