"""From matches to candidates: charges of known interfaces in their orientation, limits, terminations, exact matches."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_foundry.analysis.interfaces.candidates import candidates, gather, lattice_planes
from aiida_foundry.analysis.interfaces.crystals import assess, face_fraction, matching_crystal
from aiida_foundry.analysis.interfaces.cuts import cuts
from aiida_foundry.analysis.interfaces.exact import exact_match, match_of
from aiida_foundry.analysis.interfaces.properties import KnownProperties, parse_parameters
from aiida_foundry.analysis.matching import Screen, StrainLimit, crystal_face, distinct_faces
from aiida_foundry.analysis.polarization import formal_polarization
from aiida_foundry.common.errors import InputError

NOTHING = KnownProperties()


@pytest.fixture(scope='session')
def screened(structure):
    """Return the function that screens crystals by name: rows as dictionaries, and what was dropped."""

    def run(*names, known=None, **limits):
        parameters = parse_parameters({'max_area': 20.0, 'sureness': 'unsure', **limits})
        facts = [KnownProperties(**(known or {}).get(name, {'gap': 1.0})) for name in names]
        found = [assess(name, structure(name), one, parameters) for name, one in zip(names, facts, strict=True)]
        crystals = [matching_crystal(structure(name)) for name in names]
        limit = StrainLimit(parameters.max_strain)
        screen = Screen(crystals, max_miller=parameters.max_miller, max_area=parameters.max_area, limit=limit)
        chosen, dropped = candidates(
            screen.tile(0, 0), gather(found, screen.faces, parameters.min_thickness), parameters
        )
        rows = [dict(zip(chosen._fields, row, strict=True)) for row in zip(*chosen, strict=True)]
        for row in rows:
            for side in ('film', 'substrate'):
                row[f'{side}_miller'] = ' '.join(map(str, screen.faces[row[side]][row[f'{side}_face']].miller))
        return rows, dropped

    return run


def smallest(rows, miller):
    """Return the charge per cell by orientation of the 1 × 1 matches of equal faces."""
    return {
        int(row['orientation']): abs(float(row['charge']))
        for row in rows
        if row['film_miller'] == row['substrate_miller'] == miller and row['film_multiple'] == 1
    }


def test_diamond_on_cubic_boron_nitride(screened):
    rows, _ = screened('C', 'cBN')
    assert smallest(rows, '1 1 1') == {0: 0.25}
    assert smallest(rows, '1 0 0') == {0: 0.5}
    assert smallest(rows, '1 1 0') == {}


def test_lanthanum_aluminate_on_strontium_titanate(screened):
    rows, _ = screened('LaAlO3', 'SrTiO3')
    assert smallest(rows, '1 0 0') == {0: 0.5}
    row = next(row for row in rows if row['film_miller'] == '1 0 0')
    assert row['charge_density'] == pytest.approx(0.5 / (3.905 * 3.79))
    assert row['charge_quantum'] == 1


def test_zincblende_on_zincblende_depends_on_the_orientation(screened):
    """ZnSe/GaAs(111): a Ga–Se bond has ¾ + 3/2 electrons, ¼ off two (Harrison et al., PRB 18, 4402 (1978)).

    Along the same direction ½ − ¾ = −¼; turned over ½ − ¼ = ¼: equal, as ½ is its own opposite. GaAs on AlAs is neutral
    along the same direction, and has an antiphase boundary of ½ when turned over.
    """
    assert smallest(screened('ZnSe', 'GaAs')[0], '1 1 1') == {0: pytest.approx(0.25)}
    assert smallest(screened('GaAs', 'AlAs')[0], '1 1 1') == {-1: pytest.approx(0.5)}


def test_limits_are_counted(screened):
    _, dropped = screened('SrTiO3', 'MgO', 'LaAlO3', max_atoms=12, max_area=80.0)
    assert dropped['more atoms than the limit'] > 0
    assert dropped['no charge'] > 0
    _, dropped = screened('C', 'C', 'cBN')
    assert dropped['same material on both sides'] > 0
    _, dropped = screened('AlN', 'cBN', 'MgO', 'SrTiO3', max_area=60.0, max_strain=0.06)
    assert dropped['polarization along the normal not known'] > 0


def test_critical_thickness_of_a_superlattice(screened):
    known = {name: {'gap': gap, 'dielectric_constant': e} for name, gap, e in (('C', 5.5, 5.7), ('cBN', 6.4, 7.0))}
    rows, _ = screened('C', 'cBN', known=known)
    row = next(row for row in rows if row['film_miller'] == '1 1 1')
    assert row['critical_thickness'] == pytest.approx((5.7 + 7.0) * 5.5 / (180.95 * row['charge_density']), rel=1e-3)
    rows, _ = screened('C', 'cBN')
    assert np.isnan(rows[0]['critical_thickness'])


def test_atoms_of_layers_of_a_thickness(screened, structure):
    face = crystal_face(matching_crystal(structure('SrTiO3')), (0, 0, 1))
    assert [lattice_planes(face, thickness) for thickness in (0, 3.905, 4, 10)] == [1, 1, 2, 3]
    rows, _ = screened('LaAlO3', 'SrTiO3', min_thickness=10.0)
    assert next(row['atoms'] for row in rows if row['film_miller'] == '1 0 0') == 5 * 3 + 5 * 3


@pytest.mark.parametrize('name', ['SrTiO3', 'LaAlO3', 'KTaO3', 'cBN', 'MgO', 'AlN'])
def test_cuts_are_branches_of_the_polarization(name, structure):
    crystal = structure(name)
    formal = formal_polarization(crystal)
    primitive, charges = formal.crystal, list(formal.oxidation.charges)
    symbols = [site.specie.symbol for site in primitive.structure]
    for face in distinct_faces(matching_crystal(crystal), 1):
        found = cuts(face, primitive.lattice, primitive.positions, symbols, charges)
        assert found
        assert [cut.above for cut in found] == [cut.below for cut in found[1:] + found[:1]]
        fraction = face_fraction(formal, crystal, face)
        for cut in found:
            if not np.isnan(fraction):
                assert cut.charge - fraction == pytest.approx(round(cut.charge - fraction), abs=1e-6)


def test_terminations_of_lanthanum_aluminate(structure):
    """A surface that ends with LaO carries +½ e per cell, one that ends with AlO2 −½ (Nakagawa et al., 2006)."""
    formal = formal_polarization(structure('LaAlO3'))
    face = crystal_face(matching_crystal(structure('LaAlO3')), (0, 0, 1))
    symbols = [site.specie.symbol for site in formal.crystal.structure]
    found = cuts(face, formal.crystal.lattice, formal.crystal.positions, symbols, list(formal.oxidation.charges))
    assert [(cut.below, cut.charge) for cut in found] == [
        ({'La': 1, 'O': 1}, pytest.approx(0.5)),
        ({'Al': 1, 'O': 2}, pytest.approx(-0.5)),
    ]


def named(row, area=None):
    """Return a row as the table of pairs has it."""
    columns = ('film_miller', 'substrate_miller', 'film_multiple', 'substrate_multiple', 'orientation', 'strain')
    return {**{name: row[name] for name in columns}, 'area_A2': row['area'], 'charge_e': row['charge']}


@pytest.mark.parametrize(
    ('film', 'substrate'), [('C', 'cBN'), ('GaAs', 'AlAs'), ('LaAlO3', 'SrTiO3'), ('KTaO3', 'MgO')]
)
def test_exact_match_of_every_candidate(film, substrate, screened, structure):
    rows, _ = screened(film, substrate, max_area=60.0, max_strain=0.06)
    assert len(rows) > 1
    both = structure(film), structure(substrate)
    for row in rows:
        record = exact_match((both[0], NOTHING), (both[1], NOTHING), named(row), 0.06)
        match = match_of(*both, record)
        assert match.max_strain == pytest.approx(row['strain'], abs=1e-5)
        assert match.area == pytest.approx(row['area'], rel=1e-5)
        np.testing.assert_allclose(match.strain, record['strain'], atol=1e-9)
        assert abs(record['charge_e']) == pytest.approx(abs(row['charge']))
        for side, crystal, made in zip(
            (record['film'], record['substrate']), both, (match.film, match.substrate), strict=True
        ):
            lattice = np.array(side['supercell']) @ crystal.lattice.matrix @ np.array(side['rotation']).T
            np.testing.assert_allclose(lattice, made.lattice, atol=1e-6)
            # both normals point from substrate to film, so that σ = (P₂ − P₁)·z
            assert lattice[2, 2] == pytest.approx(side['spacing_A'])
            assert side['cuts']
        difference = record['charge_e'] - (
            row['substrate_multiple'] * record['substrate']['fraction_e']
            - row['film_multiple'] * record['film']['fraction_e']
        )
        assert difference / record['charge_quantum_e'] == pytest.approx(round(difference / record['charge_quantum_e']))


def test_orientation_is_that_of_the_charge(screened, structure):
    """GaAs on AlAs(111) has a charge only if turned over: the directions along z are then of opposite polarity."""
    row = next(row for row in screened('GaAs', 'AlAs')[0] if row['film_miller'] == '1 1 1')
    record = exact_match((structure('GaAs'), NOTHING), (structure('AlAs'), NOTHING), named(row), 0.03)
    assert {record['film']['fraction_e'], record['substrate']['fraction_e']} == {0.25, 0.75}


def test_no_such_match(screened, structure):
    row = {**named(screened('C', 'cBN')[0][0]), 'charge_e': 0.1}
    with pytest.raises(InputError, match='orientation'):
        exact_match((structure('C'), NOTHING), (structure('cBN'), NOTHING), row, 0.03)
