"""Allowed formal polarizations against brute force, the polar classes and known groups, in all 530 settings."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import spglib

from aiida_foundry.analysis.polarization.crystal import CENTRINGS
from aiida_foundry.analysis.polarization.symmetry import allowed_polarizations

POLAR_CLASSES = {'1': 3, 'm': 2, '2': 1, 'mm2': 1, '3': 1, '3m': 1, '4': 1, '4mm': 1, '6': 1, '6mm': 1}
#: every order of a solution divides it: 1, 2, 3, 4 and 6 occur
GRID = 12


def primitive_rotations(hall_number: int) -> np.ndarray:
    """Point operations of a setting in a primitive basis made of its own centring translations."""
    operations = spglib.get_symmetry_from_database(hall_number)
    identity = np.all(operations['rotations'] == np.eye(3, dtype=int), axis=(1, 2))
    basis = shortest_basis(operations['translations'][identity])
    inverse = np.linalg.inv(basis)
    return np.rint(inverse @ np.unique(operations['rotations'], axis=0) @ basis).astype(int)


def shortest_basis(translations: np.ndarray) -> np.ndarray:
    """Columns: shortest independent vectors of volume 1/len(translations) among the translations and their images."""
    images = (translations[:, None] + list(itertools.product((-1, 0, 1), repeat=3))).reshape(-1, 3)
    ordered = images[np.argsort(np.linalg.norm(images, axis=1), kind='stable')][1:]
    volume = 1 / len(translations)
    return next(
        np.array(vectors).T
        for vectors in itertools.combinations(ordered, 3)
        if math.isclose(abs(np.linalg.det(np.array(vectors))), volume, rel_tol=1e-6)
    )


@pytest.fixture(scope='module')
def settings():
    kinds = [spglib.get_spacegroup_type(hall) for hall in range(1, 531)]
    return [(kind, primitive_rotations(hall)) for hall, kind in enumerate(kinds, start=1)]


def test_every_setting_agrees_with_brute_force(settings):
    grid = np.array(list(itertools.product(range(GRID), repeat=3)))
    for kind, rotations in settings:
        allowed = allowed_polarizations(rotations)
        conditions = np.unique((rotations - np.eye(3, dtype=int)).reshape(-1, 3), axis=0)
        solutions = np.all(grid @ conditions.T % GRID == 0, axis=1).sum()
        assert solutions == math.prod(order or GRID for order in allowed.orders), kind


def test_members_satisfy_the_condition_exactly(settings):
    for kind, rotations in settings:
        allowed = allowed_polarizations(rotations)
        members = set(allowed.discrete)
        assert len(members) == math.prod(order or 1 for order in allowed.orders), kind
        for member, rotation in itertools.product(members, rotations.tolist()):
            image = [sum((w * p for w, p in zip(row, member, strict=True)), Fraction(0)) for row in rotation]
            assert all((new - old).denominator == 1 for new, old in zip(image, member, strict=True)), kind


def test_continuous_directions_exist_in_the_ten_polar_classes_only(settings):
    for kind, rotations in settings:
        continuous = allowed_polarizations(rotations).continuous
        assert len(continuous) == POLAR_CLASSES.get(kind.pointgroup_international, 0), kind
        for direction in continuous:
            assert np.all(rotations @ direction == direction), kind


def test_settings_of_one_group_agree(settings):
    by_number: dict[int, set] = {}
    for kind, rotations in settings:
        by_number.setdefault(kind.number, set()).add(allowed_polarizations(rotations).orders)
    assert all(len(orders) == 1 for orders in by_number.values())


@pytest.mark.parametrize(
    ('hall_number', 'centring', 'expected'),
    [
        (2, 'P', list(itertools.product(('0', '1/2'), repeat=3))),  # P-1: every inversion-symmetric vector
        (517, 'P', [('0', '0', '0'), ('1/2', '1/2', '1/2')]),  # Pm-3m, perovskites
        (523, 'F', [('0', '0', '0'), ('1/2', '1/2', '1/2')]),  # Fm-3m, rock salt
        (525, 'F', [('0', '0', '0'), ('1/2', '1/2', '1/2')]),  # Fd-3m, diamond
        (512, 'F', [(f, f, f) for f in ('0', '1/4', '1/2', '3/4')]),  # F-43m, zincblende
        (485, 'P', [('0', '0', '0'), ('0', '0', '1/2')]),  # P6/mmm
    ],
)
def test_known_groups(hall_number, centring, expected):
    rotations = spglib.get_symmetry_from_database(hall_number)['rotations']
    basis = CENTRINGS[centring]
    allowed = allowed_polarizations(np.rint(np.linalg.inv(basis) @ rotations @ basis))
    assert allowed.discrete == tuple(sorted(tuple(map(Fraction, member)) for member in expected))
    assert allowed.is_fixed


def test_nearest_member_and_distance():
    rotations = spglib.get_symmetry_from_database(517)['rotations']
    member, residual = allowed_polarizations(rotations).nearest([1.51, -0.52, 0.5])
    assert member == (Fraction(1, 2),) * 3
    assert residual == pytest.approx(0.02)


def test_nearest_member_ignores_continuous_directions():
    rotations = spglib.get_symmetry_from_database(376)['rotations']  # P4mm
    allowed = allowed_polarizations(rotations)
    assert allowed.continuous == ((0, 0, 1),)
    member, residual = allowed.nearest([0.5, 0.5, 0.123])
    assert member[:2] == (Fraction(1, 2), Fraction(1, 2))
    assert residual == pytest.approx(0.0, abs=1e-12)
