"""Structures that no calculation can be run on are refused with the reason."""

from __future__ import annotations

import numpy as np
import pytest
from aiida.orm import StructureData
from aiida_pseudo.data.pseudo import UpfData
from aiida_pseudo.groups.family import PseudoPotentialFamily

from aiida_foundry.analysis.crystal import Cell
from aiida_foundry.common.errors import InputError
from aiida_foundry.structures.checks import (
    check_even_electrons,
    check_family,
    check_geometry,
    check_structure_data,
    valence_electrons,
)

UPF = '<UPF version="2.0.1"><PP_HEADER\nelement="{}"\nz_valence="{}"\n/></UPF>'


def upf(element: str, z_valence: int) -> UpfData:
    import io

    return UpfData(io.BytesIO(UPF.format(element, z_valence).encode()), filename=f'{element}.upf')


def cubic(a: float, symbols: str = 'Si', positions: tuple = ((0, 0, 0),), pbc: tuple = (True, True, True)):
    structure = StructureData(cell=np.eye(3) * a, pbc=pbc)
    for symbol, position in zip(symbols.split(), positions, strict=True):
        structure.append_atom(symbols=symbol, position=np.array(position) * a)
    return structure


def test_sound_structure(aiida_profile):
    check_structure_data(cubic(5.0), 'x')


@pytest.mark.parametrize(
    ('positions', 'distance'), [(((0, 0, 0), (0.1, 0, 0)), '0.500'), (((0, 0, 0), (0, 0, 0.9)), '0.500')]
)
def test_overlap_counts_periodic_images(positions, distance):
    cell = Cell(np.eye(3) * 5.0, np.array(positions, dtype=float), np.array([14, 14]))
    with pytest.raises(InputError, match=rf'1 pairs.*{distance} Å'):
        check_geometry(cell, 'x')


def test_atom_overlaps_its_own_image():
    """A lattice constant in nm instead of Å."""
    with pytest.raises(InputError, match='closest are Si'):
        check_geometry(Cell(np.diag([1.1, 1.1, 1.1]), np.zeros((1, 3)), np.array([14])), 'x')


@pytest.mark.parametrize(
    ('symbols', 'distance'),
    [
        ('H H', 0.74),  # the molecule
        ('C C', 1.20),  # the triple bond
        ('Li Li', 1.9),  # Li at 80 GPa
    ],
)
def test_real_bonds_do_not_overlap(symbols, distance):
    check_geometry(Cell(np.eye(3) * 10, np.array([[0, 0, 0], [distance / 10, 0, 0]]), _numbers(symbols)), 'x')


def _numbers(symbols):
    from ase.data import atomic_numbers

    return np.array([atomic_numbers[symbol] for symbol in symbols.split()])


def test_flat_cell():
    with pytest.raises(InputError, match='volume'):
        check_geometry(Cell(np.diag([5.0, 5.0, 1e-3]), np.zeros((1, 3)), np.array([14])), 'x')


def test_slab_is_refused(aiida_profile):
    with pytest.raises(InputError, match='periodic along 2'):
        check_structure_data(cubic(5.0, pbc=(True, True, False)), 'x')


def test_partial_occupancies_of_a_node(aiida_profile):
    structure = StructureData(cell=np.eye(3) * 5)
    structure.append_atom(symbols=('Si', 'Ge'), weights=(0.5, 0.5), position=(0, 0, 0))
    with pytest.raises(InputError, match='partial occupancies'):
        check_structure_data(structure, 'x')


def test_unknown_element_of_a_node(aiida_profile):
    structure = StructureData(cell=np.eye(3) * 5)
    structure.append_atom(symbols='X', position=(0, 0, 0), name='X')
    with pytest.raises(InputError, match='`X` is not a chemical element'):
        check_structure_data(structure, 'x')


def test_family_lacks_an_element(aiida_profile):
    family = PseudoPotentialFamily(label='test').store()
    family.add_nodes([upf('Si', 4).store()])
    check_family(cubic(5.0), family)
    with pytest.raises(InputError, match='no pseudopotential of Ga'):
        check_family(cubic(5.0, 'Ga Si', ((0, 0, 0), (0.5, 0.5, 0.5))), family)


def test_odd_electrons(aiida_profile):
    structure = cubic(5.0, 'Al Si', ((0, 0, 0), (0.5, 0.5, 0.5)))
    pseudos = {'Al': upf('Al', 3), 'Si': upf('Si', 4)}
    assert valence_electrons(structure, pseudos) == 7
    with pytest.raises(InputError, match=r'odd number of electrons \(7\)'):
        check_even_electrons(structure, pseudos, 'x')
    check_even_electrons(cubic(5.0), pseudos, 'x')
