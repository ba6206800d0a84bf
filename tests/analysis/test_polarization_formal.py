"""Formal polarizations of crystals: published values, invariances, oxidation states and refused input."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymatgen.analysis.ferroelectricity.polarization import get_total_ionic_dipole
from pymatgen.core import Lattice, Structure
from scipy.spatial.transform import Rotation

from aiida_foundry.analysis.polarization import formal_polarization, surface_charge
from aiida_foundry.analysis.polarization.crystal import primitive_crystal
from aiida_foundry.analysis.polarization.formal import COULOMB_PER_SQUARE_METRE, ionic_polarization
from aiida_foundry.common.errors import InputError


def face_centred(a: float, species: list[str], sites: list[list[float]]) -> Structure:
    """Conventional cell; pymatgen's ``from_spacegroup`` takes a second for the large cubic groups."""
    centring = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    positions = (np.array(sites)[:, None] + centring).reshape(-1, 3)
    return Structure(Lattice.cubic(a), np.repeat(species, 4), positions)


def rocksalt(cation: str, anion: str, a: float) -> Structure:
    return face_centred(a, [cation, anion], [[0, 0, 0], [0.5, 0.5, 0.5]])


def zincblende(cation: str, anion: str, a: float) -> Structure:
    return face_centred(a, [cation, anion], [[0, 0, 0], [0.25, 0.25, 0.25]])


def diamond() -> Structure:
    return zincblende('C', 'C', 3.567)


def perovskite(a_site: str, b_site: str, a: float) -> Structure:
    sites = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]]
    return Structure.from_spacegroup('Pm-3m', Lattice.cubic(a), [a_site, b_site, 'O'], sites)


def wurtzite(cation: str, anion: str, a: float, c: float, u: float) -> Structure:
    sites = [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, u]]
    return Structure.from_spacegroup('P6_3mc', Lattice.hexagonal(a, c), [cation, anion], sites)


def lithium_niobate() -> Structure:
    """Paraelectric phase, hexagonal setting; Boysen and Altorfer, Acta Cryst. B 50, 405 (1994)."""
    sites = [[0, 0, 0.25], [0, 0, 0], [0.06, 1 / 3, 1 / 12]]
    return Structure.from_spacegroup('R-3c', Lattice.hexagonal(5.289, 13.848), ['Li', 'Nb', 'O'], sites)


def anatase() -> Structure:
    lattice = Lattice.tetragonal(3.785, 9.514)
    return Structure.from_spacegroup('I4_1/amd', lattice, ['Ti', 'O'], [[0, 0, 0], [0, 0, 0.2081]])


def boron_phosphate() -> Structure:
    sites = [[0, 0.5, 0.25], [0, 0, 0], [0.14, 0.26, 0.13]]
    return Structure.from_spacegroup('I-4', Lattice.tetragonal(4.338, 6.645), ['B', 'P', 'O'], sites)


def copper_manganese_arsenide() -> Structure:
    """Inversion exchanges the Mn of opposite moments; Wadley et al., Nat. Commun. 4, 2322 (2013)."""
    lattice = Lattice.tetragonal(3.820, 6.318)
    sites = [[0.75, 0.25, 0], [0.25, 0.25, 0.330], [0.25, 0.25, 0.734]]
    return Structure.from_spacegroup('P4/nmm:2', lattice, ['Cu', 'Mn', 'As'], sites)


def fractions(*members: str) -> tuple[Fraction, ...]:
    return tuple(Fraction(member) for member in members)


@pytest.mark.parametrize(
    ('structure', 'quantum', 'member'),
    [
        # zincblende: a quarter along the diagonal (Vanderbilt, Berry Phases, section 4.4; pw.x gives 0.251 for cBN)
        (zincblende('B', 'N', 3.615), 1, fractions('1/4', '1/4', '1/4')),
        (zincblende('Ga', 'As', 5.653), 1, fractions('1/4', '1/4', '1/4')),
        (zincblende('As', 'Ga', 5.653), 1, fractions('3/4', '3/4', '3/4')),
        (zincblende('Zn', 'S', 5.41), 1, fractions('1/2', '1/2', '1/2')),
        (zincblende('Zn', 'S', 5.41), 2, fractions('3/4', '3/4', '3/4')),
        (rocksalt('Na', 'Cl', 5.64), 1, fractions('1/2', '1/2', '1/2')),
        (rocksalt('Mg', 'O', 4.21), 1, fractions('0', '0', '0')),
        (rocksalt('Mg', 'O', 4.21), 2, fractions('1/2', '1/2', '1/2')),
        (perovskite('Sr', 'Ti', 3.905), 1, fractions('0', '0', '0')),
        (perovskite('Sr', 'Ti', 3.905), 2, fractions('0', '0', '0')),
        (perovskite('La', 'Al', 3.79), 1, fractions('1/2', '1/2', '1/2')),
        (perovskite('K', 'Ta', 3.989), 1, fractions('1/2', '1/2', '1/2')),
        (diamond(), 1, fractions('0', '0', '0')),
        (lithium_niobate(), 1, fractions('1/2', '1/2', '1/2')),
    ],
    ids=lambda value: value.composition.reduced_formula if isinstance(value, Structure) else None,
)
def test_ionic_member(structure, quantum, member):
    polarization = formal_polarization(structure, quantum=quantum)
    assert polarization.member == member
    assert member in polarization.allowed.discrete
    assert not polarization.needs_dft


def test_diamond_may_have_half_a_quantum():
    allowed = formal_polarization(diamond()).allowed
    assert allowed.discrete == (fractions('0', '0', '0'), fractions('1/2', '1/2', '1/2'))


def test_lanthanum_aluminate_has_half_an_electron_per_cell():
    """Stengel and Vanderbilt, PRB 80, 241103 (2009): e/2S on (001), hence 0.53 C/m² on the cell of SrTiO3."""
    charge = surface_charge(formal_polarization(perovskite('La', 'Al', 3.905)), (0, 0, 1))
    assert charge.fraction == Fraction(1, 2)
    assert charge.area == pytest.approx(3.905**2)
    assert charge.density == pytest.approx(0.5 / 3.905**2)
    assert charge.density * COULOMB_PER_SQUARE_METRE == pytest.approx(0.53, abs=0.005)


def test_zincblende_along_the_trigonal_axis():
    """Dreyer, Janotti, Van de Walle and Vanderbilt, PRX 6, 021038 (2016): √3 e/(2 a²) from Al to N."""
    cubic = 4.38
    polarization = formal_polarization(zincblende('Al', 'N', cubic))
    charge = surface_charge(polarization, (1, 1, 1))
    in_plane = cubic / np.sqrt(2)
    published = np.sqrt(3) / (2 * in_plane**2)
    assert charge.fraction == Fraction(3, 4)
    assert float(charge.fraction) * charge.density_quantum == pytest.approx(published)
    assert surface_charge(polarization, (-1, -1, -1)).fraction == Fraction(1, 4)
    # (110) is the non-polar cleavage plane of zincblende; (001) carries half an electron per 1 × 1 cell
    assert surface_charge(polarization, (1, 1, 0)).fraction == 0
    assert surface_charge(polarization, (0, 0, 1)).fraction == Fraction(1, 2)


def test_projection_agrees_with_the_vector():
    polarization = formal_polarization(boron_phosphate())
    lattice = polarization.crystal.lattice
    for miller in ((1, 0, 0), (0, 1, 1), (2, -1, 3), (1, 1, 2)):
        charge = surface_charge(polarization, miller)
        reciprocal = boron_phosphate().lattice.reciprocal_lattice_crystallographic.matrix
        normal = np.array(miller) @ reciprocal
        normal /= np.linalg.norm(normal)
        difference = (polarization.cartesian @ normal - charge.density) / charge.density_quantum
        assert difference == pytest.approx(round(difference), abs=1e-9)
        # d-spacing of the primitive lattice: coprime indices leave one lattice plane per volume / area
        spacing = abs(np.linalg.det(lattice)) / charge.area
        heights = lattice @ normal / spacing
        assert heights == pytest.approx(np.rint(heights), abs=1e-9)
        assert np.gcd.reduce(np.rint(heights).astype(int)) == 1


def test_wurtzite_is_continuous_along_c_only():
    polarization = formal_polarization(wurtzite('Al', 'N', 3.11, 4.98, 0.382))
    assert polarization.needs_dft
    assert polarization.allowed.continuous == ((0, 0, 1),)
    basal = surface_charge(polarization, (0, 0, 1))
    assert basal.fraction is None
    with pytest.raises(InputError, match='polar along its normal'):
        assert basal.density
    assert surface_charge(polarization, (1, 0, 0)).fraction == 0
    # the ionic model itself: 3 e (u − ½) per cation pair, from the textbook dipole of the two point lattices
    assert polarization.point_charges[2] == pytest.approx((-3 * 2 * 0.382) % 1.0, abs=1e-6)


@pytest.mark.parametrize('structure', [perovskite('K', 'Ta', 3.989), boron_phosphate(), lithium_niobate()])
def test_ionic_dipole_agrees_with_pymatgen(structure):
    polarization = formal_polarization(structure)
    primitive = polarization.crystal.structure
    charges = dict(zip(polarization.oxidation.elements, polarization.oxidation.charges, strict=True))
    # pymatgen returns minus the dipole, in e Å along each lattice vector
    published = -get_total_ionic_dipole(primitive, charges) / primitive.lattice.lengths
    difference = published - np.array(polarization.member, dtype=float)
    assert difference == pytest.approx(np.rint(difference), abs=1e-6)


CRYSTALS = [
    zincblende('Ga', 'As', 5.653),
    rocksalt('Na', 'Cl', 5.64),
    perovskite('La', 'Al', 3.79),
    wurtzite('Zn', 'O', 3.25, 5.21, 0.382),
    lithium_niobate(),
    anatase(),
    boron_phosphate(),
]
STATES = {'Ga': 3, 'As': -3, 'Na': 1, 'Cl': -1, 'La': 3, 'Al': 3, 'O': -2, 'Zn': 2, 'Li': 1, 'Nb': 5, 'Ti': 4}
STATES |= {'B': 3, 'P': 5}
REFERENCES = [formal_polarization(structure, STATES) for structure in CRYSTALS]
SHEARS = st.lists(st.tuples(st.permutations(range(3)), st.integers(-1, 1)), max_size=3)


@st.composite
def cells(draw):
    """A crystal in another cell, origin, order of sites, axes and orientation, with the orientation."""
    index = draw(st.integers(0, len(CRYSTALS) - 1))
    structure = CRYSTALS[index].get_primitive_structure() if draw(st.booleans()) else CRYSTALS[index].copy()
    basis = np.diag(draw(st.sampled_from([(1, 1, 1), (2, 1, 1), (1, 3, 1)])))
    for (row, other, _), factor in draw(SHEARS):
        basis[row] += factor * basis[other]
    structure.make_supercell(basis[draw(st.permutations(range(3)))])
    shift = draw(st.tuples(*[st.floats(0, 1, allow_nan=False)] * 3))
    orientation = Rotation.from_euler('zyx', draw(st.tuples(*[st.floats(0, 3)] * 3))).as_matrix()
    orientation *= draw(st.sampled_from([1, -1]))
    order = np.random.default_rng(draw(st.integers(0, 9))).permutation(len(structure))
    moved = Structure(
        structure.lattice.matrix @ orientation.T,
        [structure.species[i] for i in order],
        structure.frac_coords[order] + shift,
    )
    return index, moved, orientation


def same_lattice(one: np.ndarray, other: np.ndarray) -> bool:
    relation = one @ np.linalg.inv(other)
    return np.allclose(relation, np.rint(relation), atol=1e-6) and np.isclose(abs(np.linalg.det(relation)), 1.0)


@given(cells())
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_independent_of_the_description(cell):
    index, structure, orientation = cell
    reference = REFERENCES[index]
    polarization = formal_polarization(structure, STATES)
    assert same_lattice(polarization.quanta, reference.quanta @ orientation.T)
    assert polarization.allowed.orders == reference.allowed.orders
    difference = polarization.cartesian - orientation @ reference.cartesian
    nearest = polarization.allowed.nearest(difference @ np.linalg.inv(polarization.quanta))
    assert nearest.residual < 1e-6
    assert nearest.fractions == (0, 0, 0)


@given(cells(), st.tuples(*[st.integers(-2, 2)] * 3).filter(any))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_surface_charge_is_independent_of_the_description(cell, miller):
    index, structure, orientation = cell
    normal = np.linalg.solve(CRYSTALS[index].lattice.matrix, miller) @ orientation.T
    expected = surface_charge(REFERENCES[index], miller)
    moved_miller = np.rint(structure.lattice.matrix @ normal * 6).astype(int)
    charge = surface_charge(formal_polarization(structure, STATES), moved_miller)
    assert charge.area == pytest.approx(expected.area)
    assert charge.fraction == expected.fraction


def test_primitive_input_keeps_its_vectors():
    primitive = zincblende('Ga', 'As', 5.653).get_primitive_structure()
    primitive.make_supercell([[1, 1, 0], [0, 1, 0], [0, 0, 1]])
    crystal = primitive_crystal(primitive)
    assert crystal.lattice == pytest.approx(primitive.lattice.matrix)
    gallium, arsenic = crystal.positions - primitive.frac_coords
    assert gallium - arsenic == pytest.approx(np.rint(gallium - arsenic), abs=1e-9)


def test_supercell_sites_map_to_the_primitive_cell():
    structure = boron_phosphate() * (2, 1, 1)
    crystal = primitive_crystal(structure)
    assert crystal.numbers[crystal.sites] == pytest.approx(np.array(structure.atomic_numbers))
    cartesian = crystal.positions[crystal.sites] @ crystal.lattice - structure.cart_coords
    on_lattice = (cartesian - cartesian[0]) @ np.linalg.inv(crystal.lattice)
    assert on_lattice == pytest.approx(np.rint(on_lattice), abs=1e-6)


# --- oxidation states


def test_unique_composition_is_sure():
    oxidation = formal_polarization(perovskite('Sr', 'Ti', 3.905)).oxidation
    assert oxidation.method == 'composition'
    assert str(oxidation) == 'O-2, Sr+2, Ti+4'
    assert oxidation.statement.startswith('sure')


def test_bond_valences_choose_and_alternatives_are_named():
    polarization = formal_polarization(zincblende('Ga', 'As', 5.653))
    assert polarization.oxidation.method == 'bond valence'
    assert polarization.oxidation.charges == (3, -3)
    assert (2, -2) in polarization.oxidation.alternatives
    assert not polarization.unanimous


def test_decorated_structure_counts_as_given():
    structure = rocksalt('Mn', 'O', 4.44).add_oxidation_state_by_element({'Mn': 2, 'O': -2})
    assert formal_polarization(structure).oxidation.method == 'given'


def test_mixed_valence_on_inequivalent_sites_is_named():
    sites = [[0.125, 0.125, 0.125], [0.5, 0.5, 0.5], [0.2549, 0.2549, 0.2549]]
    magnetite = Structure.from_spacegroup('Fd-3m:2', Lattice.cubic(8.396), ['Fe', 'Fe', 'O'], sites)
    assert len(magnetite) == 56
    oxidation = formal_polarization(magnetite).oxidation
    assert oxidation.mixed_valence == ('Fe',)
    assert 'mixed valence of Fe' in oxidation.statement


def test_moments_resolve_charge_order():
    structure = rocksalt('Fe', 'O', 4.3).get_primitive_structure() * (1, 1, 2)
    iron = [site.specie.symbol == 'Fe' for site in structure]
    charges = [3 if i == iron.index(True) else 1 if is_iron else -2 for i, is_iron in enumerate(iron)]
    with pytest.raises(InputError, match='mixed valence'):
        formal_polarization(structure, charges)
    moments = [{3: 5.0, 1: 3.0, -2: 0.0}[charge] for charge in charges]
    polarization = formal_polarization(structure, charges, moments)
    assert len(polarization.crystal.numbers) == 4
    assert polarization.member in polarization.allowed.discrete


def test_reversed_moments_constrain_the_polarization():
    structure = copper_manganese_arsenide()
    states = {'Cu': 1, 'Mn': 2, 'As': -3}
    manganese = [site.specie.symbol == 'Mn' for site in structure]
    moments = np.zeros(len(structure))
    moments[manganese] = [3.6, -3.6]
    antiferromagnet = formal_polarization(structure, states, moments)
    # without the inversion that exchanges the moments, the rest is the polar group P4mm
    assert antiferromagnet.crystal.spacegroup == 'P4mm'
    assert not antiferromagnet.needs_dft
    assert antiferromagnet.allowed.orders == formal_polarization(structure, states).allowed.orders
    moments[manganese] = [3.6, -2.0]
    assert formal_polarization(structure, states, moments).needs_dft


def test_antiferromagnet_has_the_quantum_of_its_magnetic_cell():
    structure = rocksalt('Ni', 'O', 4.17).get_primitive_structure() * (2, 2, 2)
    layers = np.rint(structure.frac_coords.sum(axis=1) * 2).astype(int)
    nickel = np.array([site.specie.symbol == 'Ni' for site in structure])
    moments = np.where(nickel, 1.7 * (-1.0) ** layers, 0.0)
    magnetic = formal_polarization(structure, {'Ni': 2, 'O': -2}, moments)
    chemical = formal_polarization(structure, {'Ni': 2, 'O': -2})
    assert abs(np.linalg.det(magnetic.crystal.lattice)) == pytest.approx(
        2 * abs(np.linalg.det(chemical.crystal.lattice))
    )


# --- refused input


def test_disordered_structure():
    structure = Structure(Lattice.cubic(4.2), [{'Mg': 0.5, 'Ca': 0.5}, 'O'], [[0, 0, 0], [0.5] * 3])
    with pytest.raises(InputError, match='disordered'):
        formal_polarization(structure)


def test_charged_structure():
    structure = rocksalt('Mg', 'O', 4.2)
    structure.set_charge(1)
    with pytest.warns(UserWarning, match='Structure charge'), pytest.raises(InputError, match='carries the charge'):
        formal_polarization(structure)


def test_overlapping_atoms():
    structure = Structure(Lattice.cubic(4.2), ['O', 'O'], [[0, 0, 0], [0, 0, 1e-4]])
    with pytest.raises(InputError, match='overlapping atoms'):
        formal_polarization(structure)


def test_intermetallic_has_no_oxidation_states():
    structure = Structure.from_spacegroup('Pm-3m', Lattice.cubic(2.88), ['Ni', 'Ti'], [[0, 0, 0], [0.5] * 3])
    with pytest.raises(InputError, match='no neutral combination'):
        formal_polarization(structure)


@pytest.mark.parametrize(
    ('states', 'message'),
    [
        ({'Mg': 2, 'O': -1}, r'add up to \+1 e'),
        ({'Mg': 2.5, 'O': -2.5}, 'whole electrons'),
        ({'Mg': 2}, 'O is missing'),
        ([2, -2], 'there are 8 sites'),
    ],
)
def test_bad_states(states, message):
    with pytest.raises(InputError, match=message):
        formal_polarization(rocksalt('Mg', 'O', 4.2), states)


def test_contradiction_names_charges_and_group():
    """Positions that do not have the symmetry of the operations: the ionic polarization is not allowed."""
    crystal = primitive_crystal(perovskite('Sr', 'Ti', 3.905))
    positions = crystal.positions.copy()
    positions[crystal.numbers == 22] += 0.01
    with pytest.raises(InputError, match=r'(?s)Sr\+2, Ti\+4.*none of those that Pm-3m allows'):
        ionic_polarization(replace(crystal, positions=positions))


@pytest.mark.parametrize(
    ('structure', 'moments', 'reason'),
    [
        (rocksalt('Na', 'Cl', 5.64), None, 'nuclei of odd charge'),
        (diamond(), None, 'neutral atoms'),
        (rocksalt('Fe', 'O', 4.3), [4.0] * 4 + [0.0] * 4, 'spin polarized'),
    ],
)
def test_double_quantum_is_refused_where_it_does_not_hold(structure, moments, reason):
    with pytest.raises(InputError, match=reason):
        formal_polarization(structure, moments=moments, quantum=2)


def test_vector_moments():
    with pytest.raises(InputError, match='non-collinear'):
        formal_polarization(rocksalt('Fe', 'O', 4.3), moments=np.ones((8, 3)))


def test_zero_miller_indices():
    with pytest.raises(InputError, match='define no plane'):
        surface_charge(formal_polarization(diamond()), (0, 0, 0))
