"""Quasiparticles against the quasiparticle equation and the main output."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from aiida_foundry.engines.abinit.parse_raw.gsr import parse_gsr
from aiida_foundry.engines.abinit.parse_raw.sigres import check_finite, parse_sigres

PRINTED = re.compile(r'^ {2,}(\d+)((?: +-?\d+\.\d{3}){9,12})$', re.MULTILINE)


@pytest.fixture
def read(case_folder):
    return lambda case: parse_sigres((case_folder(case) / 'out_SIGRES.nc').read_bytes())


def printed_columns(folder):
    """Return the (state, column) numbers of all tables of the main output, first column the band."""
    rows = PRINTED.findall((folder / 'aiida.abo').read_text())
    return np.array([[float(band), *(float(entry) for entry in columns.split())] for band, columns in rows])


def test_quasiparticle_equation(read):
    """E = ε + Re[Z (Σx + Σc(ε) − Vxc)] (linearised), state by state: proves that the arrays are aligned."""
    qp = read('sigma_ppm')
    correction = qp.renormalization * (qp.exchange + qp.correlation - qp.vxc)
    computed = np.isfinite(qp.qp_energies)
    # The linearisation leaves out Im Z Im Σc, below 1e-3 eV for these states.
    assert (qp.ks_energies + correction)[computed] == pytest.approx(qp.qp_energies[computed], abs=1e-3)


def test_only_computed_states_have_numbers(read):
    qp = read('sigma_ppm')
    expected = np.zeros((1, 2, 7), dtype=bool)
    expected[0, 0, 1:7] = True
    expected[0, 1, 2:6] = True
    for name in ('ks_energies', 'qp_energies', 'renormalization', 'exchange', 'correlation', 'vxc'):
        assert (np.isfinite(getattr(qp, name)) == expected).all(), name


def test_weights(read):
    """Γ and X on 2×2×2: 1 and 3 of 8 points."""
    assert read('sigma_ppm').weights == pytest.approx([1 / 8, 3 / 8])


def test_as_printed(read, case_folder):
    qp = read('sigma_ppm')
    rows = printed_columns(case_folder('sigma_ppm'))
    computed = np.isfinite(qp.qp_energies[0])
    assert rows[:, 0] == pytest.approx(np.nonzero(computed)[1] + 1)
    assert rows[:, 1] == pytest.approx(qp.ks_energies[0][computed], abs=2e-3)
    assert rows[:, -1] == pytest.approx(qp.qp_energies[0][computed], abs=2e-3)


def test_self_consistent_energies_are_eigenvalues(read, case_folder):
    """The last column of the table, E(N)_diago, and not the first-order E(N)_pert beside it."""
    qp = read('sigma_qsgw')
    rows = printed_columns(case_folder('sigma_qsgw'))
    energies = qp.qp_energies[0][np.isfinite(qp.qp_energies[0])]
    assert len(rows) == len(energies)
    assert rows[:, -1] == pytest.approx(energies, abs=2e-3)
    assert np.abs(rows[:, -1] - rows[:, -2]).max() > 5e-3
    assert (qp.qp_energies_imag[np.isfinite(qp.qp_energies)] == 0).all()


def test_kohn_sham_energies_stay(read, case_folder):
    """In the second iteration ``e0`` of the file is the first iteration's energy, not the Kohn-Sham one."""
    qp = read('sigma_qsgw')
    ground_state = parse_gsr((case_folder('nscf') / 'out_GSR.nc').read_bytes())
    bands = qp.ks_energies.shape[-1]
    computed = np.isfinite(qp.ks_energies)
    assert qp.ks_energies[computed] == pytest.approx(ground_state.eigenvalues[..., :bands][computed], abs=1e-6)
    assert np.abs(qp.starting_energies - qp.ks_energies)[computed].max() > 0.1


def test_not_finite(read):
    qp = read('sigma_ppm')
    assert check_finite(qp) == []
    vxc = qp.vxc.copy()
    vxc[0, 0, 3] = np.inf
    assert check_finite(replace(qp, vxc=vxc)) == ['vxc']
