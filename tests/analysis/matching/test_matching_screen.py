"""All crystals against all others."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_foundry.analysis.matching import LengthAngleLimit, Screen, StrainLimit, find_matches, screen
from aiida_foundry.analysis.matching.limits import accepts
from aiida_foundry.analysis.matching.lookup import Lookup
from aiida_foundry.analysis.matching.screen import pareto_front
from aiida_foundry.analysis.matching.superlattices import superlattices

NAMES = ['cBN', 'AlN', 'TiO2', 'SiO2', 'ZrO2', 'oblique']


@pytest.fixture
def crystals(crystal):
    return [crystal(name) for name in NAMES]


def front(rows):
    """Return the (area, strain) of rows that no other surpasses in both, by brute force."""
    rounded = {(round(area, 5), round(strain, 5)) for area, strain in rows}
    return sorted(r for r in rounded if not any(o[0] <= r[0] and o[1] <= r[1] and o != r for o in rounded))


@pytest.mark.parametrize('block', [2, 4, 100])
def test_front_of_every_pair_is_that_of_all_its_matches(block, crystals, monkeypatch):
    monkeypatch.setattr(screen, 'BLOCK', block)
    limit = StrainLimit(0.03)
    found = list(Screen(crystals, max_miller=1, max_area=90.0, limit=limit))
    every = {(i, j): [] for i in range(len(NAMES)) for j in range(i + 1, len(NAMES))}
    for pairs in found:
        for i, j, area, strain in zip(pairs.film, pairs.substrate, pairs.area, pairs.strain, strict=True):
            every[int(i), int(j)].append((area, strain))
    for (i, j), rows in every.items():
        options = {'max_miller': 1, 'max_area': 90.0, 'limit': limit}
        expected = [(m.area, m.max_strain) for m in find_matches(crystals[i], crystals[j], **options)]
        assert front(rows) == front(expected)
    assert sum(map(len, every.values())) > 40


def test_rows_of_a_pair_of_faces_are_its_superlattices(crystals):
    made = Screen(crystals, max_miller=1, max_area=80.0, limit=StrainLimit(0.03))
    for pairs in made:
        for row in range(0, len(pairs.area), 25):
            film = made.faces[pairs.film[row]][pairs.film_face[row]]
            substrate = made.faces[pairs.substrate[row]][pairs.substrate_face[row]]
            areas = [np.linalg.norm(np.cross(*face.vectors[:2])) for face in (film, substrate)]
            expected = np.sqrt(areas[0] * pairs.film_multiple[row] * areas[1] * pairs.substrate_multiple[row])
            assert pairs.area[row] == pytest.approx(expected)
        assert (pairs.film < pairs.substrate).all()
        assert pairs.strain.max() <= 0.03


def test_pareto_front_by_group():
    group = np.array([1, 0, 0, 0, 1, 0, 1])
    size = np.array([2, 1, 2, 2, 1, 3, 3])
    strain = np.array([0.2, 0.3, 0.2, 0.1, 0.1, 0.1, 0.05])
    assert pareto_front(group, size, strain).tolist() == [1, 3, 4, 6]


def test_no_crystals():
    assert list(Screen([], max_miller=1, max_area=80.0, limit=StrainLimit(0.03))) == []


LIMITS = [StrainLimit(1e-5), StrainLimit(0.03), StrainLimit(0.15), LengthAngleLimit(0.05, 0.02)]


@pytest.mark.parametrize('limit', LIMITS, ids=str)
def test_lookup_misses_nothing(limit):
    """Against every pair, down to limits below the narrowest bins: the film is among the substrates."""
    rng = np.random.default_rng(5)
    film, substrate = (
        superlattices(np.column_stack([rng.uniform(9, 20, 6), rng.uniform(20, 40, 6), rng.uniform(-4, 4, 6)]), 120.0)
        for _ in range(2)
    )
    forms = np.concatenate([substrate.form, film.form])
    i, j = np.divmod(np.arange(len(film) * len(forms)), len(forms))
    accepted = accepts(limit, limit.coordinates(film.form)[:, i], limit.coordinates(forms)[:, j])
    found = Lookup(forms, limit).matches(film.form)
    assert (np.diff(found[0]) >= 0).all()
    assert set(map(tuple, found.T)) == set(zip(i[accepted], j[accepted], strict=True))
    assert found.shape[1] == accepted.sum() > 20
