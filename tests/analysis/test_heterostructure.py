"""Findings of a model with exact answers, and of diamond/cBN(111)."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aiida_foundry.analysis.heterostructure import Bulk, Measured, analyse
from aiida_foundry.common.units import BOHR_TO_ANGSTROM, RYDBERG_TO_EV

FIXTURES = Path(__file__).parents[1] / 'fixtures' / 'heterostructure'

LENGTH = 24.0
POINTS = 240
FIELD, STEP = 0.2, 1.5
LAYOUT = {
    'kind': 'superlattice',
    'gap': 0.0,
    'area': 6.0,
    'slabs': [
        {'name': 'substrate', 'formula': 'A', 'bottom': 0.0, 'top': 12.0, 'period': 2.0},
        {'name': 'film', 'formula': 'B', 'bottom': 12.0, 'top': 24.0, 'period': 3.0},
    ],
    'interfaces': [
        {'height': 12.0, 'below': 'substrate', 'above': 'film', 'label': 'A/B'},
        {'height': 0.0, 'below': 'film', 'above': 'substrate', 'label': 'B/A'},
    ],
    'surfaces': [],
}
BULKS = {'substrate': Bulk(valence=5.0, conduction=9.0, potential=2.0), 'film': Bulk(4.0, 10.0, 3.0)}
SETTINGS = {'dielectric_constants': {'film': 10.0, 'substrate': 5.0}, 'polar_charge': 0.5, 'window': 0.3}


@pytest.fixture
def model():
    """A potential of slopes ±0.2 eV/Å that steps up by 1.5 eV into the film, and the lattices of both on it."""
    z = np.arange(POINTS) * LENGTH / POINTS
    inside = z >= 12
    potential = np.where(inside, STEP + FIELD * 12 - FIELD * (z - 12), FIELD * z)
    potential = potential + np.where(inside, 2 * np.cos(2 * np.pi * z / 3), 3 * np.cos(2 * np.pi * z / 2))
    energies = np.linspace(-3, 3, 61)
    return Measured(
        potential=potential / RYDBERG_TO_EV,
        density=np.full(POINTS, 0.1),
        ldos=np.full((61, POINTS), 0.2),
        ldos_energies=energies,
        bands=np.array([[-1.0, 1.0]]),
        weights=np.array([2.0]),
        fermi=0.0,
        smearing=0.1,
        broadening=0.1,
        electrons=2,
        length=LENGTH,
    )


def test_fields_offsets_and_charges(model):
    summary, _ = analyse(model, BULKS, LAYOUT, SETTINGS)
    # the windows of the other slab leave a little of each lattice near the ends only
    assert [slab['field'] for slab in summary['slabs']] == pytest.approx([FIELD, -FIELD], abs=5e-3)
    up, down = summary['interfaces']
    assert up['potential_step'] == pytest.approx(STEP, abs=0.05)
    assert down['potential_step'] == pytest.approx(-STEP, abs=0.05)
    # (4 − 3) − (5 − 2) + 1.5 and (10 − 3) − (9 − 2) + 1.5, from substrate to film whichever way it is crossed
    for interface in (up, down):
        assert interface['valence_offset'] == pytest.approx(-0.5, abs=0.05)
        assert interface['conduction_offset'] == pytest.approx(1.5, abs=0.05)
    # ε₀ = 0.0055263 e/(V Å): −(10 + 5) × 0.2 V/Å × 6 Å² × ε₀
    assert up['charge'] == pytest.approx(-15 * FIELD * 6 * 0.0055263, rel=0.03)
    assert up['missing_charge'] == pytest.approx(0.5 - abs(up['charge']))
    assert summary['state'] == 'insulating'
    assert summary['gap'] == 2.0


def test_units_of_density_and_states(model):
    _, arrays = analyse(model, BULKS, LAYOUT, SETTINGS)
    per_volume = 1 / BOHR_TO_ANGSTROM**3
    assert arrays['density'] == pytest.approx(np.full(POINTS, 0.1 * per_volume * 6))
    assert arrays['ldos'][0] == pytest.approx(np.full(61, 0.2 * per_volume * 6 / RYDBERG_TO_EV))
    assert arrays['layer_dos'].shape == (6 + 4, 61)
    assert arrays['layer_dos'].sum(axis=0) == pytest.approx(arrays['ldos'][0] * LENGTH)


def test_middle_of_the_gap_follows_the_potential(model):
    _, arrays = analyse(model, BULKS, LAYOUT, SETTINGS)
    expected = arrays['macroscopic_potential'] + np.where(arrays['height'] < 12.0 + 1e-9, 5.0, 4.0)
    assert arrays['midgap'] == pytest.approx(expected)


def test_metal_has_electrons_where_the_gap_is_low_and_holes_where_it_is_high(model):
    """States everywhere: electrons where the middle of the gap is below the Fermi energy."""
    metal = replace(
        model,
        bands=np.array([[0.05, -0.05]]),
        fermi=5.5,
        ldos_energies=np.linspace(0, 12, 121),
        ldos=np.full((121, POINTS), 0.2),
    )
    bulks = {name: Bulk(-1.0, 1.0, 0.0) for name in BULKS}
    summary, arrays = analyse(metal, bulks, LAYOUT, SETTINGS)
    assert summary['state'] == 'metallic'
    assert summary['gap'] == pytest.approx(-0.1)
    assert ((arrays['free_carriers'] > 0) == (arrays['midgap'] < 5.5))[np.abs(arrays['midgap'] - 5.5) > 0.01].all()
    total = np.abs(arrays['free_carriers']).sum() * LENGTH / POINTS
    assert sum(place['electrons'] + place['holes'] for place in summary['places']) == pytest.approx(total)
    assert summary['electron_gas']['density'] == pytest.approx(summary['electron_gas']['charge'] / 6.0)


def test_slab_too_thin_for_a_field_says_so(model):
    layout = json.loads(json.dumps(LAYOUT))
    layout['slabs'][0] |= {'top': 3.0}
    layout['slabs'][1] |= {'bottom': 3.0}
    summary, _ = analyse(model, BULKS, layout, SETTINGS)
    assert summary['slabs'][0]['field'] is None
    assert 'nothing of it is farther' in summary['slabs'][0]['reason']
    assert 'valence_offset' not in summary['interfaces'][0]


def test_without_dielectric_constants_there_is_no_charge(model):
    settings = {**SETTINGS, 'dielectric_constants': {'film': None, 'substrate': 5.0}}
    summary, _ = analyse(model, BULKS, LAYOUT, settings)
    assert 'charge' not in summary['interfaces'][0]
    assert 'valence_offset' in summary['interfaces'][0]


def findings(name):
    case = json.loads(gzip.decompress((FIXTURES / name).read_bytes()))
    arrays = ('potential', 'density', 'ldos', 'ldos_energies', 'bands', 'weights')
    values = {key: np.array(value) if key in arrays else value for key, value in case['measured'].items()}
    bulks = {key: Bulk(**edges) for key, edges in case['bulks'].items()}
    return analyse(Measured(**values), bulks, case['layout'], case['settings'])


def test_diamond_on_boron_nitride():
    """pw.x and pp.x: gap 2.54 eV, fields of 0.75 V/Å, and ¼ e per cell of formal polarization within 15 %."""
    summary, found = findings('c_bn_111.json.gz')
    assert summary['state'] == 'insulating'
    assert summary['gap'] == pytest.approx(2.54, abs=0.01)
    assert [slab['field'] for slab in summary['slabs']] == pytest.approx([-0.75, 0.75], abs=0.02)
    assert all(abs(interface['charge']) == pytest.approx(0.25, rel=0.15) for interface in summary['interfaces'])
    assert found['density'].sum() * found['height'][1] == pytest.approx(48, abs=1e-2)


def test_thicker_diamond_on_boron_nitride_is_metallic():
    """By hand 9 to 20 times as many states at the interfaces as in the middle. Three counts of the carriers agree.

    Electrons of the bands, of the local densities of states, and what is missing of ¼ e in the fields: the last depends
    on dielectric constants that are good to some per cent.
    """
    summary, _ = findings('c_bn_111_long.json.gz')
    assert summary['state'] == 'metallic'
    assert min(summary['ldos_contrast']) >= 8
    assert summary['electron_gas']['place'] == 'C/N'
    assert summary['hole_gas']['place'] == 'B/C'
    carriers = summary['carriers_from_bands']
    for gas in ('electron_gas', 'hole_gas'):
        assert summary[gas]['charge'] == pytest.approx(carriers, rel=0.1)
    for interface in summary['interfaces']:
        assert interface['missing_charge'] == pytest.approx(carriers, rel=0.2)
