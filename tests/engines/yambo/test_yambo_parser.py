"""Yambo ends with status 0 whatever happens: every recorded failure ends in its exit code."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from aiida.engine import CalcJob

from aiida_foundry.engines.yambo.exit_codes import EXIT_CODES, classify_message
from aiida_foundry.engines.yambo.parser import YamboParser

FIXTURES = Path(__file__).parents[2] / 'fixtures' / 'yambo'
BSE = {'runlevels': ['optics', 'em1s', 'bse', 'bsk', 'bss', 'dipoles'], 'variables': {'BSEBands': [1, 8]}}
GW = {'runlevels': ['HF_and_locXC', 'gw0', 'ppa', 'dyson', 'em1d'], 'variables': {}}
KI_BANDS = {**BSE, 'variables': {'BSEBands': [2, 8]}}
STATES = {**BSE, 'variables': {'BSEBands': [1, 8], 'WRbsWF': True}}


def read_case(case):
    """Return the files of a case by name."""
    files = {path.name.removesuffix('.gz'): path for path in (FIXTURES / case).iterdir()}
    return {
        name: gzip.decompress(path.read_bytes()) if path.suffix == '.gz' else path.read_bytes()
        for name, path in files.items()
    }


def parse(node_and_folder):
    node, folder = node_and_folder
    return YamboParser.parse_from_node(node, store_provenance=False, retrieved_temporary_folder=folder)


def label_of(process):
    return next((label for label, (status, _) in EXIT_CODES.items() if status == process.exit_status), None)


def with_database(calculation, case, parameters=BSE, change=None):
    files = read_case(case)
    database = files.pop('ndb.QP')
    return parse(calculation(change(files) if change else files, parameters, database))


def test_excitons_on_koopmans_energies(calculation):
    """The recorded run: gap read back 1.504423 eV, lowest exciton 3.233 eV."""
    results, process = with_database(calculation, 'si_bse_ki', KI_BANDS)
    assert process.is_finished_ok, process.exit_message
    summary = results['output_parameters'].get_dict()
    assert summary['quasiparticle']['indirect_gap'] == pytest.approx(1.504423, abs=1e-6)
    assert summary['kohn_sham']['indirect_gap'] == pytest.approx(0.422423, abs=1e-6)
    assert results['output_excitons'].get_array('energies')[0] == pytest.approx(3.233, abs=2e-3)


def test_rigid_koopmans_energies_are_a_scissor(calculation):
    """Single precision leaves 1e-4 eV (0.1 meV) where symmetry makes the correction rigid."""
    cases = ('si222_rigid', 'si222_ki')
    rigid, koopmans = (with_database(calculation, case)[0]['output_spectrum'] for case in cases)
    frequencies = koopmans.get_array('frequencies')
    assert rigid.get_array('frequencies') == pytest.approx(frequencies)
    # a shift s of a line of half width 0.1 eV changes Im ε by at most 0.65 · peak · s / 0.1
    one, other = (spectrum.get_array('excitonic').imag for spectrum in (rigid, koopmans))
    assert np.abs(one - other).max() < 0.65 * other.max() * 1e-4 / 0.1


def test_spectrum_is_made_of_the_excitons(calculation):
    """Yambo's own spectrum, with six digits, from its energies and residues."""
    results, process = with_database(calculation, 'si222_ki')
    assert process.is_finished_ok, process.exit_message
    spectrum, excitons = results['output_spectrum'], results['output_excitons']
    energies, strengths = (excitons.get_array(name) for name in ('energies', 'strengths'))
    z = spectrum.get_array('frequencies')[:, np.newaxis] + 0.1j
    made = 1 + (strengths * (1 / (energies - z) + 1 / (energies + z))).sum(axis=1)
    assert np.abs(made - spectrum.get_array('excitonic')).max() < 1e-5 * np.abs(made).max()
    assert spectrum.get_array('direction') == pytest.approx(np.full(3, 3**-0.5))


COUPLED = {**BSE, 'variables': {'BSEBands': [1, 8], 'BSEmod': 'coupling', 'WehCpl': True}}


def with_coupling(calculation, parameters=COUPLED, change=dict):
    files = read_case('si222_coupling')
    setup, database = files.pop('ns.db1'), files.pop('ndb.QP')
    return parse(calculation(change(files), parameters, database, setup=setup))


def test_coupling_of_resonant_and_antiresonant_pairs(calculation):
    """Each exciton once, in the order of energies, with residues that make Yambo's own spectrum."""
    results, process = with_coupling(calculation)
    assert process.is_finished_ok, process.exit_message
    spectrum, excitons = results['output_spectrum'], results['output_excitons']
    energies, strengths = (excitons.get_array(name) for name in ('energies', 'strengths'))
    assert len(energies) == 128
    # ABINIT, and the heads of W of both codes
    assert energies[:3] == pytest.approx(2.8256 + 0.0020, abs=2e-4)
    z = spectrum.get_array('frequencies')[:, np.newaxis] + 0.1j
    made = 1 + (strengths * (1 / (energies - z) + 1 / (energies + z))).sum(axis=1)
    assert np.abs(made - spectrum.get_array('excitonic')).max() < 1e-5 * np.abs(made).max()


def test_coupling_that_is_not_what_was_asked_for(calculation):
    _, process = with_coupling(calculation, BSE)
    assert label_of(process) == 'ERROR_OUTPUT_INCONSISTENT'


def test_coupling_by_exchange_alone(calculation):
    """What Yambo says without `WehCpl`, with which it ends with status 0."""

    def weaken(files):
        return replaced(files, 'r-', b'(Coupling CORRRELATION EXCHANGE)', b'(Coupling EXCHANGE)')

    _, process = with_coupling(calculation, change=weaken)
    assert '`WehCpl` was given' in process.exit_message


def test_weights_of_excitons(calculation):
    """Holes and electrons add up to one; a whole triplet has the symmetry of the crystal.

    In the lowest one of silicon, therefore, bands that are degenerate at Γ, L and X take part equally: three valence
    and three conduction bands at Γ, the upper two at L, pairs at X. A wrong order of bands or k-points breaks this.
    """
    results, _ = with_database(calculation, 'si222_ki', STATES)
    excitons = results['output_excitons']
    weights, bands = excitons.get_array('weights'), excitons.get_array('bands')
    assert weights.shape == (24, 3, 8)
    assert weights[..., bands <= 4].sum(axis=(1, 2)) == pytest.approx(1, abs=1e-5)
    assert weights[..., bands > 4].sum(axis=(1, 2)) == pytest.approx(1, abs=1e-5)
    energies = excitons.get_array('energies')
    assert np.ptp(energies[:3]) < 1e-4
    triplet = weights[:3].sum(axis=0)
    for point, first, last in ((0, 1, 4), (0, 4, 7), (1, 2, 4), (1, 5, 7), (2, 2, 4), (2, 4, 6)):
        assert np.ptp(triplet[point, first:last]) < 2e-4
    assert triplet[:, :4].sum(axis=1).max() < 2.9


def test_quasiparticles(calculation):
    results, process = parse(calculation(read_case('si222_gw'), GW))
    assert process.is_finished_ok, process.exit_message
    quasiparticles = results['output_quasiparticles']
    shifts = (quasiparticles.get_array('qp_energies') - quasiparticles.get_array('ks_energies'))[0]
    # from `o-gw.qp`, k-point 1, bands 4 and 5
    assert shifts[0, 3:5] == pytest.approx([-0.207689, 0.485212], abs=1e-5)
    assert quasiparticles.get_array('renormalization')[0, 0, 4] == pytest.approx(0.8058, abs=1e-4)


def test_excitons_on_quasiparticles_of_yambo(calculation):
    """A database of Yambo's own counts energies from another zero; excitons of a like run are not taken for its own."""
    files = read_case('si222_bse_gw')
    files['ndb.BS_diago_Q1'] = read_case('si222_ki')['ndb.BS_diago_Q1']
    database = files.pop('ndb.QP')
    results, process = parse(calculation(files, BSE, database))
    assert 'output_spectrum' in results
    assert label_of(process) == 'ERROR_OUTPUT_INCONSISTENT'
    assert 'of two kernels' in process.exit_message


@pytest.mark.parametrize(
    ('case', 'label', 'message'),
    [
        ('si222_missing_bands', 'ERROR_QUASIPARTICLES_INCOMPLETE', '12 of 24 states'),
        ('si222_wrong_units', 'ERROR_QUASIPARTICLES_INTERPOLATED', '33.33'),
        ('si222_permuted', 'ERROR_QUASIPARTICLES_OTHER_STATES', 'differ by up to'),
        ('si222_nan', 'ERROR_NOT_A_NUMBER', 'NaN'),
        ('si222_truncated', 'ERROR_QUASIPARTICLES_NOT_READ', 'HDF error'),
    ],
)
def test_databases_that_do_not_fit(calculation, case, label, message):
    _, process = with_database(calculation, case)
    assert label_of(process) == label
    assert message in process.exit_message


def test_missing_database(calculation):
    _, process = parse(calculation(read_case('si_bse_missing'), KI_BANDS))
    assert label_of(process) == 'ERROR_QUASIPARTICLES_NOT_READ'
    assert './nowhere/ndb.QP' in process.exit_message


def test_partial_database(calculation):
    """The database was not kept: a complete one of the same states shows that the fit alone is refused."""
    database = read_case('si_bse_ki')['ndb.QP']
    _, process = parse(calculation(read_case('si_bse_partial'), KI_BANDS, database))
    assert label_of(process) == 'ERROR_QUASIPARTICLES_INCOMPLETE'
    assert 'by a fit' in process.exit_message


def replaced(files, start, old, new):
    name = next(name for name in files if name.startswith(start))
    assert old in files[name]
    return {**files, name: files[name].replace(old, new)}


@pytest.mark.parametrize(
    ('change', 'label'),
    [
        (lambda files: {}, 'ERROR_REPORT_MISSING'),
        (lambda files: replaced(files, 'r-', b'[K+QP]', b'[K]'), 'ERROR_QUASIPARTICLES_NOT_APPLIED'),
        (lambda files: replaced(files, 'r-', b':  3.022785', b':  2.394185'), 'ERROR_QUASIPARTICLE_GAP'),
        (lambda files: replaced(files, 'r-', b':  2.394185', b':  2.494185'), 'ERROR_OUTPUT_INCONSISTENT'),
        (lambda files: replaced(files, 'r-', b':   4\n', b': 404\n'), 'ERROR_OUTPUT_INCONSISTENT'),
        (lambda files: replaced(files, 'r-', b'X matrix size', b'Y matrix size'), 'ERROR_OUTPUT_INCONSISTENT'),
        (lambda files: replaced(files, 'o-', b'at 14:18 yambo', b'at 14:17 yambo'), 'ERROR_OUTPUT_INCONSISTENT'),
        (lambda files: {k: v for k, v in files.items() if k[:2] != 'o-'}, 'ERROR_RESULTS_MISSING'),
        (lambda files: {k: v for k, v in files.items() if 'BS_diago' not in k}, 'ERROR_RESULTS_MISSING'),
        (lambda files: {k: v[:50000] for k, v in files.items()}, 'ERROR_RESULTS_UNREADABLE'),
        (lambda files: replaced(files, 'o-', b'62.96337', b'     NaN'), 'ERROR_NOT_A_NUMBER'),
    ],
)
def test_damaged_files(calculation, change, label):
    assert label_of(with_database(calculation, 'si222_ki', change=change)[1]) == label


def test_tables_that_differ(calculation):
    files = replaced(read_case('si222_gw'), 'o-', b'0.485212', b'0.495212')
    _, process = parse(calculation(files, GW))
    assert label_of(process) == 'ERROR_OUTPUT_INCONSISTENT'
    assert '0.01000 eV' in process.exit_message


def test_haydock(calculation):
    _, process = parse(calculation(read_case('si222_haydock'), BSE))
    assert label_of(process) == 'ERROR_HAYDOCK_NOT_CONVERGED'
    assert 'accuracy 2.001933 after 5 iterations' in process.exit_message


@pytest.mark.parametrize(
    ('status', 'label'),
    [
        (None, 'ERROR_REPORT_INCOMPLETE'),
        (CalcJob.exit_codes.ERROR_SCHEDULER_OUT_OF_WALLTIME.status, 'ERROR_OUT_OF_WALLTIME'),
        (CalcJob.exit_codes.ERROR_SCHEDULER_OUT_OF_MEMORY.status, 'ERROR_OUT_OF_MEMORY'),
    ],
)
def test_killed(calculation, status, label):
    assert label_of(parse(calculation(read_case('si444_killed'), BSE, exit_status=status))[1]) == label


@pytest.mark.parametrize(
    ('message', 'label'),
    [
        ("Too many bands required in Green's function. Run DFT with more bands!", 'ERROR_INPUT_REFUSED'),
        ('Impossible to define an appropriate parallel structure', 'ERROR_PARALLEL_STRUCTURE'),
        ('Allocation of WF%c failed with code 41', 'ERROR_OUT_OF_MEMORY'),
        ('Missing all or part of ndb.dipoles DB', 'ERROR_DATABASE_UNREADABLE'),
        ('Reading File ./run//ndb.em1s_fragment_1; Variable X_Q_1; NetCDF: HDF error', 'ERROR_DATABASE_UNREADABLE'),
        ('something else', 'ERROR_YAMBO'),
    ],
)
def test_messages(calculation, message, label):
    """Messages are those of the source of Yambo 5.2.4."""
    assert classify_message(message) == label
    report = f'[ERROR] STOP signal received while in[04] Some section\n\n [ERROR] {message}\n'
    assert label_of(parse(calculation({'r-run_x': report.encode()}, BSE))[1]) == label
