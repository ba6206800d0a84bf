"""All coherent matches of two crystals: exact cases, completeness, invariance, and what the match objects reproduce."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymatgen.analysis.interfaces.zsl import ZSLGenerator, gen_sl_transform_matrices, reduce_vectors
from pymatgen.core import Lattice, Structure
from scipy.linalg import expm
from scipy.spatial.transform import Rotation

from aiida_foundry.analysis.matching import LengthAngleLimit, StrainLimit, distinct_faces, find_matches
from aiida_foundry.analysis.matching.lattices import determinant, gram
from aiida_foundry.analysis.matching.limits import largest_strain, strain_coordinates
from aiida_foundry.common.errors import InputError

EXACT = StrainLimit(1e-6)


def matches(film, substrate, area, limit=EXACT, miller=1):
    return list(find_matches(film, substrate, max_miller=miller, max_area=area, limit=limit))


def between(found, film, substrate):
    """Return the matches of two faces."""
    return [match for match in found if match.film.miller == film and match.substrate.miller == substrate]


def simple(lattice):
    return Structure(lattice, ['Po'], [[0, 0, 0]])


# ---------------------------------------------------------------------------------------------------- exact cases


@pytest.mark.parametrize('name', ['Po', 'cBN', 'AlN', 'oblique'])
def test_a_crystal_matches_itself(name, crystal):
    made = crystal(name)
    found = matches(made, made, 40.0)
    for face in distinct_faces(made, 1):
        if np.linalg.norm(np.cross(*face.vectors[:2])) <= 40:
            smallest = between(found, face.miller, face.miller)[0]
            assert determinant(smallest.film.transformation) == determinant(smallest.substrate.transformation) == 1
            np.testing.assert_allclose(smallest.strain, 0, atol=1e-9)


def test_square_coincidence_lattices(crystal):
    """Σ of the square lattice: products of primes 4n + 1, one rotation (and its mirror image) per pair of factors.

    P. H. Pleasants, M. Baake and J. Roth, J. Math. Phys. 37, 1029 (1996), table for N = 4.
    """
    square = crystal(simple(Lattice.tetragonal(3.0, 200.0)))
    found = matches(square, square, 9.0 * 65)
    once = {1, 5, 13, 17, 25, 29, 37, 41, 53, 61}
    assert Counter(round(m.area / 9) for m in found) == {**dict.fromkeys(once, 1), 65: 2}


def test_hexagonal_coincidence_lattices(crystal):
    """Σ of the hexagonal lattice: products of primes 6n + 1 (the same paper, N = 6)."""
    hexagonal = crystal(simple(Lattice.hexagonal(3.0, 200.0)))
    cell = 9 * np.sqrt(3) / 2
    found = matches(hexagonal, hexagonal, cell * 50)
    assert Counter(round(m.area / cell) for m in found) == {1: 1, 7: 1, 13: 1, 19: 1, 31: 1, 37: 1, 43: 1, 49: 1}


@pytest.mark.parametrize(
    ('film', 'substrate', 'multiple'),
    [
        (Lattice.tetragonal(3.0, 30.0), Lattice.tetragonal(3.0 * np.sqrt(2), 30.0), 2),
        (Lattice.hexagonal(3.0, 30.0), Lattice.hexagonal(3.0 * np.sqrt(3), 30.0), 3),
        (Lattice.hexagonal(3.0, 30.0), Lattice.hexagonal(3.0 * np.sqrt(7), 30.0), 7),
    ],
    ids=['√2×√2 R45', '√3×√3 R30', '√7×√7 R19'],
)
def test_rotated_superlattices(film, substrate, multiple, crystal):
    match = matches(crystal(simple(film)), crystal(simple(substrate)), 80.0)[0]
    assert (determinant(match.film.transformation), determinant(match.substrate.transformation)) == (multiple, 1)
    assert match.max_strain < 1e-9
    angle = {2: 45, 3: 30, 7: np.degrees(np.arctan(np.sqrt(3) / 5))}[multiple]
    turn = np.degrees(Rotation.from_matrix(match.film.rotation @ match.substrate.rotation.T).magnitude())
    period = 90 if multiple == 2 else 60
    assert min(turn % period, -turn % period) == pytest.approx(angle)


def test_diamond_on_cubic_boron_nitride(crystal):
    """C/cBN(111): 1.3 %, 2 × 2 atoms per double layer, on both polar faces, parallel and turned by 60°."""
    found = matches(crystal('C'), crystal('cBN'), 6.0, StrainLimit(0.03))
    assert [m.substrate.miller for m in found] == [(1, 1, 1), (1, 1, 1), (1, 1, -1), (1, 1, -1)]
    for match in found:
        np.testing.assert_allclose(match.strain, np.log(3.615 / 3.567) * np.eye(2), atol=1e-9)
        assert match.area == pytest.approx(3.615 * 3.567 * np.sqrt(3) / 4)
        assert (match.film.atoms, match.substrate.atoms) == (2, 2)
    turns = [np.degrees(Rotation.from_matrix(m.film.rotation @ m.substrate.rotation.T).magnitude()) for m in found[:2]]
    assert sorted(round(turn) for turn in turns) != [0, 0]


def test_graphene_on_silicon_carbide(crystal):
    """The (6√3 × 6√3)R30° reconstruction: 13 × 13 cells of graphene on 108 of SiC(0001), 0.2 % (C. Riedl et al., 2010).

    Nothing smaller matches as well, and it is the only one of this area without rotation other than 30°.
    """
    graphene = crystal(
        Structure(Lattice.hexagonal(2.461, 20.0), ['C', 'C'], [[1 / 3, 2 / 3, 0.5], [2 / 3, 1 / 3, 0.5]])
    )
    found = matches(graphene, crystal('SiC'), 900.0, StrainLimit(0.0008))
    basal = [m for m in found if m.film.miller == (0, 0, 1) and m.substrate.miller in {(0, 0, 1), (0, 0, -1)}]
    sizes = [(int(determinant(m.film.transformation)), int(determinant(m.substrate.transformation))) for m in basal]
    assert (169, 108) in sizes


# ------------------------------------------------------------------------------------------- what is reproduced


@pytest.mark.parametrize(
    ('film', 'substrate'), [('MgO', 'cBN'), ('AlN', 'Al2O3'), ('SiO2', 'TiO2'), ('ZrO2', 'GaAs'), ('oblique', 'KNO')]
)
def test_transformations_reproduce_both_cells(film, substrate, crystal):
    sides = crystal(film), crystal(substrate)
    found = matches(*sides, 120.0, StrainLimit(0.05))
    assert len(found) > 5
    for match in found[:: max(1, len(found) // 12)]:
        deformation = np.eye(3)
        deformation[:2, :2] = expm(match.strain)
        pair = match.film, match.substrate
        lattices = [side.supercell @ made.lattice @ side.rotation.T for side, made in zip(pair, sides, strict=True)]
        np.testing.assert_allclose((lattices[0] @ deformation)[:2], lattices[1][:2], atol=1e-10)
        for lattice, side in zip(lattices, pair, strict=True):
            np.testing.assert_allclose(side.rotation @ side.rotation.T, np.eye(3), atol=1e-12)
            assert np.linalg.det(side.rotation) == pytest.approx(1)
            assert np.abs(lattice[:2, 2]).max() < 1e-10
            assert lattice[2, 2] * side.area == pytest.approx(np.linalg.det(lattice))
            assert lattice[2, 2] == pytest.approx(1 / np.linalg.norm(side.face.reciprocal))
            np.testing.assert_allclose(side.rotation @ side.face.reciprocal * lattice[2, 2], [0, 0, 1], atol=1e-10)
        assert match.max_strain <= 0.05
        assert max(match.film.area, match.substrate.area) <= 120


@pytest.mark.parametrize('share', [0.0, 0.5, 1.0])
def test_cells_are_the_strained_crystals(share, crystal):
    sides = crystal('MgO'), crystal('Al2O3')
    match = matches(*sides, 100.0, StrainLimit(0.05))[3]
    cells = match.cells(share)
    np.testing.assert_allclose(cells[0].lattice[:2], cells[1].lattice[:2], atol=1e-10)
    stretches = match.stretch(share), match.stretch(share - 1)
    for cell, side, made, stretch in zip(cells, (match.film, match.substrate), sides, stretches, strict=True):
        assert len(cell.numbers) == side.atoms
        assert Counter(cell.numbers) == {
            z: n * side.atoms // len(made.cell.numbers) for z, n in Counter(made.cell.numbers).items()
        }
        # Undone strain and rotation put every atom on a site of the crystal, and no two on the same.
        positions = cell.positions @ cell.lattice @ np.linalg.inv(stretch) @ side.rotation @ np.linalg.inv(made.lattice)
        offsets = positions[:, None] - made.cell.positions
        distance = np.abs(offsets - np.rint(offsets)).max(axis=2)
        assert distance.min(axis=1).max() < 1e-9
        np.testing.assert_array_equal(made.cell.numbers[distance.argmin(axis=1)], cell.numbers)
        assert len(np.unique(np.rint(cell.positions * 1e6), axis=0)) == len(cell.numbers)


def test_ranked_by_area_then_strain(crystal):
    found = matches(crystal('cBN'), crystal('TiO2'), 80.0, StrainLimit(0.05))
    ranks = [(round(match.area, 6), round(match.max_strain, 9)) for match in found]
    assert ranks == sorted(ranks)


def test_match_objects_are_made_lazily(crystal):
    made = crystal('oblique')
    iterator = find_matches(made, made, max_miller=1, max_area=60.0, limit=StrainLimit(0.02))
    assert iter(iterator) is iterator
    assert next(iterator).area <= next(iterator).area * (1 + 1e-9)


# -------------------------------------------------------------------------------------------------- completeness


def brute_force(film, substrate, area, limit):
    """Return the maps film⁻¹ substrate of all matches of two faces without symmetry, straight from the definition."""
    vectors = [np.linalg.qr(face.vectors[:2].T, mode='r').T for face in (film, substrate)]
    vectors = [v * [1, np.sign(np.linalg.det(v))] for v in vectors]
    rows = np.array(list(itertools.product(range(-4, 5), repeat=4))).reshape(-1, 2, 2)
    below = rows[(determinant(rows) > 0) & (determinant(rows) * np.linalg.det(vectors[1]) <= area)]
    found = set()
    for index in range(1, int(area / np.linalg.det(vectors[0])) + 1):
        for form in gen_sl_transform_matrices(index):
            # Short vectors, so that those of the substrate are among the integers tried.
            upper = np.rint(np.array(reduce_vectors(*(form @ vectors[0]))) @ np.linalg.inv(vectors[0]))
            upper[1] *= np.sign(np.linalg.det(upper))
            deformation = np.linalg.inv(upper @ vectors[0]) @ (below @ vectors[1])
            strains = np.abs(np.log(np.linalg.svd(deformation, compute_uv=False))).max(axis=1)
            maps = np.linalg.inv(upper) @ below[strains <= limit]
            found |= {tuple(m) for m in np.round(maps.reshape(-1, 4), 6) + 0.0}
    return found


@pytest.mark.parametrize(
    ('film', 'substrate', 'area'),
    [('nearly cubic', 'nearly cubic', 30.0), ('oblique', 'nearly cubic', 60.0), ('oblique', 'oblique', 60.0)],
)
def test_complete_against_brute_force(film, substrate, area, crystal):
    """Crystals without symmetry: every alignment of almost square and almost hexagonal cells is another interface."""
    sides = crystal(film), crystal(substrate)
    found = matches(*sides, area, StrainLimit(0.06))
    compared = []
    for upper, lower in itertools.product(*(distinct_faces(side, 1)[::5] for side in sides)):
        some = between(found, upper.miller, lower.miller)
        maps = [np.linalg.inv(m.film.transformation) @ m.substrate.transformation for m in some]
        unique = {tuple(m) for m in np.round(np.reshape(maps, (-1, 4)), 6) + 0.0}
        assert len(unique) == len(some)
        assert unique == brute_force(upper, lower, area, 0.06)
        compared.append(len(some))
    assert sum(compared) > 30


def of_pymatgen(upper, lower, area):
    """Yield pymatgen's matches of two faces: integer rows of the reduced superlattices on the surface vectors."""
    generator = ZSLGenerator(max_area=area, max_length_tol=0.03, max_angle_tol=0.01)
    for match in generator(upper.vectors[:2], lower.vectors[:2]):
        pair = (upper, match.film_sl_vectors), (lower, match.substrate_sl_vectors)
        yield [np.rint(np.linalg.lstsq(face.vectors[:2].T, np.array(rows).T)[0].T) for face, rows in pair]


@pytest.mark.parametrize(('film', 'substrate'), [('MgO', 'Cu'), ('AlN', 'Po'), ('GaAs', 'cBN')])
def test_every_map_of_zur_and_mcgill_is_found(film, substrate, crystal):
    """Each of pymatgen's matches is one of ours, the repetition of one, or equal to one by symmetry of the faces."""
    sides = crystal(film), crystal(substrate)
    found = matches(*sides, 100.0, LengthAngleLimit(0.03, 0.01))
    compared = 0
    for upper, lower in itertools.product(*(distinct_faces(side, 1) for side in sides)):
        ours = between(found, upper.miller, lower.miller)
        maps = [np.linalg.inv(m.film.transformation) @ m.substrate.transformation for m in ours]
        known = {image for each in maps for image in images(each, upper, lower)}
        for rows in of_pymatgen(upper, lower, 100):
            assert images(np.linalg.inv(rows[0]) @ rows[1], upper, lower) & known
            compared += 1
    assert compared > 5


def images(each, upper, lower):
    """Return a map between surface lattices under all symmetries of either, reflections of one alone included."""
    operations = itertools.product(upper.symmetry, lower.symmetry, (1, -1))
    return {tuple(np.round(sign * u @ each @ v, 6).ravel() + 0.0) for u, v, sign in operations}


@pytest.mark.parametrize(('film', 'substrate'), [('SiO2', 'nearly cubic'), ('ZrO2', 'oblique')])
def test_nothing_of_zur_and_mcgill_is_lost(film, substrate, crystal):
    """Chiral and oblique: pymatgen reflects one lattice at will, which here is the opposite or the mirrored face."""
    sides = crystal(film), crystal(substrate)
    found = matches(*sides, 120.0, LengthAngleLimit(0.03, 0.01))
    ours = set()
    for match in found:
        repeated = repetitions(match.film.transformation, match.substrate.transformation)
        areas = [round(side.area / repeated, 4) for side in (match.film, match.substrate)]
        ours.add((*areas, round(match.max_strain, 6)))
    compared = set()
    for upper, lower in itertools.product(*(distinct_faces(side, 1) for side in sides)):
        for rows in of_pymatgen(upper, lower, 120):
            cells = [each @ face.vectors[:2] for each, face in zip(rows, (upper, lower), strict=True)]
            places = [strain_coordinates(gram(cell)[None]) for cell in cells]
            repeated = repetitions(*rows)
            areas = [round(float(np.exp(place[0, 0])) / repeated, 4) for place in places]
            compared.add((*areas, round(float(largest_strain(*places)[0]), 6)))
    assert len(compared) > 5
    assert compared <= ours


def repetitions(film, substrate):
    """Return the area of a match in units of the smallest one with the same map."""
    rows = np.hstack([film, substrate]).astype(int)
    return np.gcd.reduce([round(np.linalg.det(rows[:, pair])) for pair in itertools.combinations(range(4), 2)])


# ------------------------------------------------------------------------------------------------------ invariance


def numbers(found):
    return sorted((round(m.area, 5), round(m.max_strain, 7), m.film.atoms, m.substrate.atoms) for m in found)


@pytest.mark.parametrize('name', ['cBN', 'AlN', 'oblique'])
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.tuples(st.permutations(range(3)), st.integers(-2, 2)), max_size=3),
    turn=st.integers(0, 2**32 - 1),
    left_handed=st.booleans(),
)
def test_invariant_under_cell_rotation_and_handedness_of_axes(name, steps, turn, left_handed, crystal, structure):
    given_structure = structure(name)
    basis = np.eye(3, dtype=int)
    for (i, j, _), multiple in steps:
        basis[i] += multiple * basis[j]
    if left_handed:
        basis[[0, 1]] = basis[[1, 0]]
    lattice = basis @ given_structure.lattice.matrix @ Rotation.random(random_state=turn).as_matrix().T
    other = Structure(lattice, given_structure.species, given_structure.frac_coords @ np.linalg.inv(basis))
    substrate = crystal('TiO2')
    expected = numbers(matches(crystal(name), substrate, 45.0, StrainLimit(0.04)))
    assert numbers(matches(crystal(other), substrate, 45.0, StrainLimit(0.04))) == expected


@pytest.mark.parametrize(('film', 'substrate'), [('cBN', 'SiO2'), ('ZrO2', 'TiO2'), ('oblique', 'AlN')])
def test_exchange_changes_only_the_sign_of_the_strain(film, substrate, crystal):
    sides = crystal(film), crystal(substrate)
    forth, back = (matches(*order, 50.0, StrainLimit(0.04)) for order in (sides, sides[::-1]))
    assert numbers(forth) == sorted((area, strain, n, m) for area, strain, m, n in numbers(back))
    traces = [
        sorted(round(sign * np.trace(m.strain), 7) + 0.0 for m in each) for sign, each in ((1, forth), (-1, back))
    ]
    assert traces[0] == traces[1]


def mirrored(structure):
    return Structure(structure.lattice.matrix * [1, 1, -1], structure.species, structure.frac_coords)


@pytest.mark.parametrize(('film', 'substrate'), [('cBN', 'AlN'), ('SiO2', 'TiO2'), ('SiO2', 'oblique')])
def test_mirror_image_of_both_crystals(film, substrate, crystal, structure):
    pair = structure(film), structure(substrate)
    expected = numbers(matches(*map(crystal, pair), 45.0, StrainLimit(0.04)))
    assert numbers(matches(*(crystal(mirrored(each)) for each in pair), 45.0, StrainLimit(0.04))) == expected


def test_film_is_not_turned_over(crystal):
    """The oblique face of a crystal fits itself, but not its opposite, whose lattice is the mirror image."""
    made = crystal('oblique')
    found = matches(made, made, 18.0)
    for face in distinct_faces(made, 1):
        opposite = tuple(-index for index in face.miller)
        fits = [m for m in between(found, face.miller, face.miller) if determinant(m.film.transformation) == 1]
        turned = [m for m in between(found, face.miller, opposite) if determinant(m.film.transformation) == 1]
        if np.linalg.norm(np.cross(*face.vectors[:2])) < 18:
            assert (len(fits), len(turned)) == (2, 0)


def test_both_polarities_of_a_polar_crystal(crystal):
    """Both polar faces on both polar faces: four combinations of AlN(0001); 6mm leaves one of each."""
    made = crystal('AlN')
    basal = [m for m in matches(made, made, 9.0) if m.film.miller in {(0, 0, 1), (0, 0, -1)}]
    assert Counter((m.film.miller[2], m.substrate.miller[2]) for m in basal) == dict.fromkeys(
        itertools.product((1, -1), repeat=2), 1
    )


def test_nothing_fits(crystal):
    assert matches(crystal('Po'), crystal('cBN'), 1.0) == []
    assert matches(crystal('Po'), crystal('cBN'), 30.0, StrainLimit(1e-5)) == []


def test_bad_area(crystal):
    with pytest.raises(InputError, match='largest area'):
        matches(crystal('Po'), crystal('Po'), -5.0)
