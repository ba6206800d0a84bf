"""From Berry phases to formal polarizations: exact models of ions, what symmetry says, gaps."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from aiida_foundry.analysis.crystal import Cell
from aiida_foundry.analysis.gaps import MetallicBandsError
from aiida_foundry.analysis.polarization import formal_polarization
from aiida_foundry.analysis.polarization.berry import (
    electronic_phase,
    find_constraints,
    formal_record,
    insulating_gap,
    ionic_phases,
    wrap,
)
from aiida_foundry.analysis.polarization.convergence import next_points, phase_errors
from aiida_foundry.analysis.polarization.formal import COULOMB_PER_SQUARE_METRE


def cell_of(structure: Structure) -> Cell:
    return Cell(structure.lattice.matrix, structure.frac_coords, np.array(structure.atomic_numbers))


def wurtzite() -> Structure:
    sites = [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.382]]
    return Structure.from_spacegroup('P6_3mc', Lattice.hexagonal(3.11, 4.98), ['Al', 'N'], sites)


def zincblende(cation: str, anion: str) -> Structure:
    return Structure(Lattice(2.0 * (1 - np.eye(3))), [cation, anion], [[0, 0, 0], [0.25] * 3])


def rocksalt(cation: str, anion: str) -> Structure:
    return Structure(Lattice(2.1 * (1 - np.eye(3))), [cation, anion], [[0, 0, 0], [0.5] * 3])


@pytest.mark.parametrize(
    ('structure', 'independent', 'continuous'),
    [
        (zincblende('B', 'N'), (0,), ()),
        (rocksalt('Mg', 'O'), (0,), ()),
        (wurtzite(), (0, 2), (2,)),
        (Structure(Lattice.from_parameters(3, 4, 5, 80, 95, 100), ['Li', 'H'], [[0, 0, 0], [0.4, 0.3, 0.6]]),
         (0, 1, 2), (0, 1, 2)),
    ],
    ids=lambda value: value.formula if isinstance(value, Structure) else None,
)  # fmt: skip
def test_what_symmetry_leaves(structure, independent, continuous):
    constraints = find_constraints(cell_of(structure))
    assert constraints.independent() == independent
    assert constraints.continuous == continuous


def test_symmetric_directions_have_symmetric_phases():
    """For a lattice of point charges of each group: phases that are said to be equal are, whatever the charges."""
    for structure in (zincblende('B', 'N'), wurtzite()):
        cell = cell_of(structure)
        charges = np.where(cell.numbers == cell.numbers[0], 3, -3)
        phases = ionic_phases(cell.positions, charges)
        sources = find_constraints(cell).sources
        expected = np.array([sign * phases[source] for source, sign in sources])
        assert wrap(phases - expected, 1) == pytest.approx([0, 0, 0], abs=1e-9)


def test_moments_lower_the_symmetry():
    positions = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    cell = cell_of(Structure(Lattice.cubic(4), ['Sr', 'Ti', 'O', 'O', 'O'], positions))
    assert len(find_constraints(cell).rotations) == 48
    assert len(find_constraints(cell, [0, 0, 1, 0, 0]).rotations) == 16


@pytest.mark.parametrize(
    ('structure', 'valences', 'electrons', 'modulus'),
    [
        # electrons by Wannier centres on the anions, as PseudoDojo counts them
        (zincblende('B', 'N'), [3, 5], [0, 8], 1),
        (zincblende('Zn', 'S'), [20, 6], [18, 8], 2),
        (rocksalt('Mg', 'O'), [10, 6], [8, 8], 2),
    ],
    ids=['BN', 'ZnS', 'MgO'],
)
def test_closed_shells_give_the_ionic_member(structure, valences, electrons, modulus):
    """With every electron pair on an anion, phases modulo 2 are what charge counting says, parity included."""
    cell = cell_of(structure)
    electronic = dict(enumerate(-ionic_phases(cell.positions, electrons)))
    record = formal_record(cell, valences, electronic, modulus, find_constraints(cell))
    # BN has odd ions: modulo e only
    expected = formal_polarization(structure, quantum=modulus)
    difference = np.array(record['fractions']) - np.array(expected.member, dtype=float)
    assert wrap(difference, 1) == pytest.approx([0, 0, 0], abs=1e-9)
    assert record['symmetry']['residual'] == pytest.approx(0, abs=1e-9)
    quanta = np.array(record['quanta']) / COULOMB_PER_SQUARE_METRE
    assert quanta == pytest.approx(expected.quanta)
    assert record['cartesian'] == pytest.approx(np.array(record['fractions']) @ record['quanta'])


def test_phases_that_were_not_asked_for_are_none():
    cell = cell_of(wurtzite())
    record = formal_record(cell, [3, 3, 5, 5], {2: 0.2}, 1, find_constraints(cell))
    assert record['phases'][:2] == [None, None]
    assert record['cartesian'] is None
    assert record['phases'][2] == pytest.approx(wrap(0.2 + ionic_phases(cell.positions, [3, 3, 5, 5])[2], 1))
    assert 'residual' not in record['symmetry']


@given(st.floats(-20, 20), st.sampled_from([1, 2]))
def test_wrap(phase, modulus):
    wrapped = float(wrap(phase, modulus))
    assert -modulus / 2 - 1e-9 < wrapped <= modulus / 2 + 1e-8
    turns = (phase - wrapped) / modulus
    assert turns == pytest.approx(round(turns), abs=1e-9)


def test_half_a_quantum_is_positive():
    assert wrap([0.5, -0.5, 1.5], 1) == pytest.approx([0.5, 0.5, 0.5])


def test_pairs_count_twice_and_channels_once():
    weights, phases = [1, 3], [0.1, 0.3]
    assert electronic_phase(weights, [phases]) == pytest.approx(2 * 0.25)
    assert electronic_phase(weights, [phases, phases]) == pytest.approx(2 * 0.25)


def test_convergence_is_measured_against_symmetry_where_that_fixes_the_phase():
    cell = cell_of(wurtzite())
    constraints, ionic = find_constraints(cell), [0.0, 0.0, 0.1]
    assert constraints.allowed.discrete[0] == (Fraction(0), Fraction(0), Fraction(0))
    errors = phase_errors(constraints, ionic, {0: 0.003, 2: 0.25}, {})
    assert errors[0] == pytest.approx(0.003)
    assert errors[2] is None
    assert phase_errors(constraints, ionic, {0: 0.003, 2: 0.25}, {2: 1.26})[2] == pytest.approx(0.01)


def test_strings_grow():
    assert [next_points(points) for points in (4, 7, 9)] == [6, 10, 13]


BANDS = np.array([[[-2.0, 0.0, 3.0], [-1.0, -0.5, 2.0]]])


def test_gap_of_pairs_and_of_channels():
    assert insulating_gap([BANDS], (2,)) == {'direct': 2.5, 'indirect': 2.0}
    spin = np.concatenate([BANDS, BANDS + np.array([0.0, 1.0, 0.0])])
    # the second channel has one filled band: its empty one lies at 0.5
    assert insulating_gap([spin], (2, 1)) == {'direct': 1.5, 'indirect': 0.5}
    # a channel without electrons has empty bands only
    assert insulating_gap([np.array([BANDS[0], BANDS[0] + 4.0])], (2, 0)) == {'direct': 2.5, 'indirect': 2.0}


@pytest.mark.parametrize('shift', [2.0, 2.5])
def test_metal(shift):
    with pytest.raises(MetallicBandsError, match='valence maximum is at'):
        insulating_gap([BANDS - [0.0, 0.0, shift]], (2,))


def test_metal_that_only_strings_show():
    """Filled bands alone, and filled with empty ones, at further k-points of the same potential."""
    assert insulating_gap([BANDS, BANDS[..., :2] + 1.0], (2,))['indirect'] == pytest.approx(1.0)
    with pytest.raises(MetallicBandsError):
        insulating_gap([BANDS, BANDS[..., :2] + 2.0], (2,))
    with pytest.raises(MetallicBandsError):
        insulating_gap([BANDS, BANDS + 2.5], (2,))
