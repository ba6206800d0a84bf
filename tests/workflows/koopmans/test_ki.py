"""Koopmans energies: builders, what is refused, steps of the adapters, and recorded results of kcw.x."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run

from aiida_foundry.common.errors import InputError
from aiida_foundry.engines.kcw.parse_raw.ham import parse_ham
from aiida_foundry.engines.kcw.parse_raw.run import parse_run, to_reduced
from aiida_foundry.engines.kcw.parse_raw.screen import parse_screen
from aiida_foundry.engines.koopmans.calculation import KiCalculation
from aiida_foundry.workflows.koopmans import ki_calcfunctions
from aiida_foundry.workflows.koopmans.kcw import KcwKiWorkChain
from aiida_foundry.workflows.koopmans.ki import KoopmansKiWorkChain
from aiida_foundry.workflows.koopmans.native import NativeKiWorkChain
from aiida_foundry.workflows.koopmans.parameters import dielectric_mesh

FIXTURES = Path(__file__).parents[2] / 'fixtures' / 'kcw'
RYDBERG = 13.605693122990
CODES = KoopmansKiWorkChain.exit_codes

#: Integrals in eV at Γ without q + G = 0 by the native engine: Si 2×2×2, PBE, 8 hartree, filled function.
NATIVE = {'bare': 0.15506411, 'self_hartree': 0.19869556}


def recorded(case: str) -> str:
    return gzip.decompress((FIXTURES / f'{case}.out.gz').read_bytes()).decode()


@pytest.mark.parametrize('protocol', ['fast', 'balanced', 'stringent'])
def test_protocols(ki_builder, data_regression, protocol):
    builder = ki_builder(protocol=protocol)
    assert builder.process_class is NativeKiWorkChain
    made = builder.wannierize.parameters
    record = {name: made[name] for name in ('bands', 'wavefunction_cutoff', 'spin_channels', 'empty_functions')}
    mesh = builder.kpoints.get_kpoints_mesh()[0]
    data_regression.check({'parameters': builder.parameters.get_dict(), 'wannierize': record, 'mesh': mesh})


def test_kcw_has_two_spin_channels_and_no_more_bands_than_it_needs(ki_builder):
    builder = ki_builder(engine='kcw')
    assert builder.process_class is KcwKiWorkChain
    assert (builder.wannierize.parameters['spin_channels'], builder.wannierize.parameters['bands']) == (2, 16)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'engine': 'cp'}, 'engine `cp`: it is unknown. Known are native, kcw'),
        ({'overrides': {'parameters': {'dielectric_constant': 0.5}}}, '0.5 is below that of vacuum'),
        ({'overrides': {'parameters': {'coverage_tolerance_ev': 0}}}, '0 is not between 0 and 1'),
        ({'overrides': {'parameters': {'dielectric_kpoints_distance': 0}}}, '0 is not positive'),
        ({'overrides': {'parameters': {'alpha': 1}}}, 'override `parameters.alpha`: it is unknown'),
        ({'overrides': {'wannierize': {'parameters': {'alpha': 1}}}}, 'override `parameters.alpha`: it is unknown'),
        ({'pseudo_family': 'none'}, 'the profile does not have it'),
    ],
)
def test_refused(ki_builder, arguments, message):
    with pytest.raises(InputError, match=message):
        ki_builder(**arguments)


def test_codes_that_are_needed(ki_builder, codes):
    """Where ε∞ is given, ph.x may be missing."""
    without = {label: code for label, code in codes.items() if label != 'ph'}
    with pytest.raises(InputError, match=r'code `ph`: it is missing, and ph\.x with it'):
        ki_builder(codes=without)
    ki_builder(codes=without, overrides={'parameters': {'dielectric_constant': 12.0}})


def test_interface_does_not_run(ki_builder):
    builder = KoopmansKiWorkChain.get_builder()
    for name, value in ki_builder()._inputs(prune=True).items():
        if name not in ('codes', 'metadata'):
            builder[name] = value
    with pytest.raises(ValueError, match=r'foundry\.koopmans\.ki is an interface'):
        run(builder)


def test_shift_of_the_dielectric_mesh(silicon):
    assert dielectric_mesh(silicon, 0.55).get_kpoints_mesh() == ([4, 4, 4], [0.5, 0.5, 0.5])
    hexagonal = orm.StructureData(cell=[[3.1, 0, 0], [-1.55, 2.684679, 0], [0, 0, 5.0]])
    hexagonal.append_atom(position=(0, 0, 0), symbols='Al')
    assert dielectric_mesh(hexagonal, 0.5).get_kpoints_mesh()[1] == [0, 0, 0.5]


# Recorded runs of kcw.x.


@pytest.fixture
def ham(bands_data):
    """Return bands of pw.x and result of kcw.x for silicon."""
    text = recorded('ham_si')
    run_record, result = parse_run(text), parse_ham(text)
    points = to_reduced(run_record, result.kpoints)
    koopmans = orm.ArrayData({'kpoints': points, 'kohn_sham': result.kohn_sham, 'koopmans': result.koopmans})
    shuffled = [3, 1, 0, 2, 4, 7, 6, 5]
    return bands_data(result.plane_waves[shuffled], points[shuffled]), koopmans


def test_energies_of_kcw(ham, aiida_profile):
    """The gap on the mesh is the 1.5045 eV that kcw.x prints; the bands that its functions miss have none."""
    bands, koopmans = ham
    made = ki_calcfunctions.assign_energies(bands, koopmans, orm.Float(0.05), orm.Int(ki_calcfunctions.VERSION))
    corrected = made.get_array('qp_energies')[0]
    assert corrected[:, 4].min() - corrected[:, 3].max() == pytest.approx(1.5045, abs=1e-4)
    at_l = np.isclose(bands.get_bands()[:, 5], 9.4935)
    assert np.isnan(corrected[at_l][:, 5:8]).all()
    assert np.isfinite(corrected[:, :5]).all()
    record = ki_calcfunctions.compare(made, bands, 8)
    assert record['quasiparticle']['indirect'] == pytest.approx(1.5045, abs=1e-4)
    assert record['kohn_sham']['indirect'] == pytest.approx(6.7657 - 6.3432, abs=1e-4)


def test_screening_of_kcw(aiida_profile):
    """One orbital of each group stands for all; sums are those of kcw.x, q-points are without q + G = 0.

    The native engine, in another run, gave the values of the filled function at Γ in `NATIVE`; it is good to 1e-6 Ry.
    """
    computed = {}
    for number in (1, 5):
        record = parse_screen(recorded(f'screen_si_head_{number}'))
        arrays = {name: getattr(record, name) for name in ('alpha', 'self_hartree', 'integrals')}
        computed[f'orbital_{number}'] = orm.ArrayData({**arrays, 'head': np.array(record.head)}).store()
    groups = orm.Dict({'representatives': [1] * 4 + [5] * 4, 'occupied': 4})
    made = ki_calcfunctions.combine_screening(groups, orm.Int(ki_calcfunctions.VERSION), **computed)
    arrays = {name: made.get_array(name) for name in made.get_arraynames()}
    assert arrays['alpha'] == pytest.approx([0.18095431] * 4 + [0.06015131] * 4)
    assert arrays['screened'] / arrays['bare'] == pytest.approx(arrays['alpha'], abs=1e-7)
    assert arrays['bare'][[0, 7]] / RYDBERG == pytest.approx([0.85586614, 0.54894593], abs=1e-7)
    assert arrays['self_hartree'][[0, 7]] / RYDBERG == pytest.approx([0.49775127, 0.31705697], abs=1e-7)
    at_gamma = {name: arrays[f'{name}_q'][0, 0] / RYDBERG for name in NATIVE}
    assert at_gamma == {name: pytest.approx(value / RYDBERG, abs=1e-6) for name, value in NATIVE.items()}
    assert arrays['occupied'].tolist() == [True] * 4 + [False] * 4


# Steps.


@pytest.fixture
def wannier(child, bands_data, codes):
    """Return what a Wannierisation of silicon hands on, from recorded bands."""
    bands = bands_data(parse_ham(recorded('ham_si')).plane_waves).store()
    record = {'number_of_functions': 4, 'spreads': [1.0] * 4}
    folder = orm.RemoteData(computer=codes['pw'].computer, remote_path='/nowhere').store()
    manifold = {'retrieved': orm.FolderData().store(), 'parameters': orm.Dict(record).store()}
    return {
        'scf_folder': folder, 'scf_parameters': orm.Dict({}).store(), 'nscf_folder': folder, 'nscf_bands': bands,
        'path_bands': bands, 'occupied': manifold, 'empty': manifold,
    }  # fmt: skip


@pytest.fixture
def process(ki_builder, process_of, wannier):
    """Return a process of the native adapter with Wannier functions."""
    builder = ki_builder(overrides={'parameters': {'dielectric_constant': 12.0}})
    made = process_of(builder)
    made.setup()
    made.ctx.wannier = wannier
    return made


def quasiparticles(covered: int, shift: float = 0.5) -> orm.ArrayData:
    energies = parse_ham(recorded('ham_si')).plane_waves[np.newaxis]
    corrected = energies + np.where(np.arange(8) < 4, 0, shift)
    corrected[..., covered:] = np.nan
    points = [[x, y, z] for x in (0, 0.5) for y in (0, 0.5) for z in (0, 0.5)]
    return orm.ArrayData({'ks_energies': energies, 'qp_energies': corrected, 'kpoints': np.array(points)})


@pytest.mark.parametrize(
    ('status', 'expected'),
    [
        (501, CODES.ERROR_METALLIC),
        (502, CODES.ERROR_NO_ACCEPTABLE_FUNCTIONS),
        (402, CODES.ERROR_SUB_PROCESS_FAILED_WANNIERIZE),
    ],
)
def test_failed_wannierization(process, child, status, expected):
    process.ctx.wannierize = child(exit_status=status, message='the reason')
    result = process.inspect_wannierize()
    assert (result.status, 'the reason' in result.message) == (expected.status, True)


def test_failed_dielectric_constant(process, child):
    process.ctx.ground_state = child(exit_status=300)
    assert process.inspect_ground_state() == CODES.ERROR_SUB_PROCESS_FAILED_DIELECTRIC
    process.ctx.dielectric = child(exit_status=300)
    assert process.inspect_dielectric() == CODES.ERROR_SUB_PROCESS_FAILED_DIELECTRIC


def test_dielectric_constant(process, child):
    tensor = {'dielectric_constant': [[12, 0, 0], [0, 12.5, 0], [0, 0, 13]], 'wall_time_seconds': 1.0}
    process.ctx.dielectric = child(output_parameters=orm.Dict(tensor))
    assert process.inspect_dielectric() is None
    assert process.ctx.dielectric_constant.value == pytest.approx(12.5)
    assert process._settings() == {
        'head_correction': True,
        'coverage_tolerance_ev': 0.05,
        'dielectric_constant': pytest.approx(12.5),
    }


def test_without_head_correction(ki_builder, process_of):
    made = process_of(ki_builder(overrides={'parameters': {'head_correction': False}}))
    made.setup()
    assert not made.should_run_dielectric()
    assert 'dielectric_constant' not in made._settings()


@pytest.mark.parametrize('label', ['ERROR_OUT_OF_WALLTIME', 'ERROR_OUTPUT_INCOMPLETE'])
def test_interrupted_jobs_go_on(process, child, label):
    status = KiCalculation.exit_codes[label].status
    for number in range(1, 5):
        process.ctx.screening = child('CalcJobNode', exit_status=status)
        assert process.inspect_screening() is None
        assert process.should_run_screening()
        assert process._label() == f'screening_{number + 1}'
    process.ctx.screening = child('CalcJobNode', exit_status=status, message='again')
    assert process.inspect_screening().status == CODES.ERROR_SUB_PROCESS_FAILED_SCREENING.status


def test_screening_out_of_range(process, child):
    process.ctx.screening = child('CalcJobNode', exit_status=501, message='-7.8 of function 6')
    result = process.inspect_screening()
    assert result.status == CODES.ERROR_SCREENING_OUT_OF_RANGE.status
    assert '-7.8 of function 6' in result.message


def test_results(process, child):
    process.ctx.screening = child('CalcJobNode', quasiparticles=quasiparticles(5), screening=orm.ArrayData({}))
    assert process.inspect_screening() is None
    assert not process.should_run_screening()
    assert process.results() is None
    gaps = process.outputs['gaps']
    assert gaps['quasiparticle']['indirect'] - gaps['kohn_sham']['indirect'] == pytest.approx(0.5)
    assert (gaps['bands'], gaps['method'], gaps['extremum_on_mesh']) == ([1, 5], 'ki', True)
    assert process.outputs['cost']['core_seconds'] == 1.0
    assert set(process.outputs['wannier']) >= {'nscf_folder', 'occupied', 'empty'}


@pytest.mark.parametrize(
    ('covered', 'shift', 'expected'),
    [(4, 0.5, CODES.ERROR_BAND_EDGES_NOT_COVERED), (5, -2.0, CODES.ERROR_NO_QUASIPARTICLE_GAP)],
)
def test_results_without_gap(process, covered, shift, expected):
    process.ctx.quasiparticles = quasiparticles(covered, shift).store()
    process.ctx.final_screening = orm.ArrayData({}).store()
    assert process.results().status == expected.status
    assert 'quasiparticles' in process.outputs


def test_two_sources_of_functions(ki_builder, process_of, wannier):
    builder = ki_builder(overrides={'parameters': {'dielectric_constant': 12.0}})
    builder.wannier = wannier
    with pytest.raises(ValueError, match='give one of them'):
        process_of(builder)
    del builder.wannierize
    with pytest.raises(ValueError, match='no calculation made its bands'):
        process_of(builder)


def test_groups_of_kcw(ki_builder, process_of, wannier, child):
    made = process_of(ki_builder(engine='kcw', overrides={'parameters': {'head_correction': False}}))
    made.setup()
    made.ctx.wannier = wannier
    made.ctx.densities = child()
    assert made.inspect_densities() is None
    assert made.ctx.representatives == [1] * 4 + [5] * 4
    inputs = made._inputs('orbital_5', made.ctx.densities.outputs.remote_folder, {'SCREEN': made._screen()})
    namelists = inputs['parameters'].get_dict()
    assert namelists['CONTROL'] | {'kcw_iverbosity': 1} == {
        'mp1': 2, 'mp2': 2, 'mp3': 2, 'spin_component': 1, 'l_vcut': False, 'kcw_iverbosity': 1,
    }  # fmt: skip
    assert (namelists['WANNIER']['num_wann_occ'], namelists['WANNIER']['num_wann_emp']) == (4, 4)
    assert 'eps_inf' not in namelists['SCREEN']


def test_failed_steps_of_kcw(ki_builder, process_of, wannier, child):
    made = process_of(ki_builder(engine='kcw', overrides={'parameters': {'dielectric_constant': 12.0}}))
    made.setup()
    made.ctx.wannier = wannier
    assert made._screen()['eps_inf'] == 12.0
    made.ctx.densities = child(exit_status=350, message='why')
    assert made.inspect_densities().status == KcwKiWorkChain.exit_codes.ERROR_SUB_PROCESS_FAILED_DENSITIES.status
    made.ctx.hamiltonian = child(exit_status=502, message='why')
    assert made.inspect_hamiltonian().status == CODES.ERROR_SUB_PROCESS_FAILED_HAMILTONIAN.status
