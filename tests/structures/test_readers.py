"""Readers refuse what they would have to guess and make special positions exact."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiida_foundry.analysis.crystal import space_group
from aiida_foundry.common.errors import InputError
from aiida_foundry.structures.readers import SYMPREC, format_of, read_structure, reduce_structure, to_cell

EXAMPLES = Path(__file__).parents[2] / 'examples'

CIF = """data_x
_cell_length_a {a}
_cell_length_b {a}
_cell_length_c {c}
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma {gamma}
{symmetry}
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
{atoms}
"""
POSCAR = 'cubic\n4.0\n1 0 0\n0 1 0\n0 0 1\n{names}1 1\nDirect\n0 0 0\n0.5 0.5 0.5\n'
XYZ = '2\n{comment}\nCs 0 0 0\nCl 2 2 2\n'
LATTICE = 'Lattice="4 0 0 0 4 0 0 0 4" Properties=species:S:1:pos:R:3'


def cif(atoms: str, symmetry: str = '', a: float = 5.0, c: float = 5.0, gamma: float = 90) -> str:
    return CIF.format(atoms=atoms, symmetry=symmetry, a=a, c=c, gamma=gamma)


def test_silicon_from_the_crystallography_open_database():
    structure = read_structure((EXAMPLES / 'Si.cif').read_text(), 'Si.cif')
    assert len(structure) == 8
    reduced = reduce_structure(structure)
    assert reduced.composition.formula == 'Si2'
    assert reduced.volume == pytest.approx(5.4307**3 / 4, rel=1e-12)
    assert space_group(to_cell(reduced), 1e-8) == ('Fd-3m', 227)


@pytest.mark.parametrize('digits', [3, 4, 5])
def test_special_positions_become_exact(digits):
    """Wurtzite whose 1/3 and 2/3 are rounded in the file has its full symmetry to 1e-8 Å afterwards."""
    third, two = round(1 / 3, digits), round(2 / 3, digits)
    symmetry = "_symmetry_space_group_name_H-M 'P 63 m c'\n_symmetry_Int_Tables_number 186"
    text = cif(f'Al Al {third} {two} 0 1\nN N {third} {two} 0.385 1', symmetry, a=3.111, c=4.978, gamma=120)
    reduced = reduce_structure(read_structure(text, 'AlN.cif'))
    assert reduced.composition.formula == 'Al2 N2'
    assert space_group(to_cell(reduced), 1e-8)[1] == 186
    in_plane = reduced.frac_coords[:, :2]
    assert np.abs(in_plane * 3 - np.round(in_plane * 3)).max() < 1e-14


@settings(max_examples=25, deadline=None)
@given(st.floats(0.05, 0.45), st.floats(2.0, 8.0))
def test_reduction_keeps_free_parameters(u, ratio):
    """The internal parameter and the axes of a polar tetragonal crystal are not touched."""
    symmetry = "_symmetry_space_group_name_H-M 'P 4 m m'\n_symmetry_Int_Tables_number 99"
    text = cif(f'Pb Pb 0 0 0 1\nO O 0.5 0.5 {u:.6f} 1', symmetry, a=4.0, c=ratio)
    reduced = reduce_structure(read_structure(text, 'x.cif'), symprec=1e-4)
    assert reduced.lattice.abc == pytest.approx((4.0, 4.0, ratio), rel=1e-9)
    difference = (reduced.frac_coords[1] - reduced.frac_coords[0])[2] % 1.0
    assert min(abs(difference - u), abs(1 - difference - u)) < 2e-6


def test_conventional_cell_is_kept_without_reduction():
    structure = read_structure((EXAMPLES / 'Si.cif').read_text(), 'Si.cif')
    assert structure.lattice.abc == pytest.approx((5.4307,) * 3)


def test_oxidation_states_are_dropped():
    structure = read_structure(cif('Na1 Na1+ 0 0 0 1\nCl1 Cl1- 0.5 0.5 0.5 1'), 'NaCl.cif')
    assert {str(specie) for specie in structure.species} == {'Na', 'Cl'}


@pytest.mark.parametrize(
    ('text', 'reason'),
    [
        ('', 'empty'),
        (' \n', 'empty'),
        ('hello world', 'not a readable CIF'),
        ('data_x\n_foo bar\n', 'not a readable CIF'),
        (cif('Si1 Si abc 0 0 1'), 'abc'),
        (cif('Si1 Si ? ? ? 1'), 'not a readable CIF'),
        (cif('Si1 Si 0 0'), 'not a readable CIF'),
        (cif('Si1 Si 0 0 0 0.5'), 'partial occupancies'),
        (cif('Si1 Si 0 0 0 0.5\nGe1 Ge 0 0 0 0.5'), 'partial occupancies'),
        (cif('Si1 Si 0 0 0 1\nGe1 Ge 0 0 0 1'), 'share one position'),
        (cif('Xx1 Xx 0 0 0 1'), 'not a chemical element'),
        (cif('Si1 Si 0 0 0 1', gamma=180), 'no volume'),
        (cif('Si1 Si 0 0 0 1', a=0), 'no volume'),
        (cif('Si1 Si 0 0 0 1', "_chemical_formula_sum 'Si O2'"), 'not the formula it states'),
        (cif('Si1 Si 0 0 0 1') + cif('Ge1 Ge 0 0 0 1').replace('data_x', 'data_y'), 'holds 2 structures'),
    ],
)
def test_refused_cif(text, reason):
    with pytest.raises(InputError, match=reason) as caught:
        read_structure(text, 'bad.cif')
    assert caught.value.subject == 'structure `bad.cif`'
    assert caught.value.remedy


def test_poscar():
    structure = read_structure(POSCAR.format(names='Cs Cl\n'), 'CONTCAR')
    assert structure.composition.formula == 'Cs1 Cl1'
    assert structure.volume == pytest.approx(64.0)


@pytest.mark.parametrize(('text', 'reason'), [(POSCAR.format(names=''), 'false names'), ('x', 'not a readable POSCAR')])
def test_refused_poscar(text, reason):
    with pytest.raises(InputError, match=reason):
        read_structure(text, 'x.vasp')


def test_extended_xyz():
    structure = read_structure(XYZ.format(comment=LATTICE), 'cscl.extxyz')
    assert structure.composition.formula == 'Cs1 Cl1'
    assert space_group(to_cell(structure), SYMPREC) == ('Pm-3m', 221)


@pytest.mark.parametrize(
    ('text', 'reason'),
    [
        (XYZ.format(comment='a molecule'), 'no lattice'),
        (XYZ.format(comment=f'{LATTICE} pbc="T T F"'), 'no lattice'),
        (XYZ.format(comment=LATTICE) * 2, 'holds 2 structures'),
        ('2\n', 'not a readable xyz'),
    ],
)
def test_refused_xyz(text, reason):
    with pytest.raises(InputError, match=reason):
        read_structure(text, 'x.xyz')


@pytest.mark.parametrize('name', ['a.CIF', 'POSCAR_2', 'b.vasp', 'c.extxyz'])
def test_format_from_name(name):
    assert format_of(name) in {'cif', 'poscar', 'extxyz'}


def test_unknown_format():
    with pytest.raises(InputError, match='format cannot be told'):
        format_of('structure.json')
