"""Strings of k-points: what symmetry joins has the same phase; means of phases on the circle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from aiida_foundry.analysis.crystal import Cell
from aiida_foundry.analysis.polarization.berry import find_constraints
from aiida_foundry.analysis.polarization.strings import average_phase, make_strings
from aiida_foundry.common.errors import InputError

IDENTITY = np.eye(3, dtype=int)[None]


def cell_of(structure: Structure) -> Cell:
    return Cell(structure.lattice.matrix, structure.frac_coords, np.array(structure.atomic_numbers))


def wurtzite() -> Structure:
    sites = [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.382]]
    return Structure.from_spacegroup('P6_3mc', Lattice.hexagonal(3.11, 4.98), ['Al', 'N'], sites)


def zincblende() -> Structure:
    return Structure(Lattice(1.8 * (1 - np.eye(3))), ['B', 'N'], [[0, 0, 0], [0.25] * 3])


def tetragonal() -> Structure:
    positions = [[0, 0, 0], [0.5, 0.5, 0.53], [0.5, 0.5, 0.1], [0.5, 0, 0.6], [0, 0.5, 0.6]]
    return Structure(Lattice.tetragonal(3.9, 4.1), ['Pb', 'Ti', 'O', 'O', 'O'], positions)


def periodic(direction: int, rotations: np.ndarray, seed: int):
    """Return a function of k with the invariances of a Berry phase: constant along g, periodic, even, symmetric."""
    generator = np.random.default_rng(seed)
    vectors = generator.integers(-3, 4, size=(12, 3))
    amplitudes = generator.normal(size=12)
    axis = np.eye(3)[direction]
    kept = [np.rint(np.linalg.inv(w)) for w in rotations]
    kept = [inverse for inverse in kept if np.array_equal(axis @ inverse, axis)]

    def phase(kpoint: np.ndarray) -> float:
        images = [kpoint @ inverse for inverse in kept]
        # R that are not perpendicular to g would make the function change along the string
        terms = [np.cos(2 * np.pi * k @ (vector - vector[direction] * axis)) for k in images for vector in vectors]
        return float(np.array(terms).reshape(len(images), -1).mean(axis=0) @ amplitudes)

    return phase


@pytest.mark.parametrize('structure', [wurtzite(), zincblende(), tetragonal()], ids=lambda s: s.formula)
@pytest.mark.parametrize('direction', [0, 1, 2])
def test_fewer_strings_have_the_same_mean(structure, direction):
    rotations = find_constraints(cell_of(structure)).rotations
    mesh, points = (4, 4, 6), 13
    reduced = make_strings(direction, mesh, points, rotations)
    full = make_strings(direction, mesh, points, IDENTITY)
    assert len(reduced.kpoints) < len(full.kpoints)
    assert reduced.weights.sum() == pytest.approx(1)
    phase = periodic(direction, rotations, seed=direction)
    means = [
        np.average([phase(k) for k in strings.kpoints[::points]], weights=strings.weights[::points])
        for strings in (reduced, full)
    ]
    assert means[0] == pytest.approx(means[1], abs=1e-9)


def test_strings_end_a_reciprocal_vector_after_their_start():
    strings = make_strings(1, (3, 5, 2), 7, IDENTITY)
    each = strings.kpoints.reshape(-1, 7, 3)
    assert each[:, -1] - each[:, 0] == pytest.approx(np.tile([0, 1, 0], (len(each), 1)))
    assert np.diff(each, axis=1) == pytest.approx(np.tile([0, 1 / 6, 0], (len(each), 6, 1)))


def test_time_reversal_alone_joins_pairs():
    """Of 4×4 strings, 4 are their own reverse."""
    assert len(make_strings(2, (4, 4, 1), 5, IDENTITY).kpoints) // 5 == (16 - 4) // 2 + 4


def test_rotations_that_reverse_the_string_do_not_join():
    """In 222 the axis along the string does what time reversal does; the others reverse the phase. mmm has mirrors."""
    twofold = [np.diag(signs) for signs in ([1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1])]
    orthorhombic = [*twofold, *(-w for w in twofold)]
    assert len(make_strings(2, (4, 4, 1), 5, twofold).kpoints) // 5 == 10
    assert len(make_strings(2, (4, 4, 1), 5, orthorhombic).kpoints) // 5 == 9


@given(st.lists(st.floats(-0.24, 0.24), min_size=1, max_size=20), st.floats(0, 1), st.integers(0, 2**31))
def test_mean_does_not_depend_on_where_the_circle_starts(spread, centre, seed):
    """Phases within half of the circle are joined there."""
    generator = np.random.default_rng(seed)
    weights = generator.uniform(0.1, 1, len(spread))
    phases = np.array(spread) + centre + generator.integers(-3, 4, len(spread))
    expected = np.average(spread, weights=weights) + centre
    difference = average_phase(phases, weights) - expected
    assert difference - round(difference) == pytest.approx(0, abs=1e-9)


def test_mean_across_the_cut():
    """What pw.x joins around the first string: 0.9 and 0.1 lie beside each other, 0.9 and 0.3 do too."""
    assert average_phase([0.9, 0.1], [1, 1]) % 1 == pytest.approx(0, abs=1e-12)
    assert average_phase([0.9, 0.1, 0.3], [1, 1, 1]) == pytest.approx(0.1)


def test_phases_all_around_the_circle_have_no_mean():
    with pytest.raises(InputError, match='spread over the circle'):
        average_phase([0, 0.2, 0.4, 0.6, 0.8], np.ones(5))
