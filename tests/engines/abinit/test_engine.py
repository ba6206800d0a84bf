"""Real runs of ABINIT through AiiDA: each chain of files, and a repair."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node

from aiida_foundry.engines.abinit.base import AbinitBaseWorkChain
from aiida_foundry.engines.abinit.parse_raw.gsr import parse_gsr
from aiida_foundry.engines.abinit.parse_raw.sigres import parse_sigres

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(shutil.which('abinit') is None, reason='ABINIT is not on PATH: install `abinit` from Debian'),
]

SCF = {'ecut': 4, 'nband': 6, 'toldfe': 1e-8}
NSCF = {'ecut': 4, 'nband': 16, 'nbdbuf': 2, 'tolwfr': 1e-10, 'iscf': -2, 'nstep': 60, 'istwfk': '*1'}
SCREENING = {'ecut': 4, 'optdriver': 3, 'nband': 12, 'ecuteps': 2, 'ecutwfn': 4, 'istwfk': '*1'}
SIGMA = {**SCREENING, 'optdriver': 4, 'ecutsigx': 4}
MESH_POINTS = {'nkptgw': 3, 'kptgw': [[0, 0, 0], [0.5, 0, 0], [0.5, 0.5, 0]], 'bdgw': [[1, 8]] * 3}


@pytest.fixture
def run(abinit_inputs, engine_codes):
    """Run ABINIT; return its outputs and the work chain."""

    def build(parameters, **changes):
        inputs = abinit_inputs(code=engine_codes['abinit'], parameters=parameters, **changes)
        outputs, node = run_get_node(AbinitBaseWorkChain, abinit=inputs)
        assert node.is_finished_ok, node.exit_message
        return outputs, node

    return build


def test_plasmon_pole_and_self_consistent_chain(run, case_folder):
    """Density, wavefunctions, screening and quasiparticles are handed on by link, twice around."""
    density = run(SCF)[0]['remote_folder']
    wavefunctions = run(NSCF, parents={'density': density})[0]['remote_folder']
    screening = run(SCREENING, parents={'wavefunctions': wavefunctions})[0]['remote_folder']
    parents = {'wavefunctions': wavefunctions, 'screening': screening}

    one_shot, _ = run(SIGMA | {'nkptgw': 1, 'kptgw': [[0, 0, 0]], 'bdgw': [[3, 6]]}, parents=parents)
    stored = parse_sigres((case_folder('sigma_ppm') / 'out_SIGRES.nc').read_bytes())
    energies = one_shot['output_quasiparticles'].get_array('qp_energies')
    assert energies[0, 0, 1:7] == pytest.approx(stored.qp_energies[0, 0, 1:7], abs=1e-3)

    self_consistent = SIGMA | MESH_POINTS | {'gwcalctyp': 28, 'symsigma': 0}
    first, _ = run(self_consistent, parents=parents)
    iterated = {'wavefunctions': wavefunctions, 'quasiparticles': first['remote_folder']}
    screening, _ = run(SCREENING | {'gwcalctyp': 28}, parents=iterated)
    second, _ = run(self_consistent, parents=iterated | {'screening': screening['remote_folder']})
    start = second['output_quasiparticles'].get_array('starting_energies')
    assert start == pytest.approx(first['output_quasiparticles'].get_array('qp_energies'), abs=1e-4, nan_ok=True)
    stored = parse_sigres((case_folder('sigma_qsgw') / 'out_SIGRES.nc').read_bytes())
    energies = second['output_quasiparticles'].get_array('qp_energies')
    assert energies == pytest.approx(stored.qp_energies, abs=5e-3, nan_ok=True)


def test_restart_of_a_cycle_that_did_not_converge(run, case_folder):
    """The handler continues from the wavefunctions, and the result is that of one long cycle."""
    outputs, node = run(SCF | {'nstep': 4})
    assert [child.exit_status for child in node.called] == [340, 0]
    assert 'irdwfk 1' in node.called[-1].base.repository.get_object_content('aiida.abi')
    whole = parse_gsr((case_folder('scf') / 'out_GSR.nc').read_bytes())
    assert outputs['output_parameters']['energy'] == pytest.approx(whole.energy, abs=1e-6)


def test_mesh_and_bands_are_repaired(run, mesh):
    outputs, node = run({'ecut': 4, 'nband': 3, 'toldfe': 1e-6}, kpoints=mesh(offset=(0.5, 0.5, 0.5)))
    assert [child.exit_status for child in node.called if isinstance(child, orm.CalcJobNode)] == [315, 316, 0]
    kpoints = outputs['output_bands'].get_kpoints()
    assert np.abs(kpoints).sum(axis=1).min() == 0


def test_netcdf_files_are_found(run):
    """With ``iomode 3`` the large files end in ``.nc``."""
    density = run(SCF | {'iomode': 3})[0]['remote_folder']
    for mode in ('symlink', 'copy'):
        settings = orm.Dict({'restart_mode': mode})
        outputs, _ = run(NSCF | {'nband': 6, 'nbdbuf': 0}, parents={'density': density}, settings=settings)
        assert outputs['output_bands'].get_bands().shape == (3, 6)
