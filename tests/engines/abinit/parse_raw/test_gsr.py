"""Ground states against the main output and exact sums."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from aiida_foundry.common.units import BOHR_TO_ANGSTROM, HARTREE_TO_EV
from aiida_foundry.engines.abinit.parse_raw.gsr import (
    check_finite,
    describe_occupations,
    highest_band_occupation,
    parse_gsr,
)


@pytest.fixture
def read(case_folder):
    return lambda case: parse_gsr((case_folder(case) / 'out_GSR.nc').read_bytes())


@pytest.mark.parametrize('case', ['scf', 'relaxation', 'spin'])
def test_electrons(read, case):
    state = read(case)
    assert np.einsum('k,skn->', state.weights, state.occupations) == pytest.approx(8, abs=1e-8)


def test_eigenvalues_as_printed(read, case_folder):
    text = (case_folder('scf') / 'aiida.abo').read_text()
    printed = re.search(r'kpt#   1, nband=.*\n(.*)\n', text).group(1).split()
    energies = read('scf').eigenvalues[0, 0] / HARTREE_TO_EV
    assert energies == pytest.approx([float(entry) for entry in printed], abs=6e-6)


def test_stress_as_printed(read, case_folder):
    text = (case_folder('relaxation') / 'aiida.abo').read_text()
    pressure = float(re.findall(r'pressure_GPa:\s+(\S+)', text)[-1])
    ev_per_cubic_angstrom = 160.21766208  # in GPa
    assert -np.trace(read('relaxation').stress) / 3 * ev_per_cubic_angstrom == pytest.approx(pressure, abs=1e-4)


def test_cell(read):
    lengths = np.linalg.norm(read('scf').cell, axis=1)
    assert lengths == pytest.approx([10.2631026 / np.sqrt(2) * BOHR_TO_ANGSTROM] * 3, abs=1e-8)


def test_insulator(read):
    hints = describe_occupations(read('scf'), spinors=False)
    assert not hints['has_fractional_occupations']
    # Γ25' and X1 of silicon, the edges on this mesh.
    assert hints['highest_occupied_energy'] < hints['lowest_unoccupied_energy']


def test_metal(read):
    """With a smearing of 0.27 eV all four bands of the small cutoff hold electrons."""
    state = read('metal_few_bands')
    assert highest_band_occupation(state) == pytest.approx(2, abs=1e-3)
    assert 'lowest_unoccupied_energy' not in describe_occupations(state, spinors=False)


def test_spin_channels(read):
    state = read('spin')
    assert state.eigenvalues.shape[0] == 2
    assert state.occupations.max() <= 1
    assert highest_band_occupation(state) < 0.005


def test_not_finite(read):
    state = read('scf')
    assert check_finite(state) == []
    occupations = state.occupations.copy()
    occupations[0, 0, 0] = np.nan
    assert check_finite(replace(state, energy=np.inf, occupations=occupations)) == ['energy', 'occupations']
