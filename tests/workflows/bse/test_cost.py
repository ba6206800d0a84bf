"""The estimate before submission, against CPU seconds of runs of silicon (ABINIT 9.6.2, aiida-foundry-ki)."""

from __future__ import annotations

import pytest

from aiida_foundry.analysis import exciton_cost
from aiida_foundry.workflows.bse.cost import estimate

#: 8 hartree, W up to 3 hartree, four filled and four empty bands.
SILICON = {'valence': 4, 'conduction': 4, 'plane_waves': 283, 'screening_plane_waves': 65}


def test_diagonalisation_grows_with_the_cube_of_transitions():
    small, large = (exciton_cost.Pairs(kpoints=n**3, **SILICON) for n in (6, 12))
    assert (small.transitions, large.transitions) == (3456, 27648)
    seconds = [exciton_cost.bethe_salpeter_seconds(size) for size in (small, large)]
    assert 64 < seconds[1] / seconds[0] < 512
    assert exciton_cost.bethe_salpeter_megabytes(large) == pytest.approx(16 * 27648**2 / 1e6, rel=0.02)


def test_bethe_salpeter_equation():
    """Silicon, 4×4×4, 5 hartree, W up to 2 hartree: 17.7 CPU seconds for 1024 transitions."""
    size = exciton_cost.Pairs(kpoints=64, valence=4, conduction=4, plane_waves=140, screening_plane_waves=27)
    assert exciton_cost.bethe_salpeter_seconds(size) == pytest.approx(17.7, rel=0.3)


def test_koopmans_screening():
    """Silicon, 2×2×2, 20 rydberg, 20 bands: 1.7 CPU seconds; symmetry leaves two functions at four wave vectors."""
    assert exciton_cost.koopmans_seconds(8, 8, 4, 20, 408) == pytest.approx(1.7, rel=0.5)


def test_steps_of_a_spectrum(builder_of):
    steps = {step['step']: step for step in estimate(builder_of())}
    assert list(steps) == ['scf', 'states on the mesh', 'screening', 'Bethe-Salpeter equation', 'RPA']
    assert all(0 < step['core_seconds'] < 60 and step['memory_mb'] >= 100 for step in steps.values())
    denser = {step['step']: step for step in estimate(builder_of(overrides={'kpoints_mesh': [6, 6, 6]}))}
    assert denser['screening']['core_seconds'] > 10 * steps['screening']['core_seconds']
    assert denser['Bethe-Salpeter equation']['memory_mb'] > steps['Bethe-Salpeter equation']['memory_mb']


def test_what_is_left_out_costs_nothing(builder_of):
    steps = [step['step'] for step in estimate(builder_of(overrides={'parameters': {'rpa': False}}))]
    assert steps == ['scf', 'states on the mesh', 'screening', 'Bethe-Salpeter equation']
