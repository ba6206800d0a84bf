"""Steps of the ABINIT adapter: what each does with what the step before left, and with failures."""

from __future__ import annotations

import numpy as np
import pytest
from aiida import orm
from aiida.common.links import LinkType

from aiida_foundry.analysis.directions import CANDIDATES, rank
from aiida_foundry.workflows.bse import abinit_variables
from aiida_foundry.workflows.bse.abinit import AbinitBseSpectrumWorkChain

CODES = AbinitBseSpectrumWorkChain.exit_codes

#: Bands of silicon (LDA) at Γ, L and X in eV, and the points of a 2×2×2 mesh.
MESH = [[0, 0, 0], [0.5, 0, 0], [0.5, 0.5, 0]]
BANDS = np.array(
    [
        [-12.0, 0.0, 0.0, 0.0, 2.5, 2.5, 2.5, 3.2, 7.4, 8.0],
        [-9.6, -7.0, -1.2, -1.2, 1.4, 3.3, 3.3, 7.5, 7.6, 8.1],
        [-7.8, -7.8, -2.9, -2.9, 0.6, 0.6, 10.0, 10.0, 10.7, 11.0],
    ]
)
DIRECTIONS = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 0]]


def bands_data(bands=BANDS) -> orm.BandsData:
    node = orm.BandsData()
    node.set_kpoints(MESH, weights=[0.125, 0.5, 0.375])
    node.set_bands(bands, units='eV')
    return node


def optical() -> orm.ArrayData:
    frequencies = np.arange(0, 6, 0.1)
    spectrum = np.tile(1 + 1 / (3 - frequencies - 0.1j), (6, 1))
    names = ('excitonic', 'independent_particle', 'independent_quasiparticle')
    arrays = {'frequencies': frequencies, 'directions': np.array(DIRECTIONS), **dict.fromkeys(names, spectrum)}
    return orm.ArrayData(arrays)


def excitons(lowest: float) -> orm.ArrayData:
    return orm.ArrayData(
        {'energies': np.array([lowest, lowest + 0.1]), 'strengths': np.ones((2, 6)), 'weights': np.ones((2, 8, 8))}
    )


@pytest.fixture
def child(code_that_never_runs):
    """Return a function that makes a finished AbinitBaseWorkChain."""

    def _child(exit_status=0, bands=None, gap=None, lowest=None):
        node = orm.WorkChainNode().store()
        folder = orm.RemoteData(computer=code_that_never_runs.computer, remote_path='/nowhere')
        parameters = {
            'wall_time_seconds': 1.0,
            'core_seconds': 2.0,
            'head_factor': 7.6,
            'quasiparticle_direct_gap': gap,
        }
        parameters['dielectric_constant_with_local_fields'] = 12.0
        outputs = {'remote_folder': folder, 'output_parameters': orm.Dict(parameters)}
        if bands is not None:
            outputs['output_bands'] = bands_data(bands)
        if lowest is not None:
            outputs |= {'output_optical': optical(), 'output_excitons': excitons(lowest)}
        maker = orm.CalcJobNode().store()
        for label, data in outputs.items():
            data.base.links.add_incoming(maker, LinkType.CREATE, label)
            data.store()
            data.base.links.add_incoming(node, LinkType.RETURN, label)
        node.set_process_state('finished')
        node.set_exit_status(exit_status)
        return node.seal()

    return _child


@pytest.fixture
def process(builder_of, process_of, child):
    """Return a function that makes a process whose ground state is done."""

    def _process(corrections=0.8, parameters=None):
        overrides = {'parameters': {'bands': 10, **(parameters or {})}}
        made = process_of(builder_of(corrections, overrides=overrides))
        made.setup()
        made.ctx.scf = child(bands=BANDS)
        made.ctx.mesh_bands = child(bands=BANDS)
        assert made.inspect_scf() is None
        assert made.inspect_bands() is None
        return made

    return _process


def solved(made, child, gap=2.5 + 0.8, lowest=2.9):
    """Let the process see a screening and a Bethe-Salpeter run."""
    assert made.bring_corrections() is None
    made.should_run_screening()
    made.ctx.screening_run = child()
    assert made.inspect_screening() is None
    made.ctx.bse, made.ctx.rpa = child(gap=gap, lowest=lowest), child(gap=gap, lowest=2.5 + 0.8)
    return made


def test_failed_scf(process, child):
    made = process()
    made.ctx.scf = child(exit_status=300)
    assert made.inspect_scf() == CODES.ERROR_SUB_PROCESS_FAILED_SCF


def test_metal(process, child):
    made = process()
    made.ctx.scf = child(bands=BANDS - np.where(np.arange(10) > 3, 4.0, 0.0))
    assert made.inspect_scf().status == CODES.ERROR_METALLIC.status


def test_failed_bands(process, child):
    made = process()
    made.ctx.mesh_bands = child(exit_status=300)
    assert made.inspect_bands() == CODES.ERROR_SUB_PROCESS_FAILED_BANDS


def test_window_is_widened_and_corrected(process):
    made = process(parameters={'valence_bands': 1, 'conduction_bands': 1})
    assert made.bring_corrections() is None
    assert made.ctx.window.get_dict() == {'first': 1, 'last': 8, 'occupied': 4}
    lines = made.ctx.file.get_content().splitlines()
    assert lines[0] == '3 1'
    assert [float(line.split()[2]) for line in lines[3:11]] == [0, 0, 0, 0, 0.8, 0.8, 0.8, 0.8]


def test_no_window(process):
    made = process(parameters={'conduction_bands': 4})
    made.ctx.ground_state.mesh_bands = bands_data(BANDS[:, :8]).store()
    made.ctx.parameters['bands'] = 8
    assert made.bring_corrections().status == CODES.ERROR_BAND_WINDOW.status


def quasiparticles(bands) -> orm.ArrayData:
    arrays = {'kpoints': np.array(MESH), 'ks_energies': BANDS[np.newaxis], 'qp_energies': bands[np.newaxis]}
    return orm.ArrayData(arrays)


def test_gaps_in_coverage_are_refused(process):
    shifted = np.where(np.arange(10) < 6, BANDS, np.nan)
    code = process(quasiparticles(shifted)).bring_corrections()
    assert code.status == CODES.ERROR_CORRECTIONS_DO_NOT_FIT.status
    assert 'have no correction' in code.message


def test_gaps_in_coverage_are_filled_on_request(process):
    shifted = np.where(np.arange(10) < 6, BANDS + 0.5, np.nan)
    made = process(quasiparticles(shifted), {'transfer': {'extrapolation': 'scissor'}})
    assert made.bring_corrections() is None
    # of the triplet at Γ two members are known: none is taken
    assert made.ctx.moved['transfer']['extrapolated']['conduction'] == pytest.approx(
        {'extrapolated': 9, 'covered': 3, 'rms': 0, 'slope': 0, 'intercept': 0.5}
    )


def test_failed_screening(process, child):
    made = process()
    made.ctx.screening_run = child(exit_status=300)
    assert made.inspect_screening() == CODES.ERROR_SUB_PROCESS_FAILED_SCREENING


@pytest.mark.parametrize(
    ('label', 'code'), [('bse', CODES.ERROR_SUB_PROCESS_FAILED_BSE), ('rpa', CODES.ERROR_SUB_PROCESS_FAILED_RPA)]
)
def test_failed_spectra(process, child, label, code):
    made = solved(process(), child)
    made.ctx[label] = child(exit_status=300)
    assert made.inspect_bse().status == code.status


def test_corrections_that_were_not_applied(process, child):
    code = solved(process(), child, gap=2.5).inspect_bse()
    assert code.status == CODES.ERROR_CORRECTIONS_NOT_APPLIED.status
    assert '2.5000 eV, not 3.3000 eV' in code.message


def test_rpa_below_the_gap_is_garbage(process, child):
    """Exchange is repulsive: without attraction no energy lies below the direct gap."""
    made = solved(process(), child)
    made.ctx.rpa = child(gap=3.3, lowest=2.9)
    code = made.inspect_bse()
    assert code.status == CODES.ERROR_SUB_PROCESS_FAILED_RPA.status
    assert 'memory was not initialised' in code.message


def test_results(process, child):
    made = solved(process(), child)
    assert made.inspect_bse() is None
    assert made.results() is None
    summary = made.outputs['excitons'].get_dict()
    assert summary['direct_gap'] == pytest.approx({'kohn_sham': 2.5, 'quasiparticle': 3.3})
    assert summary['lowest']['binding_energy'] == pytest.approx(0.4)
    assert summary['head']['factor'] == 7.6
    assert summary['head']['dielectric_constant'] == 12.0
    assert summary['bands'] == [1, 8]
    assert set(made.outputs['cost']['steps']) == {'scf', 'mesh_bands', 'screening', 'bse', 'rpa'}
    assert 'rpa' in made.outputs['spectra'].get_arraynames()
    assert made.outputs['quasiparticle_bands'].get_bands()[0, 4] == pytest.approx(2.5 + 0.8)


def test_broadening_is_applied_to_the_excitons(process, child):
    """The spectrum is the sum over excitons, not that of ABINIT: Σ 2 f / E in the static limit."""
    made = solved(process(), child)
    made.inspect_bse()
    made.results()
    static = made.outputs['spectra'].get_array('excitonic')[0, 0].real
    assert static == pytest.approx(1 + 2 / 2.9 + 2 / 3.0, rel=2e-3)


def test_instability(process, child):
    made = solved(process(), child, lowest=-0.1)
    made.inspect_bse()
    assert made.results().status == CODES.ERROR_EXCITONIC_INSTABILITY.status


@pytest.mark.parametrize(
    'changes',
    [{}, {'symmetry': False}, {'algorithm': 'haydock'}, {'tamm_dancoff': False}],
    ids=['default', 'no_symmetry', 'haydock', 'full'],
)
def test_variables(builder_of, silicon, small, data_regression, changes):
    parameters = builder_of(overrides={'parameters': {**small, **changes}}).parameters.get_dict()
    data_regression.check(
        {
            'scf': abinit_variables.scf(parameters, 4),
            'mesh_bands': abinit_variables.mesh_bands(parameters),
            'screening': abinit_variables.screening(parameters),
            'bse': abinit_variables.bethe_salpeter(parameters, silicon.cell, (1, 8), attraction=True),
            'rpa': abinit_variables.bethe_salpeter(parameters, silicon.cell, (1, 8), attraction=False),
        }
    )


def test_directions_determine_the_tensor(builder_of, small):
    """The six that ABINIT takes by itself do not for a hexagonal crystal: its third axis is among them twice."""
    cell = np.array([[3.112, 0, 0], [-1.556, 2.695, 0], [0, 0, 4.982]])
    parameters = builder_of(overrides={'parameters': small}).parameters.get_dict()
    made = abinit_variables.bethe_salpeter(parameters, cell, (1, 8), attraction=True)
    fields = np.array(made['gw_qlwl']) @ np.linalg.inv(cell).T
    assert fields == pytest.approx(CANDIDATES[[0, 1, 2, 0, 3, 4, 5]], abs=1e-6)
    assert rank(fields) == 6
