"""Costs side by side: each step is counted once."""

from __future__ import annotations

import pytest

from aiida_foundry.workflows.bse.comparison import core_seconds


def cost(**steps):
    return {'steps': {label: {'core_seconds': seconds} for label, seconds in steps.items()}}


def test_steps_that_all_share_are_counted_once():
    found = core_seconds(
        {
            'koopmans': cost(wannierize_scf=1.0, screening_1=4.0),
            'gw': cost(scf=2.0, mesh_bands=3.0, path_bands=1.0, screening=5.0, self_energy=7.0),
            'ki': cost(bse=8.0, rpa=1.0),
            'g0w0': cost(bse=8.5, rpa=1.0),
        }
    )
    assert found == {
        'corrections': {'ki': pytest.approx(5.0), 'g0w0': pytest.approx(7.0)},
        'spectrum': {'ki': pytest.approx(9.0), 'g0w0': pytest.approx(9.5)},
        'ground_state': pytest.approx(6.0),
        'screening': pytest.approx(5.0),
    }


def test_without_gw_the_first_spectrum_makes_the_ground_state():
    found = core_seconds({'koopmans': cost(screening_1=4.0), 'ki': cost(scf=2.0, screening=5.0, bse=8.0)})
    assert found['ground_state'] == pytest.approx(2.0)
    assert found['screening'] == pytest.approx(5.0)
    assert found['spectrum'] == {'ki': pytest.approx(8.0)}
