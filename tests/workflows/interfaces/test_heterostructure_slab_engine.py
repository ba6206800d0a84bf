"""LiH on LiF(001), a slab of four planes: scan of registries, relaxation with a fixed layer, dipole correction."""

from __future__ import annotations

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from pymatgen.core import Lattice, Structure

from aiida_foundry.workflows.interfaces.heterostructure import HeterostructureWorkChain

pytestmark = pytest.mark.engine

#: Coarse throughout: what is checked is geometry, order of energies and the shape of a potential.
OVERRIDES = {
    'kpoints_mesh': [2, 2],
    'interface': {'kind': 'slab', 'vacuum': 8.0, 'film': {'layers': 3}, 'substrate': {'layers': 1}},
    'scan': {'shifts': [2, 1]},
    'parameters': {
        'wavefunction_cutoff': 24.0,
        'density_cutoff': 96.0,
        'threshold_per_atom': 1e-7,
        'relax': {'enabled': True, 'free_planes': 1, 'force_threshold': 0.3},
        'ldos': {'range': 1.0},
    },
}


def rock_salt(constant: float, *elements: str) -> orm.StructureData:
    structure = Structure.from_spacegroup(225, Lattice.cubic(constant), elements, [[0, 0, 0], [1 / 2, 1 / 2, 1 / 2]])
    return orm.StructureData(pymatgen=structure.get_primitive_structure())


@pytest.fixture(scope='module')
def node(engine_codes, pbe_family):
    node = run_get_node(
        HeterostructureWorkChain.get_builder_from_protocol(
            engine_codes['pw'],
            engine_codes['pp'],
            rock_salt(4.08, 'Li', 'H'),
            rock_salt(4.03, 'Li', 'F'),
            film_miller=(0, 0, 1),
            substrate_miller=(0, 0, 1),
            protocol='fast',
            overrides=OVERRIDES,
            options={'withmpi': False},
        )
    ).node
    assert node.is_finished_ok, node.exit_message
    return node


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
    assert np.abs(forces[~held]).max() < 0.35  # the threshold, and what the accuracy of the density leaves


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
