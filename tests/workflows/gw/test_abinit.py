"""Steps of the ABINIT adapter: what each does with what the step before left, and with failures."""

from __future__ import annotations

import numpy as np
import pytest
from aiida import orm
from aiida.common.links import LinkType

from aiida_foundry.workflows.gw import abinit_variables
from aiida_foundry.workflows.gw.abinit import AbinitGwGapWorkChain
from aiida_foundry.workflows.gw.methods import METHODS, get_method

CODES = AbinitGwGapWorkChain.exit_codes

#: Four filled and four empty bands at the three k-points of a 2×2×2 mesh, in eV.
MESH = [[0, 0, 0], [0.5, 0, 0], [0.5, 0.5, 0]]
BANDS = np.array([[-5, -4, -3, 0, 3, 4, 5, 6], [-6, -5, -4, -1, 2, 3, 4, 5], [-7, -6, -5, -2, 1, 2, 3, 4]], dtype=float)


def bands_data(bands: np.ndarray, kpoints: list) -> orm.BandsData:
    node = orm.BandsData()
    node.set_kpoints(kpoints, weights=[1 / len(kpoints)] * len(kpoints))
    node.set_bands(bands, units='eV')
    return node


def quasiparticles(bands: np.ndarray) -> orm.ArrayData:
    """Return what the parser makes of a self-energy that shifts the empty states by 1 eV."""
    node = orm.ArrayData()
    shifted = bands + np.where(np.arange(bands.shape[1]) > 3, 1.0, 0.0)
    for name, array in (('ks_energies', bands), ('qp_energies', shifted), ('renormalization', 0 * bands + 0.8)):
        node.set_array(name, array[np.newaxis])
    node.set_array('kpoints', np.array(MESH))
    return node


@pytest.fixture
def child(abinit_code):
    """Return a function that makes a finished AbinitBaseWorkChain."""

    def _child(exit_status=0, bands=None, kpoints=MESH, self_energy=False):
        node = orm.WorkChainNode()
        node.store()
        folder = orm.RemoteData(computer=abinit_code.computer, remote_path='/nowhere')
        parameters = {'wall_time_seconds': 1.0, 'core_seconds': 2.0}
        outputs = {'remote_folder': folder, 'output_parameters': orm.Dict(parameters)}
        if bands is not None and not self_energy:
            outputs['output_bands'] = bands_data(bands, kpoints)
        if self_energy:
            outputs['output_quasiparticles'] = quasiparticles(bands)
        for label, data in outputs.items():
            maker = orm.CalcFunctionNode().store()
            data.base.links.add_incoming(maker, LinkType.CREATE, 'result')
            data.store()
            data.base.links.add_incoming(node, LinkType.RETURN, label)
        node.set_process_state('finished')
        node.set_exit_status(exit_status)
        return node.seal()

    return _child


@pytest.fixture
def process(builder_of, process_of):
    """Return a function that makes a process whose ground state is done."""

    def _process(child, method='g0w0-ppm', overrides=None):
        process = process_of(builder_of(method, overrides=overrides))
        process.setup()
        process.ctx.scf = child(bands=BANDS)
        process.ctx.mesh_bands = child(bands=BANDS)
        process.ctx.path_bands = child(bands=BANDS)
        return process

    return _process


def ground_state(process):
    assert process.inspect_scf() is None
    assert process.inspect_bands() is None


def test_setup_converts_the_pseudopotentials(process, child):
    made = process(child)
    assert {kind: type(pseudo).__name__ for kind, pseudo in made.ctx.pseudos.items()} == {'Si': 'Psp8Data'}
    assert made.ctx.occupied == 4


def test_ground_state_is_kept_for_other_methods(process, child):
    made = process(child)
    ground_state(made)
    assert set(made.ctx.ground_state) == {'density', 'wavefunctions', 'mesh_bands', 'path_bands'}


def test_failed_scf(process, child):
    made = process(child)
    made.ctx.scf = child(exit_status=300)
    assert made.inspect_scf() == CODES.ERROR_SUB_PROCESS_FAILED_SCF


@pytest.mark.parametrize('label', ['mesh_bands', 'path_bands'])
def test_failed_bands(process, child, label):
    made = process(child)
    made.inspect_scf()
    made.ctx[label] = child(exit_status=300)
    assert made.inspect_bands() == CODES.ERROR_SUB_PROCESS_FAILED_BANDS


def test_metal_ends_after_the_ground_state(process, child):
    made = process(child)
    made.ctx.scf = child(bands=BANDS + np.where(np.arange(8) > 3, -4.0, 0.0))
    code = made.inspect_scf()
    assert code.status == CODES.ERROR_METALLIC.status
    assert 'the gap is -3.000 eV' in code.message


def test_metal_that_only_the_path_shows(process, child):
    made = process(child)
    made.inspect_scf()
    made.ctx.path_bands = child(bands=BANDS + np.where(np.arange(8) > 3, -4.0, 0.0))
    assert made.inspect_bands().status == CODES.ERROR_METALLIC.status


def test_failed_screening(process, child):
    made = process(child)
    ground_state(made)
    made.ctx.screening = child(exit_status=300)
    assert made.inspect_screening() == CODES.ERROR_SUB_PROCESS_FAILED_SCREENING


def test_failed_self_energy(process, child):
    made = process(child)
    ground_state(made)
    made.ctx.self_energy = child(exit_status=300)
    assert made.inspect_self_energy() == CODES.ERROR_SUB_PROCESS_FAILED_SELF_ENERGY


def test_quasiparticles_without_gap(process, child):
    made = process(child)
    ground_state(made)
    made.ctx.self_energy = child(bands=BANDS + np.where(np.arange(8) > 3, -5.0, 0.0), self_energy=True)
    assert made.inspect_self_energy().status == CODES.ERROR_NO_QUASIPARTICLE_GAP.status


def iterate(process, child, gaps):
    """Let a self-consistent process see self-energies with these additional gaps, as long as it asks for more."""
    count = 0
    for gap in gaps:
        if not process.should_iterate():
            break
        label = f'self_energy_{process.ctx.iteration}'
        process.ctx[label] = child(bands=BANDS + np.where(np.arange(8) > 3, gap, 0.0), self_energy=True)
        assert process.inspect_self_energy() is None
        count += 1
    return count


def test_perturbative_methods_run_once(process, child):
    made = process(child)
    ground_state(made)
    made.ctx.self_energy = child(bands=BANDS, self_energy=True)
    assert made.should_iterate()
    made.inspect_self_energy()
    assert not made.should_iterate()


def test_self_consistency_ends_when_the_gap_is_still(process, child):
    made = process(child, 'qsgw')
    ground_state(made)
    assert iterate(made, child, [0.0, 0.1, 0.11, 0.11, 0.11]) == 3


def test_self_consistency_gives_up_with_outputs(process, child):
    made = process(child, 'qsgw', {'parameters': {'self_consistency': {'max_iterations': 3}}})
    ground_state(made)
    made.out('screening', made.ctx.ground_state.wavefunctions)
    assert iterate(made, child, [0.0, 0.1, 0.2, 0.3, 0.4]) == 3
    code = made.results()
    assert code.status == CODES.ERROR_SELF_CONSISTENCY_NOT_REACHED.status
    assert 'still changes by 0.100 eV after 3 iterations' in code.message
    assert made.outputs['gaps']['quasiparticle']['indirect'] == pytest.approx(1.0 + 1.0 + 0.2)


def test_results(process, child):
    made = process(child)
    ground_state(made)
    made.ctx.screening = child()
    made.inspect_screening()
    made.ctx.self_energy = child(bands=BANDS, self_energy=True)
    made.inspect_self_energy()
    assert made.results() is None
    gaps = made.outputs['gaps'].get_dict()
    assert gaps['kohn_sham']['indirect'] == pytest.approx(1.0)
    assert gaps['quasiparticle']['indirect'] == pytest.approx(2.0)
    assert gaps['extremum_on_mesh'] is True
    assert gaps['method'] == 'g0w0-ppm'
    assert made.outputs['quasiparticle_bands'].get_bands().shape == (len(MESH), 8)
    assert made.outputs['cost']['core_seconds'] == pytest.approx(10)
    assert set(made.outputs['cost']['steps']) == {'scf', 'mesh_bands', 'path_bands', 'screening', 'self_energy'}


@pytest.mark.parametrize('method', METHODS)
def test_variables(builder_of, data_regression, method, small):
    parameters = builder_of(method, overrides={'parameters': small}).parameters.get_dict()
    definition = get_method(method)
    data_regression.check(
        {
            'scf': abinit_variables.scf(parameters, 4),
            'mesh_bands': abinit_variables.mesh_bands(parameters),
            'path_bands': abinit_variables.path_bands(parameters, 4),
            'screening': abinit_variables.screening(parameters, definition, 0),
            'screening_1': abinit_variables.screening(parameters, definition, 1),
            'self_energy': abinit_variables.self_energy(parameters, definition, MESH, 4),
        }
    )


def test_first_screening_is_shared(builder_of, small):
    """All methods with the same W start from the same screening, so that it is computed once."""
    parameters = builder_of('qsgw', overrides={'parameters': small}).parameters.get_dict()
    first = [abinit_variables.screening(parameters, get_method(name), 0) for name in ('g0w0-ff', 'evgw', 'qsgw')]
    assert first[0] == first[1] == first[2]


def test_screening_without_its_ground_state_is_refused(builder_of, child):
    builder = builder_of()
    builder.screening = child().outputs.remote_folder
    with pytest.raises(ValueError, match='Hand on `ground_state` as well'):
        AbinitGwGapWorkChain(builder._inputs(prune=True))


def test_screening_beyond_the_wavefunctions_is_refused(builder_of, small):
    """ABINIT 9.6.2 makes it, and its self-energy stops: `Mismatch between Gsph_c and gvec_kss`."""
    cutoffs = {'wavefunction_cutoff': 8.0, 'screening_cutoff': 10.0}
    builder = builder_of(overrides={'parameters': {**small, **cutoffs}})
    with pytest.raises(ValueError, match=r'`screening_cutoff`: 10\.0 hartree exceeds the wavefunction cutoff'):
        AbinitGwGapWorkChain(builder._inputs(prune=True))


def test_options_reach_every_calculation(builder_of):
    builder = builder_of(options={'max_wallclock_seconds': 600})
    assert isinstance(builder.options, orm.Dict)
    assert builder.options['max_wallclock_seconds'] == 600
