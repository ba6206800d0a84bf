"""Yambo's databases against those of a recorded run."""

from __future__ import annotations

from pathlib import Path

import netCDF4
import numpy as np
import pytest

from aiida_foundry.common.errors import InputError
from aiida_foundry.common.units import HARTREE_TO_EV
from aiida_foundry.engines.yambo.qp_database import parse_setup, write_database

CASE = Path(__file__).parents[2] / 'fixtures/yambo/si_bse_ki'


@pytest.fixture(scope='module')
def setup():
    return parse_setup((CASE / 'ns.db1').read_bytes())


@pytest.fixture(scope='module')
def recorded():
    with netCDF4.Dataset(CASE / 'ndb.QP') as dataset:
        return {name: np.asarray(variable[...]) for name, variable in dataset.variables.items()}


def corrections_in(recorded):
    return ((recorded['QP_E'][:, 0] - recorded['QP_Eo']) * HARTREE_TO_EV).reshape(3, 8)


def test_kpoints_are_reduced(setup):
    """Γ, L and X of the face-centred cubic lattice are half-integer in any primitive basis."""
    assert setup.kpoints == pytest.approx(np.array([[0, 0, 0], [0, 0, -0.5], [0, -0.5, -0.5]]), abs=1e-6)
    assert setup.ks_energies.shape == (3, 20)


def test_database_is_that_of_the_recorded_run(setup, recorded):
    content = write_database(setup, corrections_in(recorded))
    with netCDF4.Dataset('ndb.QP', memory=content) as dataset, netCDF4.Dataset(CASE / 'ndb.QP') as original:
        assert set(dataset.variables) == set(original.variables)
        for name, variable in original.variables.items():
            assert dataset[name].dimensions == variable.dimensions
            assert dataset[name].dtype == variable.dtype
            if name == 'CUTOFF':
                assert (dataset[name][...] == variable[...]).all()
            else:
                assert np.asarray(dataset[name][...]) == pytest.approx(np.asarray(variable[...]), abs=3e-8)


def test_window_of_bands(setup, recorded):
    content = write_database(setup, corrections_in(recorded)[:, 2:6], first_band=3)
    with netCDF4.Dataset('ndb.QP', memory=content) as dataset:
        assert np.asarray(dataset['PARS'][:4]).tolist() == [4, 3, 12, 0]
        assert np.asarray(dataset['QP_table'][0, :4]).tolist() == [3, 4, 5, 6]
        assert dataset['QP_E'][0, 0] == pytest.approx(recorded['QP_E'][2, 0], abs=3e-8)


@pytest.mark.parametrize('corrections', [np.zeros((2, 8)), np.full((3, 8), np.nan), np.zeros((3, 21))])
def test_corrections_that_do_not_fit(setup, corrections):
    with pytest.raises(InputError, match='do not fit 3 k-points and 20 bands, or are not finite'):
        write_database(setup, corrections)
