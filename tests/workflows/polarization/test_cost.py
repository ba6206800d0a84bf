"""Estimates against CPU seconds that pw.x 6.7 printed on one core."""

from __future__ import annotations

from aiida import orm

from aiida_foundry.workflows.polarization.cost import estimate

#: Wurtzite AlN as measured: three images, each with a ground state and two sets of strings, 36 CPU s.
ALUMINIUM_NITRIDE = {'kpoints_mesh': [3, 3, 2], 'parameters': {'wavefunction_cutoff': 30.0, 'density_cutoff': 120.0}}


def seconds(steps):
    return sum(step['core_seconds'] for step in steps)


def test_path_of_aluminium_nitride(path_builder):
    steps = estimate(path_builder(protocol='fast', overrides={'berry': ALUMINIUM_NITRIDE}))
    assert [step['step'] for step in steps] == ['scf of 3 images', 'strings of 3 images']
    assert 36 / 2 < seconds(steps) < 36 * 2


def test_three_free_directions_cost_more_than_one_fixed(berry_builder, structure_of, boron_nitride):
    """Triclinic: all strings of three directions, two sets of each; cubic: one direction, one set, few strings."""
    cell = [[2.5, 0.1, 0.2], [0.3, 2.6, 0.1], [0.1, 0.4, 2.7]]
    triclinic = structure_of(cell, [('B', (0, 0, 0)), ('N', (0.3, 0.2, 0.26))])
    costs = [
        {step['step']: step['core_seconds'] for step in estimate(berry_builder(crystal, protocol='fast'))}
        for crystal in (boron_nitride, triclinic)
    ]
    assert costs[1]['strings'] > 5 * costs[0]['strings']


def test_ground_state_that_is_handed_on_costs_nothing(berry_builder, boron_nitride):
    builder = berry_builder(boron_nitride, protocol='fast')
    first = estimate(builder)
    density = orm.RemoteData(computer=builder.code.computer, remote_path='/')
    builder.ground_state = {'density': density, 'bands': orm.BandsData()}
    assert [step['step'] for step in first] == ['scf', 'strings']
    assert estimate(builder) == first[1:]
