"""Heterostructures by their geometry: bond lengths, registries, symmetry and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import spglib
from ase import Atoms
from ase.neighborlist import neighbor_list

from aiida_foundry.common.errors import InputError
from aiida_foundry.structures.interfaces.build import build, bulk_cells, match_of
from aiida_foundry.structures.interfaces.spec import parse_spec

BOND = 3.57 * np.sqrt(3) / 4


def atoms_of(cell):
    return Atoms(numbers=cell.numbers, scaled_positions=cell.positions, cell=cell.lattice, pbc=True)


@pytest.mark.parametrize('layers', [2, 3, 4])
def test_zincblende_superlattice_is_tetrahedral_everywhere(crystals, spec_of, layers):
    """Two lattices of equal size continue each other: every atom has four bonds of the bulk length, at both ends."""
    result = build(crystals['BN'], crystals['C'], spec_of('BN', 'C', (1, 1, 1), layers=layers))
    first, distance = neighbor_list('id', atoms_of(result.cell), 1.1 * BOND)
    assert np.bincount(first).tolist() == [4] * (4 * layers)
    assert distance == pytest.approx(np.full(16 * layers, BOND))


def test_layout(crystals, spec_of):
    layout = build(crystals['BN'], crystals['C'], spec_of('BN', 'C', (1, 1, 1))).layout
    period = 3.57 / np.sqrt(3)
    assert [slab['name'] for slab in layout['slabs']] == ['substrate', 'film']
    assert [slab['period'] for slab in layout['slabs']] == pytest.approx([period] * 2)
    assert [slab['top'] for slab in layout['slabs']] == pytest.approx([3 * period, 6 * period])
    assert [interface['height'] for interface in layout['interfaces']] == pytest.approx([3 * period, 0.0], abs=1e-9)
    assert [interface['label'] for interface in layout['interfaces']] == ['C/N', 'B/C']
    assert layout['area'] == pytest.approx(3.57**2 * np.sqrt(3) / 4)
    assert layout['surfaces'] == []


def test_perovskites_put_cations_on_cations(crystals, spec_of):
    """The planes LaO and SrO have equal sites, turned by half a cell: electronegativity tells which is which."""
    spec = spec_of(
        'LaAlO3', 'SrTiO3', (0, 0, 1), layers=2, film_side={'termination': 0}, substrate_side={'termination': 0}
    )
    result = build(crystals['LaAlO3'], crystals['SrTiO3'], spec)
    columns = {}
    for number, position in zip(result.cell.numbers, result.cell.positions, strict=True):
        columns.setdefault(int(number), set()).add(tuple((position[:2] % 1).round(3) % 1))
    assert columns[57] == columns[38]
    assert columns[13] == columns[22]
    assert columns[57] != columns[13]


def test_strain_is_taken_by_the_film(crystals, spec_of):
    for share, constant in ((1.0, 3.905), (0.0, 3.79)):
        spec = spec_of('LaAlO3', 'SrTiO3', (0, 0, 1), film_share=share)
        assert build(crystals['LaAlO3'], crystals['SrTiO3'], spec).layout['area'] == pytest.approx(constant**2)
        film, substrate = bulk_cells(match_of(crystals['LaAlO3'], crystals['SrTiO3'], spec), share)
        for cell, height in ((film, 3.79), (substrate, 3.905)):
            assert abs(np.linalg.det(cell.lattice)) == pytest.approx(constant**2 * height)


def test_symmetric_superlattice_has_two_equal_interfaces(crystals, spec_of):
    """(LaAlO3)1.5/(SrTiO3)1.5 by one more plane on both sides: a mirror relates the two interfaces."""
    spec = spec_of(
        'LaAlO3', 'SrTiO3', (0, 0, 1), layers=1, film_side={'symmetric': True}, substrate_side={'symmetric': True}
    )
    result = build(crystals['LaAlO3'], crystals['SrTiO3'], spec)
    labels = [interface['label'] for interface in result.layout['interfaces']]
    assert set(labels[0].split('/')) == set(labels[1].split('/'))
    rotations = spglib.get_symmetry(tuple(result.cell), symprec=1e-3)['rotations']
    assert any(rotation[2, 2] == -1 for rotation in rotations)


def test_slab_has_vacuum_along_the_normal(crystals, spec_of):
    result = build(crystals['BN'], crystals['C'], spec_of('BN', 'C', (1, 1, 1), kind='slab', layers=2, vacuum=12.0))
    top = result.layout['slabs'][-1]['top']
    assert result.layout['orthogonal']
    assert result.cell.lattice[2] == pytest.approx([0, 0, top + 12.0])
    assert len(result.layout['interfaces']) == 1
    assert [place['height'] for place in result.layout['surfaces']] == pytest.approx([0.0, top])


def test_symmetric_slab(crystals, spec_of):
    """The film on both sides of diamond: inverted, bonded alike, nothing but vacuum between the surfaces."""
    result = build(crystals['BN'], crystals['C'], spec_of('BN', 'C', (1, 1, 1), kind='symmetric-slab', layers=2))
    assert len(result.cell.numbers) == 12
    rotations = spglib.get_symmetry(tuple(result.cell), symprec=1e-3)['rotations']
    assert any(rotation[2, 2] == -1 for rotation in rotations)
    first, distance = neighbor_list('id', atoms_of(result.cell), 1.1 * BOND)
    assert distance == pytest.approx(np.full(len(first), BOND))
    labels = [interface['label'] for interface in result.layout['interfaces']]
    assert labels[0] == '/'.join(reversed(labels[1].split('/')))
    heights = result.cell.positions[:, 2] * result.cell.lattice[2, 2]
    for slab in result.layout['slabs']:
        inside = heights[slab['atoms']]
        assert slab['bottom'] < inside.min() <= inside.max() < slab['top']


def test_symmetric_slab_needs_a_symmetric_substrate(crystals, spec_of):
    with pytest.raises(InputError, match='no symmetry of the substrate'):
        build(crystals['C'], crystals['BN'], spec_of('C', 'BN', (1, 1, 1), kind='symmetric-slab'))


def test_gap_and_shift(crystals, spec_of):
    plain = build(crystals['BN'], crystals['C'], spec_of('BN', 'C', (1, 1, 1)))
    moved = build(crystals['BN'], crystals['C'], spec_of('BN', 'C', (1, 1, 1), gap=0.5, shift=(0.25, 0.5)))
    assert moved.cell.lattice[2, 2] - plain.cell.lattice[2, 2] == pytest.approx(1.0)
    film = plain.layout['slabs'][1]['atoms']
    before, after = (result.cell.positions[film] @ result.cell.lattice for result in (plain, moved))
    shift = np.array([0.25, 0.5]) @ plain.cell.lattice[:2, :2]
    difference = (after - before)[:, :2] - shift
    in_cells = difference @ np.linalg.inv(plain.cell.lattice[:2, :2])
    assert in_cells == pytest.approx(np.rint(in_cells), abs=1e-6)
    assert (after - before)[:, 2] == pytest.approx(np.full(len(film), 0.5))


def test_vacancy_at_the_interface(crystals, spec_of):
    side = {'vacancies': {'element': 'O', 'count': 1}}
    whole = build(crystals['LaAlO3'], crystals['SrTiO3'], spec_of('LaAlO3', 'SrTiO3', (0, 0, 1)))
    reconstructed = build(
        crystals['LaAlO3'], crystals['SrTiO3'], spec_of('LaAlO3', 'SrTiO3', (0, 0, 1), film_side=side)
    )
    assert (whole.cell.numbers == 8).sum() - (reconstructed.cell.numbers == 8).sum() == 1
    heights = [
        result.cell.positions[result.cell.numbers == 8, 2] * result.cell.lattice[2, 2]
        for result in (whole, reconstructed)
    ]
    film = whole.layout['slabs'][1]
    near = [((height > film['bottom']) & (height < film['bottom'] + 1.5)).sum() for height in heights]
    assert near[0] - near[1] == 1


@pytest.mark.parametrize(
    ('sides', 'message'),
    [
        ({'film_side': {'termination': 2}}, 'termination'),
        ({'film_side': {'vacancies': {'element': 'C'}}}, '1 vacancies of C'),
        ({'film_side': {'vacancies': {'element': 'N', 'choice': 3}}}, 'there are 1 arrangements'),
        ({'film_side': {'transformation': [[0, 1], [1, 0]]}}, 'not right-handed'),
    ],
)
def test_refused(crystals, spec_of, sides, message):
    with pytest.raises(InputError, match=message):
        build(crystals['BN'], crystals['C'], spec_of('BN', 'C', (1, 1, 1), **sides))


@pytest.mark.parametrize('change', [{'layers': 0}, {'termination': -1}, {'unknown': 1}, {'miller': [1, 1]}])
def test_spec_refuses(spec_of, change):
    values = spec_of('BN', 'C', (1, 1, 1)).model_dump()
    values['film'] |= change
    with pytest.raises(InputError, match='interface `film'):
        parse_spec(values)
