"""Superlattices and reduction of two-dimensional lattices."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from pymatgen.analysis.interfaces.zsl import gen_sl_transform_matrices, reduce_vectors

from aiida_foundry.analysis.matching.lattices import (
    WALLS,
    area,
    determinant,
    gram,
    hermite_normal_forms,
    reduce_forms,
    transform,
)
from aiida_foundry.analysis.matching.superlattices import distinct_shapes, superlattices
from aiida_foundry.common.errors import InputError

RNG = np.random.default_rng(7)


def test_hermite_normal_forms_are_those_of_pymatgen():
    forms = {tuple(form.ravel()) for form in hermite_normal_forms(12)}
    assert forms == {tuple(m.ravel()) for index in range(1, 13) for m in gen_sl_transform_matrices(index)}


def test_hermite_normal_forms_are_all_sublattices():
    """Every integer basis spans the lattice of exactly one of the forms."""
    forms = hermite_normal_forms(6)
    for entries in itertools.product(range(-2, 3), repeat=4):
        basis = np.array(entries).reshape(2, 2)
        index = abs(determinant(basis))
        if not 0 < index <= 6:
            continue
        same = [form for form in forms if determinant(form) == index and is_integer(basis @ np.linalg.inv(form))]
        assert len(same) == 1


def is_integer(matrix):
    return np.abs(matrix - np.rint(matrix)).max() < 1e-9


def test_reduction_agrees_with_zur_and_mcgill():
    bases = RNG.normal(size=(200, 2, 3)) * RNG.uniform(1, 20, size=(200, 2, 1))
    forms, matrices = reduce_forms(gram(bases))
    expected = np.array([np.array(reduce_vectors(*basis)) for basis in bases])
    np.testing.assert_allclose(forms, gram(expected), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(transform(gram(bases), matrices), forms, rtol=1e-8, atol=1e-8)
    assert set(determinant(matrices)) == {1, -1}


def test_reduced_form_is_inside_the_walls():
    aa, bb, ab = reduce_forms(gram(RNG.normal(size=(500, 2, 2))))[0].T
    assert (ab >= 0).all()
    assert (2 * ab <= aa * (1 + 1e-12)).all()
    assert (aa <= bb * (1 + 1e-12)).all()


def test_walls_fix_their_forms():
    on_walls = np.array([[2.0, 3.0, 0.0], [2.0, 2.0, 0.7], [2.0, 3.0, 1.0]])
    np.testing.assert_array_equal(transform(on_walls, WALLS), on_walls)
    np.testing.assert_array_equal(WALLS @ WALLS, np.tile(np.eye(2, dtype=int), (3, 1, 1)))


def test_superlattices_have_their_area():
    forms = gram(RNG.normal(size=(4, 2, 3)) * 4)
    table = superlattices(forms, 120.0)
    np.testing.assert_allclose(area(table.form), table.multiple * area(forms)[table.lattice], rtol=1e-9)
    np.testing.assert_allclose(transform(forms[table.lattice], table.matrix), table.form, rtol=1e-8, atol=1e-8)
    np.testing.assert_array_equal(np.abs(determinant(table.matrix)), table.multiple)
    assert area(table.form).max() <= 120


def test_superlattice_of_exactly_the_largest_area_counts():
    table = superlattices(np.array([[4.0, 4.0, 0.0]]), 12.0)
    assert table.multiple.max() == 3


def test_no_superlattice_within_the_area():
    assert len(superlattices(np.array([[4.0, 4.0, 0.0]]), 3.0)) == 0


@pytest.mark.parametrize('largest', [0.0, -1.0, np.inf, np.nan])
def test_area_must_be_positive_and_finite(largest):
    with pytest.raises(InputError, match='largest area'):
        superlattices(np.array([[4.0, 4.0, 0.0]]), largest)


def test_distinct_shapes_of_the_square_lattice():
    """Index 5 has six sublattices: 1 × 5, √5 × √5 and √2 × √13, each twice."""
    table = superlattices(np.array([[1.0, 1.0, 0.0]]), 5.0)
    shapes = distinct_shapes(table)
    at_five = shapes.form[shapes.multiple == 5]
    assert np.count_nonzero(table.multiple == 5) == 6
    np.testing.assert_allclose(np.unique(at_five.round(9), axis=0), [[1, 25, 0], [2, 13, 1], [5, 5, 0]])
