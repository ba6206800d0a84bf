"""Spectra against ABINIT's text file and against sum rules."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aiida_foundry.engines.abinit.parse_raw.mdf import check_finite, parse_mdf


@pytest.fixture
def spectra(case_folder):
    return parse_mdf((case_folder('bse') / 'out_MDF.nc').read_bytes())


def test_as_in_the_text_file(spectra, case_folder):
    table = np.loadtxt(case_folder('bse') / 'out_EXC_MDF')
    assert spectra.frequencies == pytest.approx(table[:, 0], abs=1e-3)
    epsilon = table[:, 1::2] + 1j * table[:, 2::2]
    assert pytest.approx(epsilon, abs=1e-4) == spectra.excitonic.T


def test_absorption_is_positive(spectra):
    for epsilon in (spectra.excitonic, spectra.independent_particle, spectra.independent_quasiparticle):
        assert (epsilon.imag >= 0).all()


def test_scissor_lowers_the_dielectric_constant(spectra):
    """The corrected energies are 0.8 eV further apart."""
    assert (spectra.independent_quasiparticle[:, 0].real < spectra.independent_particle[:, 0].real).all()


def test_not_finite(spectra):
    assert check_finite(spectra) == []
    assert check_finite(replace(spectra, frequencies=np.array([np.nan]))) == ['frequencies']
