"""Diamond/cBN(111), three bilayers of each: the numbers of pw.x and pp.x run by hand, and the polar charge ¼ e."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida_pseudo.data.pseudo.upf import UpfData
from pymatgen.core import Lattice, Structure

from aiida_foundry.analysis import planar
from aiida_foundry.workflows.interfaces.heterostructure import HeterostructureWorkChain

pytestmark = pytest.mark.engine

PSEUDOS = Path('/usr/share/espresso/pseudo')
FILES = {
    'B': 'B.pbe-n-rrkjus_psl.1.0.0.UPF',
    'C': 'C.pbe-n-kjpaw_psl.0.1.UPF',
    'N': 'N.pbe-n-rrkjus_psl.1.0.0.UPF',
}
#: Å, of both crystals, as in the run by hand.
LATTICE_CONSTANT = 3.57
#: Of clamped ions: diamond 5.7 (refractive index 2.39), cBN 4.5 (2.12).
DIELECTRIC_CONSTANTS = {'film': 4.5, 'substrate': 5.7}


def zincblende(*elements: str) -> orm.StructureData:
    """Return the primitive cell of diamond or of a zincblende crystal."""
    if len(elements) == 1:
        elements = elements * 2
    cell = Lattice.cubic(LATTICE_CONSTANT)
    positions = [[0, 0, 0], [1 / 4, 1 / 4, 1 / 4]]
    conventional = Structure.from_spacegroup(216, cell, elements, positions)
    return orm.StructureData(pymatgen=conventional.get_primitive_structure())


@pytest.fixture(scope='module')
def node(engine_codes):
    overrides = {
        'kpoints_mesh': [6, 6],
        'interface': {'film': {'layers': 3}, 'substrate': {'layers': 3}},
        'properties': {name: {'dielectric_constant': value} for name, value in DIELECTRIC_CONSTANTS.items()},
        'parameters': {
            'wavefunction_cutoff': 35.0,
            'density_cutoff': 280.0,
            'threshold_per_atom': 1e-8,
            'extra_bands': 0.1,
            'ldos': {'range': 1.0},
        },
    }
    builder = HeterostructureWorkChain.get_builder_from_protocol(
        engine_codes['pw'],
        engine_codes['pp'],
        zincblende('B', 'N'),
        zincblende('C'),
        film_miller=(1, 1, 1),
        substrate_miller=(1, 1, 1),
        protocol='fast',
        overrides=overrides,
        pseudos={element: UpfData(PSEUDOS / name) for element, name in FILES.items()},
        options={'withmpi': False},
    )
    return run_get_node(builder).node


@pytest.fixture(scope='module')
def summary(node):
    assert node.is_finished_ok, node.exit_message
    return node.outputs.summary.get_dict()


def test_gap(summary):
    assert summary['state'] == 'insulating'
    assert summary['electron_gas'] is None
    assert summary['gap'] == pytest.approx(2.54, abs=0.1)


def test_fields(summary):
    """0.74 V/Å in diamond by hand; cBN of equal thickness has the opposite field, the potential being periodic."""
    fields = {slab['name']: slab['field'] for slab in summary['slabs']}
    assert abs(fields['substrate']) == pytest.approx(0.74, abs=0.05)
    drop = sum(slab['field'] * (slab['top'] - slab['bottom']) for slab in summary['slabs'])
    steps = sum(interface['potential_step'] for interface in summary['interfaces'])
    assert drop + steps == pytest.approx(0, abs=1e-9)
    assert fields['film'] == pytest.approx(-fields['substrate'], abs=0.02)


def test_fields_of_the_run_by_hand(node):
    """It took 0.737 and 0.683 V/Å from windows half a bilayer off the middle of the slabs, of the same potential."""
    potential, height = (node.outputs.profiles.get_array(name) for name in ('potential', 'height'))
    length = float(height[1] * len(height))
    expected = {'substrate': 0.737, 'film': 0.683}
    for slab in node.outputs.layout['slabs']:
        averaged = planar.macroscopic_average(potential, length, [slab['period']])
        shift, margin = slab['period'] / 2, 2.2
        line = planar.fit_line(averaged, length, slab['bottom'] + margin - shift, slab['top'] - margin - shift)
        assert abs(line.slope) == pytest.approx(expected[slab['name']], abs=0.02)


def test_polar_charge(summary):
    """The formal polarizations of diamond and zincblende differ by ¼ of the quantum: ¼ e per cell of the (111) face."""
    assert abs(summary['polar_charge']) == pytest.approx(1 / 4)
    for interface in summary['interfaces']:
        assert abs(interface['charge']) == pytest.approx(1 / 4, rel=0.15)
    assert sum(interface['charge'] for interface in summary['interfaces']) == pytest.approx(0, abs=1e-12)


def test_electrons_are_counted(node, summary):
    """The planar density integrates to the valence electrons, the layers to all states."""
    profiles = node.outputs.profiles
    height = profiles.get_array('height')
    spacing = height[1] - height[0]
    assert profiles.get_array('density').sum() * spacing == pytest.approx(48, abs=1e-2)
    local, layers = profiles.get_array('ldos'), profiles.get_array('layer_dos')
    length = spacing * len(height)
    # pp.x rounds the vectors of its grid: it is 3e-5 Å of 12.4 higher than the layers, which leave that much out
    assert layers.sum(axis=0) == pytest.approx(local.sum(axis=0) * length / len(local), rel=1e-5)
    assert summary['ldos_contrast']


def test_offset_is_that_of_the_bulk_bands(node, summary):
    """Offsets of conduction and valence band differ by the gaps; cBN's valence band lies below diamond's.

    For the (110) interface, which is not polar, 1.2 to 1.3 eV (Mullen et al., arXiv:2310.06955); the bonds at the
    interface and strain change offsets by some 0.1 eV.
    """
    edges = {name: node.base.links.get_outgoing().get_node_by_label(f'edges_{name}') for name in ('film', 'substrate')}
    gaps = {name: calculation.outputs.result['gap'] for name, calculation in edges.items()}
    for interface in summary['interfaces']:
        change = interface['conduction_offset'] - interface['valence_offset']
        assert change == pytest.approx(gaps['film'] - gaps['substrate'], abs=1e-9)
        assert interface['valence_offset'] == pytest.approx(-1.25, abs=0.2)
