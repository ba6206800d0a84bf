"""Paths from a reference: which atoms go where, which references are refused, branches of exact models."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from aiida_foundry.analysis.crystal import Cell, space_group
from aiida_foundry.analysis.polarization.path import (
    centrosymmetric_reference,
    check_polar,
    check_reference,
    has_inversion,
    make_path,
    site_charges,
)
from aiida_foundry.analysis.polarization.spontaneous import first_fractions, further_fractions, spontaneous_record
from aiida_foundry.common.errors import InputError

A, C, U = 3.110, 4.980, 0.3821


def cell_of(structure: Structure) -> Cell:
    return Cell(structure.lattice.matrix, structure.frac_coords, np.array(structure.atomic_numbers))


def wurtzite(u: float = U) -> Cell:
    sites = [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, u]]
    return cell_of(Structure.from_spacegroup('P6_3mc', Lattice.hexagonal(A, C), ['Al', 'N'], sites))


def flat() -> Cell:
    sites = [[1 / 3, 2 / 3, 1 / 4], [1 / 3, 2 / 3, 3 / 4]]
    return cell_of(Structure.from_spacegroup('P6_3/mmc', Lattice.hexagonal(A, C), ['Al', 'N'], sites))


def zincblende(cation: str = 'Al', anion: str = 'N') -> Cell:
    return cell_of(Structure(Lattice(2.19 * (1 - np.eye(3))), [cation, anion], [[0, 0, 0], [0.25] * 3]))


def perovskite(c: float = 4.1, shifts: tuple[float, float, float] = (0.03, 0.10, 0.11)) -> Cell:
    titanium, apex, plane = shifts
    positions = [[0, 0, 0], [0.5, 0.5, 0.5 + titanium], [0.5, 0.5, apex], [0.5, 0, 0.5 + plane], [0, 0.5, 0.5 + plane]]
    return cell_of(Structure(Lattice.tetragonal(3.9, c), ['Pb', 'Ti', 'O', 'O', 'O'], positions))


def test_reference_of_wurtzite_is_the_flat_hexagonal_structure():
    reference = centrosymmetric_reference(wurtzite())
    assert space_group(reference, 1e-4) == ('P6_3/mmc', 194)
    path = make_path(reference, wurtzite())
    # Al and N part by (½ − u) c, half of it each
    assert path.longest_move == pytest.approx((0.5 - U) * C / 2)
    assert path.image(1.0).positions == pytest.approx(wurtzite().positions)
    assert space_group(path.image(0.5), 1e-4)[0] == 'P6_3mc'


def test_reference_of_a_ferroelectric_perovskite_keeps_its_cell():
    reference = centrosymmetric_reference(perovskite())
    assert space_group(reference, 1e-4) == ('P4/mmm', 123)
    assert reference.lattice == pytest.approx(perovskite().lattice)


def test_order_and_origin_of_the_reference_do_not_matter():
    reference = perovskite(3.9, (0, 0, 0))
    order = [4, 1, 3, 0, 2]
    moved = Cell(reference.lattice, (reference.positions[order] + [0.3, 0.1, 0.7]) % 1, reference.numbers[order])
    expected, found = make_path(reference, perovskite()), make_path(moved, perovskite())
    assert found.displacements == pytest.approx(expected.displacements)
    assert found.displacements.mean(axis=0) == pytest.approx([0, 0, 0], abs=1e-12)
    assert space_group(found.image(0.0), 1e-4) == ('Pm-3m', 221)


def test_atoms_move_across_the_cell_boundary():
    low, high = perovskite(4.1, (0, -0.02, 0)), perovskite(4.1, (0, 0.02, 0))
    assert np.abs(make_path(low, high).displacements).max() < 0.05


@pytest.mark.parametrize('pair', [('Al', 'N'), ('Zn', 'S')])
def test_zincblende_is_refused_as_a_reference(pair):
    """Also where counting modulo e gives ½: modulo 2e zinc sulfide has ¾."""
    with pytest.raises(InputError, match=r'F-43m allows a formal polarization of \(1/4, 1/4, 1/4\) quanta'):
        check_reference(zincblende(*pair))


def test_polar_reference_is_refused():
    with pytest.raises(InputError, match=r'it is polar itself \(P6_3mc\)'):
        check_reference(wurtzite())


@pytest.mark.parametrize('reference', [flat(), perovskite(3.9, (0, 0, 0))], ids=['AlN', 'PbTiO3'])
def test_centrosymmetric_references_are_taken(reference):
    assert has_inversion(reference)
    check_reference(reference)


def test_references_without_inversion_that_symmetry_pins_are_taken():
    """Space group P222 allows 0 and ½ only."""
    structure = Structure.from_spacegroup(
        'P222', Lattice.orthorhombic(4, 5, 6), ['Si', 'O'], [[0, 0, 0], [0.1, 0.2, 0.3]]
    )
    reference = cell_of(structure)
    assert not has_inversion(reference)
    check_reference(reference)


@pytest.mark.parametrize(('cell', 'group'), [(zincblende(), 'F-43m'), (flat(), 'P6_3/mmc')])
def test_crystals_that_are_not_polar_are_refused(cell, group):
    with pytest.raises(InputError, match=f'space group {group} is not polar'):
        check_polar(cell)


def test_crystal_with_inversion_has_no_path():
    with pytest.raises(InputError, match='it has an inversion centre'):
        centrosymmetric_reference(flat())


@pytest.mark.parametrize(
    ('reference', 'message'),
    [
        (zincblende(), r'has 2 atoms that are not those of the crystal \(4\)'),
        (Cell(1.3 * flat().lattice, flat().positions, flat().numbers), 'lattice vector changes by 30%'),
    ],
)
def test_references_that_do_not_correspond(reference, message):
    with pytest.raises(InputError, match=message):
        make_path(reference, wurtzite())


def test_charges_are_guessed_or_given():
    assert site_charges(wurtzite()).tolist() == [3, 3, -3, -3]
    assert site_charges(perovskite(), {'Pb': 2, 'Ti': 4, 'O': -2}).tolist() == [2, 4, -2, -2, -2]
    with pytest.raises(InputError, match='add up to'):
        site_charges(wurtzite(), {'Al': 3, 'N': -2})


def model_phases(path, fractions, charges, modulus, seed=0):
    """Return phases of ions with Born charges in place of nominal ones, each wrapped as an engine would."""
    moved = np.outer(fractions, np.asarray(charges) @ path.displacements) + 0.5
    jumps = np.random.default_rng(seed).integers(-2, 3, size=moved.shape)
    return (moved + modulus * jumps).tolist()


BORN = np.array([3.9, 7.1, -5.8, -2.6, -2.6])
"""Of PbTiO3 along the axis: Ghosez, Michenaud and Gonze, PRB 58, 6224 (1998)."""


@pytest.mark.parametrize('modulus', [1, 2])
def test_branch_of_anomalous_charges_is_found_by_adding_images(modulus):
    """P = Σ Z* u exactly, from images that are added until no step is in doubt."""
    crystal = perovskite(4.19, (0.035, 0.11, 0.115))
    path = make_path(perovskite(3.88, (0, 0, 0)), crystal)
    nominal = site_charges(crystal)
    fractions = list(first_fractions(path, nominal, modulus))
    for _ in range(5):
        phases = model_phases(path, fractions, BORN, modulus)
        further = further_fractions(path, fractions, phases, modulus, nominal)
        if not further:
            break
        fractions = sorted([*fractions, *further])
    record = spontaneous_record(path, fractions, phases, modulus, nominal)
    expected = BORN @ path.displacements @ crystal.lattice / np.linalg.det(crystal.lattice) * 16.02176634
    assert record['cartesian'] == pytest.approx(expected)
    assert record['magnitude'] == pytest.approx(np.linalg.norm(expected))
    assert record['largest_step'] < 0.25
    assert len(fractions) <= 17


def test_open_branch_is_refused():
    path = make_path(flat(), wurtzite())
    change = np.array([3, 3, -3, -3]) @ path.displacements[:, 2]
    with pytest.raises(InputError, match='between images 0 and 1'):
        spontaneous_record(path, [0.0, 1.0], [[0, 0, 0], [0, 0, change + 0.4]], 1, [3, 3, -3, -3])


def test_phases_that_symmetry_keeps_may_be_missing():
    path = make_path(flat(), wurtzite())
    change = np.array([3, 3, -3, -3]) @ path.displacements[:, 2]
    record = spontaneous_record(path, [0.0, 1.0], [[None, None, 0.0], [None, None, change]], 1, [3, 3, -3, -3])
    assert record['cartesian'][:2] == [0.0, 0.0]
    assert record['change'] == pytest.approx([0, 0, change])
    with pytest.raises(InputError, match='image 1 of the path'):
        spontaneous_record(path, [0.0, 1.0], [[0.0, 0.0, 0.0], [None, 0.0, 0.0]], 1, [3, 3, -3, -3])
