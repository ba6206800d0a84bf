"""Pareto fronts against brute force."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_foundry.analysis.interfaces.candidates import best_pairs
from aiida_foundry.analysis.interfaces.fronts import pareto_fronts, unsurpassed


def surpassed(density, strain, atoms):
    better = (density[:, None] >= density) & (strain[:, None] <= strain) & (atoms[:, None] <= atoms)
    equal = (density[:, None] == density) & (strain[:, None] == strain) & (atoms[:, None] == atoms)
    return (better & ~equal).any(axis=0)


def peel(*columns):
    fronts = np.zeros(len(columns[0]), dtype=int)
    left = np.arange(len(fronts))
    while len(left):
        bad = surpassed(*(column[left] for column in columns))
        fronts[left[~bad]] = fronts.max() + 1
        left = left[bad]
    return fronts


def points(number, seed=0):
    """Return points on a coarse grid, so that many are equal in some or all of the three."""
    rng = np.random.default_rng(seed)
    return rng.integers(1, 12, number) * 1e-3, rng.integers(0, 12, number) * 1e-3, rng.integers(2, 14, number)


def test_all_fronts():
    columns = points(800)
    np.testing.assert_array_equal(pareto_fronts(*columns, 800), peel(*columns))


def test_only_as_many_fronts_as_wanted():
    columns = points(800, seed=3)
    expected = peel(*columns)
    found = pareto_fronts(*columns, 60)
    last = found.max()
    assert (expected < last).sum() < 60 <= (expected <= last).sum()
    np.testing.assert_array_equal(found, np.where(expected <= last, expected, 0))


def test_noise_does_not_surpass():
    assert pareto_fronts(np.array([0.1, 0.1 + 1e-8]), np.array([0.01, 0.01 - 1e-8]), np.array([4, 4]), 2).tolist() == [
        1,
        1,
    ]


def test_nothing():
    empty = np.empty(0)
    assert pareto_fronts(empty, empty, empty.astype(int), 5).tolist() == []


def test_unsurpassed_by_group():
    density, strain, atoms = points(600, seed=5)
    group = np.random.default_rng(6).integers(0, 7, 600)
    expected = []
    for label in range(7):
        rows = np.flatnonzero(group == label)
        kept = rows[~surpassed(density[rows], strain[rows], atoms[rows])]
        _, first = np.unique(np.column_stack([density, strain, atoms])[kept], axis=0, return_index=True)
        expected += kept[first].tolist()
    assert unsurpassed(group, density, strain, atoms).tolist() == sorted(expected)


@pytest.mark.parametrize('number', [1, 7, 30, 1000])
def test_best_are_different_pairs_by_front(number):
    columns = points(500, seed=8)
    film, substrate = np.random.default_rng(9).integers(0, 9, (2, 500))
    rows, fronts = best_pairs(film, substrate, columns, number)
    pairs = list(zip(film[rows], substrate[rows], strict=True))
    assert len(set(pairs)) == len(pairs) == min(number, len(set(zip(film, substrate, strict=True))))
    expected = peel(*columns)
    np.testing.assert_array_equal(fronts, expected[rows])
    order = list(zip(fronts, -columns[0][rows], columns[1][rows], columns[2][rows], strict=True))
    assert order == sorted(order)
    # no pair of crystals that was left out has a better front than the last one chosen
    others = [
        front for front, pair in zip(expected, zip(film, substrate, strict=True), strict=True) if pair not in pairs
    ]
    assert min(others, default=99) >= fronts[-1]
