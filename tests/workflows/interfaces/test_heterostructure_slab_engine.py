"""LiH on LiF(001), four planes, relaxed: a slab with a scan of registries and a superlattice with a scan of gaps."""

from __future__ import annotations

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from pymatgen.core import Lattice, Structure

from aiida_foundry.workflows.interfaces.heterostructure import HeterostructureWorkChain

pytestmark = pytest.mark.engine

LAYERS = {'film': {'layers': 3}, 'substrate': {'layers': 1}}
SLAB = {'interface': {'kind': 'slab', 'vacuum': 8.0, **LAYERS}, 'scan': {'shifts': [2, 1]}}
SUPERLATTICE = {'interface': {'kind': 'superlattice', **LAYERS}, 'scan': {'gaps': [0.3, 0.0]}}
#: eV/Å; before the relaxation the largest force is 0.91 in the slab, 0.15 or less in the superlattice.
SLAB_FORCE, SUPERLATTICE_FORCE = 0.8, 0.08
#: Coarse throughout: what is checked is geometry, order of energies and the shape of a potential.
COARSE = {
    'kpoints_mesh': [1, 1],
    'parameters': {
        'wavefunction_cutoff': 24.0,
        'density_cutoff': 96.0,
        'threshold_per_atom': 1e-7,
        'relax': {'enabled': True, 'free_planes': 1},
        'ldos': {'range': 1.0},
    },
}


def rock_salt(constant: float, *elements: str) -> orm.StructureData:
    structure = Structure.from_spacegroup(225, Lattice.cubic(constant), elements, [[0, 0, 0], [1 / 2, 1 / 2, 1 / 2]])
    return orm.StructureData(pymatgen=structure.get_primitive_structure())


@pytest.fixture(scope='module')
def run(engine_codes, pbe_family):
    """Return a function that runs one of the two."""

    def _run(geometry, force):
        relax = {**COARSE['parameters']['relax'], 'force_threshold': force}
        overrides = {**COARSE, **geometry, 'parameters': {**COARSE['parameters'], 'relax': relax}}
        node = run_get_node(
            HeterostructureWorkChain.get_builder_from_protocol(
                engine_codes['pw'],
                engine_codes['pp'],
                rock_salt(4.08, 'Li', 'H'),
                rock_salt(4.03, 'Li', 'F'),
                film_miller=(0, 0, 1),
                substrate_miller=(0, 0, 1),
                protocol='fast',
                overrides=overrides,
                options={'withmpi': False},
            )
        ).node
        assert node.is_finished_ok, node.exit_message
        return node

    return _run


@pytest.fixture(scope='module')
def node(run):
    return run(SLAB, SLAB_FORCE)


@pytest.fixture(scope='module')
def superlattice(run):
    return run(SUPERLATTICE, SUPERLATTICE_FORCE)


def called(node, label):
    """Return the last pw.x of a step."""
    return next(process for process in node.called if process.label == label).called[-1]


def test_rock_salt_continues_rock_salt(node):
    """Every cation on an anion; half a cell aside each ion has one of its own sign for neighbour."""
    rows = node.outputs.scan['interfaces']
    assert [row['shift'] for row in rows] == [[0.0, 0.0], [0.5, 0.0]]
    assert node.outputs.scan['best'] == 0
    assert rows[1]['energy'] - rows[0]['energy'] > 0.1


def test_only_planes_beside_interface_and_surfaces_move(node):
    """Three planes of LiH, of which the middle one is held; one of LiF, which is surface and interface."""
    before = np.array([site.position for site in called(node, 'relax').inputs.structure.sites])
    moves = np.array([site.position for site in node.outputs.structure.sites]) - before
    heights = np.unique(before[:, 2].round(3))
    held = np.abs(before[:, 2] - heights[2]) < 1e-2
    assert held.sum() == 2
    assert np.abs(moves[held]).max() < 1e-6
    assert np.abs(moves[~held]).max(axis=1).min() > 1e-4
    forces = called(node, 'scf').outputs.output_trajectory.get_array('forces')[-1]
    assert np.abs(forces[~held]).max() < SLAB_FORCE + 0.05  # what the accuracy of the density leaves


def test_vacuum_is_flat_on_both_sides(node):
    """The dipole lies in the jump within the vacuum; without the correction it would be a slope all along."""
    potential, height = (node.outputs.profiles.get_array(name) for name in ('potential', 'height'))
    top, length = node.outputs.layout['slabs'][-1]['top'], node.outputs.structure.cell[2][2]
    middle = (top + length) / 2
    levels = []
    for low, high in ((top + 2.0, middle - 1.0), (middle + 1.0, length - 2.0)):
        inside = (height > low) & (height < high)
        assert inside.sum() > 5
        levels.append(potential[inside].mean())
        assert np.ptp(potential[inside]) < 0.05
    assert abs(levels[1] - levels[0]) > 0.1


def test_slab_is_an_insulator_with_one_interface(node):
    summary = node.outputs.summary
    assert summary['state'] == 'insulating'
    assert [interface['label'] for interface in summary['interfaces']] == ['FLi/HLi']
    assert summary['polar_charge'] == 0


def test_superlattice_takes_the_gap_of_lowest_energy(superlattice):
    """Rock salt continues at its own spacing; pulled apart by 0.3 Å at both interfaces it is higher."""
    rows = superlattice.outputs.scan['interfaces']
    assert [row['gap'] for row in rows] == [0.3, 0.0]
    assert superlattice.outputs.scan['best'] == 1
    assert rows[0]['energy'] - rows[1]['energy'] > 0.1
    assert superlattice.outputs.layout['gap'] == 0.0


def test_superlattice_relaxes_symmetrically_about_its_held_plane(superlattice):
    """The planes of LiH beside the two interfaces move as mirror images; the middle one is held, LiF lies between."""
    before = np.array([site.position for site in called(superlattice, 'relax').inputs.structure.sites])
    moves = np.array([site.position for site in superlattice.outputs.structure.sites])[:, 2] - before[:, 2]
    heights = np.unique(before[:, 2].round(3))
    assert len(heights) == 4
    planes = [np.abs(before[:, 2] - height) < 1e-2 for height in heights]
    elements = np.array([site.kind_name for site in superlattice.outputs.structure.sites])
    lower, middle, upper = planes[1:]
    assert np.abs(moves[middle]).max() < 1e-6
    for element in ('Li', 'H'):
        below, above = (moves[plane & (elements == element)] for plane in (lower, upper))
        assert np.abs(below).min() > 1e-3
        assert below == pytest.approx(-above, abs=2e-3)
