"""Faces of crystals: surface cells, symmetry, and which are different."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from pymatgen.core.surface import get_symmetrically_distinct_miller_indices
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from aiida_foundry.analysis.crystal import Cell
from aiida_foundry.analysis.matching import crystal_face, crystal_from_cell, distinct_faces
from aiida_foundry.analysis.matching.faces import mirror_images
from aiida_foundry.analysis.matching.lattices import determinant, transform
from aiida_foundry.common.errors import InputError

from .conftest import CELLS


@pytest.mark.parametrize('name', CELLS)
def test_basis(name, crystal):
    for face in distinct_faces(crystal(name), 2):
        a, b, c = face.vectors
        normal = face.reciprocal / np.linalg.norm(face.reciprocal)
        assert round(np.linalg.det(face.basis)) == 1
        np.testing.assert_allclose(np.cross(a, b) / np.linalg.norm(np.cross(a, b)), normal, atol=1e-9)
        assert c @ face.reciprocal == pytest.approx(1)
        # The volume is the area times the distance of the planes: the surface cell is primitive.
        area = np.linalg.norm(np.cross(a, b))
        assert area / np.linalg.norm(face.reciprocal) == pytest.approx(abs(np.linalg.det(face.crystal.lattice)))
        nearest = min(np.linalg.norm(c + m * a + n * b) for m, n in itertools.product(range(-2, 3), repeat=2))
        assert np.linalg.norm(c) == pytest.approx(nearest)
        millers = face.crystal.conventional @ face.reciprocal
        np.testing.assert_allclose(millers / np.abs(millers).max(), face.miller / np.abs(face.miller).max(), atol=1e-9)


@pytest.mark.parametrize('name', CELLS)
def test_symmetry_keeps_the_surface_lattice(name, crystal):
    for face in distinct_faces(crystal(name), 1):
        images = transform(np.tile(face.form, (len(face.symmetry), 1)), face.symmetry)
        np.testing.assert_allclose(images, np.tile(face.form, (len(images), 1)), rtol=1e-6, atol=1e-6)
        assert set(determinant(face.symmetry)) <= {1, -1}
        assert len(np.unique(face.symmetry, axis=0)) == len(face.symmetry)


@pytest.mark.parametrize(
    ('name', 'orders'),
    [
        ('Cu', {(1, 0, 0): 8, (1, 1, 0): 4, (1, 1, 1): 6}),
        ('cBN', {(1, 0, 0): 4, (1, 1, 0): 2, (1, 1, 1): 6, (1, 1, -1): 6}),
        ('GaAs', {(1, 0, 0): 4, (1, 1, 0): 2, (1, 1, 1): 6, (1, 1, -1): 6}),
    ],
)
def test_surface_point_groups(name, orders, crystal):
    """fcc: 4mm, 2mm, 3m; zincblende 2mm, m, 3m and its opposite."""
    assert {face.miller: len(face.symmetry) for face in distinct_faces(crystal(name), 1)} == orders


@pytest.mark.parametrize('name', ['Cu', 'Po', 'MgO', 'TiO2', 'AlN'])
@pytest.mark.parametrize('largest', [1, 2])
def test_number_of_faces_is_that_of_pymatgen(name, largest, crystal, structure):
    """pymatgen has the faces of the Laue class of its standard cell."""
    faces = distinct_faces(crystal(name), largest, laue=True)
    conventional = SpacegroupAnalyzer(structure(name)).get_conventional_standard_structure()
    assert len(faces) == len(get_symmetrically_distinct_miller_indices(conventional, largest))


@pytest.mark.parametrize(
    ('name', 'number'),
    [('Po', 3), ('Cu', 3), ('cBN', 4), ('oblique', 26), ('SiO2', 8)],
)
def test_number_of_faces_under_rotations(name, number, crystal):
    """P1: all 26. Zincblende (T): {111} splits. Quartz (32): c, m, a and its opposite, r, z, s and its opposite."""
    assert len(distinct_faces(crystal(name), 1)) == number


@pytest.mark.parametrize('name', CELLS)
def test_mirror_images(name, crystal):
    made = crystal(name)
    faces = distinct_faces(made, 2)
    images = mirror_images(faces)
    if name in {'oblique', 'nearly cubic', 'SiO2'}:
        assert images is None
        return
    assert [images[image] for image in images] == list(range(len(faces)))
    for face, image in zip(faces, images, strict=True):
        assert (faces[image] is face) == (determinant(face.symmetry) == -1).any()
        mirrored = distinct_lengths(face), distinct_lengths(faces[image])
        np.testing.assert_allclose(*mirrored, rtol=1e-6)


def distinct_lengths(face):
    a, b, _ = face.vectors
    return sorted([np.linalg.norm(a), np.linalg.norm(b)])


def test_any_cell_gives_the_same_primitive_cell(structure, crystal):
    given = structure('AlN')
    supercell = given.make_supercell([[2, 1, 0], [0, 3, 0], [0, 0, 1]], in_place=False)
    for other in (given, supercell):
        made = crystal(other)
        assert len(made.cell.numbers) == 4
        assert len(made.rotations) == 12
        assert np.linalg.det(made.lattice) == pytest.approx(given.volume)


def test_primitive_cell_holds_the_atoms_of_the_given_one(structure, crystal):
    given = structure('cBN')
    made = crystal(given)
    difference = (given.cart_coords[:, None] - made.cell.positions @ made.lattice) @ np.linalg.inv(made.lattice)
    distance = np.abs(difference - np.rint(difference)).max(axis=2)
    np.testing.assert_array_equal(made.cell.numbers[distance.argmin(axis=1)], given.atomic_numbers)
    assert distance.min(axis=1).max() < 1e-9


def test_face_of_given_indices(crystal):
    """{111} of a face-centred cubic crystal: a hexagonal cell of area √3/4 a²."""
    face = crystal_face(crystal('Cu'), (-1, 1, 1))
    a, b, _ = face.vectors
    assert np.linalg.norm(np.cross(a, b)) == pytest.approx(np.sqrt(3) / 4 * 3.615**2)
    np.testing.assert_allclose(face.crystal.conventional @ face.reciprocal, [-1, 1, 1], atol=1e-9)


@pytest.mark.parametrize('miller', [(0, 0, 0), (2, 0, 0), (2, -2, 4)])
def test_indices_with_a_common_divisor(miller, crystal):
    with pytest.raises(InputError, match='not coprime'):
        crystal_face(crystal('Cu'), miller)


def test_bad_crystals():
    with pytest.raises(InputError, match='one plane'):
        crystal_from_cell(Cell(np.ones((3, 3)), np.zeros((1, 3)), np.array([1])))
    with pytest.raises(InputError, match='overlapping'):
        crystal_from_cell(Cell(3 * np.eye(3), np.array([[0, 0, 0], [0.001, 0, 0]]), np.array([1, 1])))


def test_miller_index_below_one(crystal):
    with pytest.raises(InputError, match='largest Miller index 0'):
        distinct_faces(crystal('Cu'), 0)
