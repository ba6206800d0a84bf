"""The parser on stored outputs of real runs: one test per task and per exit code."""

from __future__ import annotations

import hashlib

import netCDF4
import numpy as np
import pytest
from aiida import orm

from aiida_foundry.engines.abinit.calculation import AbinitCalculation
from aiida_foundry.engines.abinit.parser import AbinitParser

CODES = AbinitCalculation.exit_codes


@pytest.fixture
def parse(calcjob_node):
    """Parse a stored run; return the outputs and the node of the parsing."""

    def run(*args, **kwargs):
        return AbinitParser.parse_from_node(calcjob_node(*args, **kwargs), store_provenance=False)

    return run


def poisoned(path, name, tmp_path):
    """Return the bytes of a netCDF file with NaN in the first element of a variable."""
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes())
    with netCDF4.Dataset(copy, 'a') as dataset:
        values = dataset[name][...]
        values.flat[0] = np.nan
        dataset[name][...] = values
    return copy.read_bytes()


def test_ground_state(parse):
    outputs, process = parse('scf')
    assert process.is_finished_ok
    results = outputs['output_parameters'].get_dict()
    assert results['abinit_version'] == '9.6.2'
    # From the main output: etotal -8.30565702 Ha, fermie 0.17980473 Ha.
    assert results['energy'] == pytest.approx(-8.30565702 * 27.21138625, abs=1e-6)
    assert results['energy_units'] == results['fermi_energy_units'] == 'eV'
    assert results['number_of_electrons'] == 8
    assert results['scf_converged']
    assert results['scf_iterations'] == 7
    assert results['core_seconds'] == results['wall_time_seconds'] * results['number_of_mpi_processes']
    assert results['warnings'] == []
    assert not results['has_fractional_occupations']
    assert results['lowest_unoccupied_energy'] > results['highest_occupied_energy']
    bands = outputs['output_bands']
    assert bands.units == 'eV'
    assert bands.get_bands().shape == (3, 6)
    energies, occupations = bands.get_bands(also_occupations=True)
    kpoints, weights = bands.get_kpoints(also_weights=True)
    assert weights @ occupations.sum(axis=1) == pytest.approx(8)
    assert kpoints[0] == pytest.approx([0, 0, 0])
    assert results['highest_occupied_energy'] == pytest.approx(energies[0, 3])
    forces = outputs['output_forces_stress']
    assert forces.get_array('forces') == pytest.approx(np.zeros((2, 3)), abs=1e-12)
    assert 'output_structure' not in outputs


def test_fixed_potential(parse):
    outputs, process = parse('nscf')
    assert process.is_finished_ok
    results = outputs['output_parameters'].get_dict()
    assert 'scf_converged' not in results
    assert results['number_of_bands'] == 16
    assert 'output_forces_stress' not in outputs


def test_band_structure(parse):
    kpoints = orm.KpointsData()
    kpoints.set_kpoints([[0, 0, 0], [0.25, 0.25, 0], [0.5, 0.5, 0]])
    kpoints.labels = [(0, 'Γ'), (2, 'X')]
    outputs, process = parse('bands', kpoints=kpoints)
    assert process.is_finished_ok
    bands = outputs['output_bands']
    assert bands.labels == [(0, 'Γ'), (2, 'X')]
    assert bands.get_kpoints() == pytest.approx(kpoints.get_kpoints())
    # Γ25' is threefold degenerate.
    assert np.ptp(bands.get_bands()[0, 1:4]) < 1e-4


def test_spin_polarised(parse):
    outputs, process = parse('spin')
    assert process.is_finished_ok
    assert outputs['output_bands'].get_bands().shape == (2, 1, 12)
    assert outputs['output_parameters']['number_of_spins'] == 2


def test_relaxation(parse):
    outputs, process = parse('relaxation')
    assert process.is_finished_ok
    relaxed = outputs['output_structure']
    assert [site.kind_name for site in relaxed.sites] == ['Si', 'Si']
    fraction = np.linalg.solve(np.array(relaxed.cell).T, relaxed.sites[1].position)
    assert fraction - np.round(fraction) == pytest.approx([0.25] * 3, abs=1e-6)
    stress = outputs['output_forces_stress'].get_array('stress')
    assert np.abs(stress).max() < 1e-4 * 27.2114 / 0.529177**3 / 10  # tolmxf / strfact


def test_screening(parse):
    outputs, process = parse('screening')
    assert process.is_finished_ok
    assert outputs['output_dielectric'].get_array('with_local_fields') == pytest.approx(41.8260)
    assert outputs['output_parameters']['dielectric_constant_without_local_fields'] == pytest.approx(45.3483)


def test_quasiparticles(parse):
    outputs, process = parse('sigma_ppm')
    assert process.is_finished_ok
    array = outputs['output_quasiparticles']
    assert array.base.attributes.get('units') == 'eV'
    assert array.get_array('kpoints').shape == (2, 3)
    assert array.get_array('qp_energies').shape == (1, 2, 7)
    assert array.get_array('band_range').tolist() == [[2, 7], [3, 6]]


def test_bethe_salpeter(parse):
    outputs, process = parse('bse')
    assert process.is_finished_ok
    array = outputs['output_optical']
    assert array.get_array('frequencies')[:2] == pytest.approx([0, 0.2])
    assert array.get_array('excitonic').shape == (6, 30)


def test_response(parse):
    outputs, process = parse('response')
    assert process.is_finished_ok
    array = outputs['output_response']
    assert set(array.get_arraynames()) == {'dielectric_tensor', 'born_charges', 'force_constants', 'qpoint'}


def test_derivative_along_k_has_no_response(parse):
    outputs, process = parse('ddk')
    assert process.is_finished_ok
    assert set(outputs) == {'output_parameters'}


def test_file_of_another_version_warns(parse, remote):
    parent = remote(parameters={'ecut': 4}, version='9.10.3')
    outputs, process = parse('nscf', parents={'density': parent})
    assert process.is_finished_ok
    assert any('9.10.3' in warning for warning in outputs['output_parameters']['warnings'])


@pytest.mark.parametrize(
    ('case', 'label'),
    [
        ('killed', 'ERROR_OUTPUT_INCOMPLETE'),
        ('crashed', 'ERROR_CRASHED'),
        ('unknown_variable', 'ERROR_UNREADABLE_INPUT'),
        ('inconsistent_input', 'ERROR_INCONSISTENT_INPUT'),
        ('missing_pseudo', 'ERROR_PSEUDOPOTENTIAL'),
        ('missing_density', 'ERROR_MISSING_PARENT_FILE'),
        ('incompatible_wavefunctions', 'ERROR_INCOMPATIBLE_PARENT_FILE'),
        ('symmetry_breaking_mesh', 'ERROR_SYMMETRY_BREAKING_KMESH'),
        ('few_bands', 'ERROR_WRONG_NUMBER_OF_BANDS'),
        ('too_many_bands', 'ERROR_WRONG_NUMBER_OF_BANDS'),
        ('metal_few_bands', 'ERROR_WRONG_NUMBER_OF_BANDS'),
        ('screening_few_bands', 'ERROR_WRONG_NUMBER_OF_BANDS'),
        ('out_of_walltime', 'ERROR_OUT_OF_WALLTIME'),
        ('out_of_memory', 'ERROR_OUT_OF_MEMORY'),
        ('scf_not_converged', 'ERROR_SCF_NOT_CONVERGED'),
        ('nscf_not_converged', 'ERROR_NSCF_NOT_CONVERGED'),
        ('relaxation_not_converged', 'ERROR_RELAXATION_NOT_CONVERGED'),
        ('generic_error', 'ERROR_ABINIT'),
    ],
)
def test_exit_codes(parse, case, label):
    outputs, process = parse(case)
    assert process.exit_status == CODES[label].status
    assert 'output_parameters' in outputs


def test_message_reaches_the_user(parse):
    _, process = parse('unknown_variable')
    assert 'ECUTT' in process.exit_message


def test_electrons_of_too_few_bands(parse):
    outputs, _ = parse('few_bands')
    assert outputs['output_parameters']['number_of_electrons'] == 8


def test_missing_quasiparticles(parse, remote):
    """ABINIT starts from Kohn-Sham states without a word."""
    _, process = parse('sigma_missing_quasiparticles', parents={'quasiparticles': remote()})
    assert process.exit_status == CODES.ERROR_MISSING_PARENT_FILE.status


@pytest.mark.parametrize('log', [None, b''])
def test_missing_log(parse, log):
    _, process = parse('scf', files={'aiida.log': log})
    assert process.exit_status == CODES.ERROR_OUTPUT_LOG_MISSING.status


@pytest.mark.parametrize(
    ('case', 'name'), [('scf', 'GSR'), ('sigma_ppm', 'SIGRES'), ('bse', 'MDF'), ('response', 'DDB')]
)
def test_missing_netcdf(parse, case, name):
    _, process = parse(case, files={f'out_{name}.nc': None})
    assert process.exit_status == CODES.ERROR_NETCDF_MISSING.status


@pytest.mark.parametrize(
    ('case', 'name'), [('scf', 'GSR'), ('sigma_ppm', 'SIGRES'), ('bse', 'MDF'), ('response', 'DDB')]
)
@pytest.mark.parametrize('fraction', [0, 0.01, 0.5, 0.999])
def test_truncated_netcdf(parse, case_folder, case, name, fraction):
    content = (case_folder(case) / f'out_{name}.nc').read_bytes()
    _, process = parse(case, files={f'out_{name}.nc': content[: int(fraction * len(content))]})
    assert process.exit_status == CODES.ERROR_NETCDF_UNREADABLE.status


@pytest.mark.parametrize(
    ('case', 'name', 'variable'),
    [
        ('scf', 'GSR', 'eigenvalues'),
        ('scf', 'GSR', 'cartesian_forces'),
        ('sigma_qsgw', 'SIGRES', 'en_qp_diago'),
        ('bse', 'MDF', 'exc_mdf'),
    ],
)
def test_not_a_number(parse, case_folder, tmp_path, case, name, variable):
    content = poisoned(case_folder(case) / f'out_{name}.nc', variable, tmp_path)
    _, process = parse(case, files={f'out_{name}.nc': content})
    assert process.exit_status == CODES.ERROR_NOT_A_NUMBER.status


def test_dielectric_constant_not_a_number(parse, case_folder):
    texts = {name: (case_folder('screening') / name).read_text() for name in ('aiida.abo', 'aiida.log')}
    files = {name: text.replace('41.8260', '    NaN').encode() for name, text in texts.items()}
    _, process = parse('screening', files=files)
    assert process.exit_status == CODES.ERROR_NOT_A_NUMBER.status


def test_checksums_of_the_job(parse, case_folder):
    """The log is shorter than when the job wrote it, and reads well."""
    names = ['aiida.log', 'aiida.abo', 'out_GSR.nc']
    contents = {name: (case_folder('scf') / name).read_bytes() for name in names}
    listing = ''.join(f'{hashlib.sha256(contents[name]).hexdigest()}  {name}\n' for name in names).encode()
    _, process = parse('scf', files={'checksums.sha256': listing})
    assert process.is_finished_ok
    _, process = parse('scf', files={'checksums.sha256': listing, 'aiida.log': contents['aiida.log'][1:]})
    assert process.exit_status == CODES.ERROR_FILES_DAMAGED.status
    assert 'aiida.log' in process.exit_message


@pytest.mark.parametrize(
    ('case', 'old', 'new', 'what'),
    [
        ('scf', 'etotal    :  -8.30565702E+00', 'etotal    :  -8.30565802E+00', 'energy'),
        ('scf', 'fermie    :   1.79804128E-01', 'fermie    :   1.79804228E-01', 'Fermi energy'),
        ('scf', '- [ -6.29668121E-28', '- [  6.29668121E-03', 'forces'),
        ('scf', '- [  1.08725640E-04', '- [  1.08735640E-04', 'stress'),
        ('scf', '- [  0.0000000,   5.1315513', '- [  0.0000000,   5.1315523', 'cell'),
        ('nscf', '-0.24854    0.17980', '-0.24854    0.17990', 'eigenvalues'),
        ('sigma_ppm', '4.893 -11.272 -13.412', '4.893 -11.272 -13.442', 'exchange'),
        ('sigma_ppm', '0.766   5.658', '0.766   5.698', 'energies'),
        ('sigma_qsgw', '5.664     5.665', '5.664     5.765', 'energies'),
        ('scf', '.Starting date :', '.Started on :', 'time of the start'),
        ('scf', '\n ETOT  7', '\n ETOT  8', 'self-consistent iterations'),
        ('screening', '41.8260', '41.8360', 'dielectric constants'),
    ],
)
def test_outputs_of_different_runs(parse, case_folder, case, old, new, what):
    text = (case_folder(case) / 'aiida.abo').read_text()
    assert old in text
    _, process = parse(case, files={'aiida.abo': text.replace(old, new).encode()})
    assert process.exit_status == CODES.ERROR_OUTPUT_INCONSISTENT.status
    assert what in process.exit_message


def test_main_output_cut_short(parse, case_folder):
    content = (case_folder('scf') / 'aiida.abo').read_bytes()
    _, process = parse('scf', files={'aiida.abo': content[:-1000]})
    assert process.exit_status == CODES.ERROR_MAIN_OUTPUT_INCOMPLETE.status


def test_bug_of_abinit(parse, case_folder):
    text = (case_folder('generic_error') / 'aiida.log').read_text().replace('--- !ERROR', '--- !BUG')
    _, process = parse('generic_error', files={'aiida.log': text.encode()})
    assert process.exit_status == CODES.ERROR_ABINIT_BUG.status


def test_error_on_another_process(parse, case_folder):
    """Only the first MPI process writes the log; the others leave their message in a file."""
    block = (case_folder('few_bands') / 'aiida.log').read_text().partition('--- !ERROR')[2].partition('\n...')[0]
    files = {'__ABI_MPIABORTFILE__': f'--- !ERROR{block}\n...\n'.encode()}
    _, process = parse('killed', files=files)
    assert process.exit_status == CODES.ERROR_WRONG_NUMBER_OF_BANDS.status


@pytest.mark.parametrize(
    ('scheduler', 'label'),
    [
        ('ERROR_SCHEDULER_OUT_OF_WALLTIME', 'ERROR_OUT_OF_WALLTIME_INTERRUPTED'),
        ('ERROR_SCHEDULER_OUT_OF_MEMORY', 'ERROR_OUT_OF_MEMORY'),
    ],
)
def test_killed_by_the_scheduler(calcjob_node, scheduler, label):
    node = calcjob_node('killed')
    node.set_exit_status(CODES[scheduler].status)
    _, process = AbinitParser.parse_from_node(node, store_provenance=False)
    assert process.exit_status == CODES[label].status
