"""Which crystals take part, what their faces carry, and the reasons for leaving others out."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from aiida_foundry.analysis.interfaces.crystals import assess, face_fraction, matching_crystal
from aiida_foundry.analysis.interfaces.insulators import Sureness
from aiida_foundry.analysis.interfaces.properties import KnownProperties, parse_known, parse_parameters
from aiida_foundry.analysis.matching import crystal_face, distinct_faces
from aiida_foundry.analysis.polarization import formal_polarization
from aiida_foundry.common.errors import InputError


def assessed(structure, known=None, **parameters):
    return assess('it', structure, KnownProperties(**(known or {})), parse_parameters(parameters))


@pytest.mark.parametrize(
    ('name', 'fractions'),
    [
        ('SrTiO3', {0.0}),
        ('LaAlO3', {0.0, 0.5}),
        ('cBN', {0.5, 0.0, 0.25}),  # (100), (110), (111): Dreyer et al., PRX 6, 021038 (2016)
        ('C', {0.0}),
    ],
)
def test_takes_part(name, fractions, structure):
    found = assessed(structure(name))
    assert (found.reason, found.polarization) == ('', 'fixed')
    assert {min(value, 1 - value) for value in found.fractions} == fractions


def test_faces_are_projections_of_the_vector(structure):
    crystal = structure('cBN')
    formal = formal_polarization(crystal)
    for face in distinct_faces(matching_crystal(crystal), 2):
        area = np.linalg.norm(np.cross(*face.vectors[:2]))
        normal = face.reciprocal / np.linalg.norm(face.reciprocal)
        difference = formal.cartesian @ normal * area - face_fraction(formal, crystal, face)
        assert difference == pytest.approx(round(difference), abs=1e-9)


def test_opposite_faces_are_opposite(structure):
    crystal = structure('cBN')
    formal = formal_polarization(crystal)
    one, other = (crystal_face(matching_crystal(crystal), hkl) for hkl in ((1, 1, 1), (-1, -1, -1)))
    assert face_fraction(formal, crystal, one) + face_fraction(formal, crystal, other) == 1
    assert face_fraction(formal, crystal, one) in {0.25, 0.75}


def test_polar_crystal_needs_a_calculation_for_polar_faces_only(structure):
    found = assessed(structure('AlN'))
    assert (found.reason, found.polarization) == ('', 'polar')
    unknown = [np.isnan(value) for value in found.fractions]
    assert 0 < sum(unknown) < len(unknown)


def test_polar_crystal_with_a_berry_phase(structure):
    """Wurtzite AlN; any branch and any value along c is what symmetry allows, and is taken as given."""
    crystal = structure('AlN')
    formal = formal_polarization(crystal)
    quantum = formal.quanta[2, 2]
    vector = [0.0, 0.0, 0.37 * quantum * 16.02176634]
    found = assessed(crystal, {'polarization': vector})
    assert (found.reason, found.polarization) == ('', 'given')
    assert not np.isnan(found.fractions).any()
    basal = face_fraction(formal, crystal, crystal_face(matching_crystal(crystal), (0, 0, 1)), np.array([0, 0, 0.37]))
    assert basal == pytest.approx(0.37)
    assert min(abs(min(value, 1 - value) - 0.37) for value in found.fractions) < 1e-9


@pytest.mark.parametrize('vector', [[0.3, 0.0, 0.5], [0.1, 0.1, 0.1]])
def test_polarization_that_symmetry_forbids(vector, structure):
    found = assessed(structure('AlN' if vector[2] == 0.5 else 'SrTiO3'), {'polarization': vector})
    assert 'allows' in found.reason
    assert 'C/m²' in found.reason


def supercell(structure):
    return structure * [[1, 0, 0], [0, 1, 0], [0, 0, 2]]


def disordered(structure):
    found = structure.copy()
    found[0] = {'Sr': 0.5, 'Ba': 0.5}
    return found


@pytest.mark.parametrize(
    ('name', 'change', 'known', 'words'),
    [
        ('SrTiO3', disordered, {}, 'disordered'),
        ('SrTiO3', lambda s: Structure(s.lattice, s.species, s.frac_coords, charge=1), {}, 'charge'),
        ('graphene', lambda s: s, {}, 'two-dimensional'),
        ('Al', lambda s: s, {}, 'not an insulator'),
        ('SrTiO3', lambda s: s, {'gap': 0.0}, 'not an insulator'),
        ('NiO', lambda s: s, {}, 'not sure enough (unsure, wanted likely)'),
        ('NiO', supercell, {'moments': (2, -2, 0, 0), 'gap': 4.3}, 'magnetic order has 4 atoms'),
        ('SrTiO3', lambda s: s, {'oxidation_states': {'Sr': 2, 'Ti': 3, 'O': -2}}, 'add up to'),
        ('SrTiO3', lambda s: s, {'oxidation_states': {'Sr': 2}}, 'missing'),
    ],
)
def test_reason(name, change, known, words, structure):
    found = assessed(change(structure(name)), known)
    assert words in found.reason
    assert found.fractions == ()


def test_ferromagnet_within_its_cell(structure):
    found = assessed(structure('NiO'), {'moments': (2, 0), 'gap': 4.3})
    assert (found.reason, found.sureness) == ('', Sureness.KNOWN)


def test_unsure_crystal_where_that_is_enough(structure):
    found = assessed(structure('NiO'), sureness='unsure')
    assert found.reason == ''
    assert 'd8' in found.statement


def test_measured_gap_is_looked_up(structure):
    found = assessed(structure('C'))
    assert found.known[0] == 5.5
    assert 'doi' in found.statement


def test_layered_bulk_crystal_is_no_slab():
    """Hexagonal BN, layers 3.33 Å apart."""
    hexagonal = Structure(
        Lattice.hexagonal(2.504, 6.66), ['B', 'N', 'B', 'N'],
        [[1 / 3, 2 / 3, 0], [2 / 3, 1 / 3, 0], [2 / 3, 1 / 3, 1 / 2], [1 / 3, 2 / 3, 1 / 2]],
    )  # fmt: skip
    assert assessed(hexagonal).reason == ''


@pytest.mark.parametrize(
    ('parse', 'values', 'words'),
    [
        (parse_parameters, {'max_strain': -0.1}, 'max_strain'),
        (parse_parameters, {'max_mliler': 2}, 'max_mliler'),
        (parse_parameters, {'sureness': 'certain'}, 'sureness'),
        (parse_known, {'SrTiO3': {'gap': 'wide'}}, 'SrTiO3'),
        (parse_known, {'SrTiO3': {'gpa': 3.2}}, 'gpa'),
        (parse_known, {'SrTiO3': 3.2}, 'mappings'),
        (parse_known, {'SrTiO3': {'dielectric_constant': 0.5}}, 'dielectric_constant'),
    ],
)
def test_bad_values(parse, values, words):
    with pytest.raises(InputError, match=words):
        parse(values)
