"""Stored runs become nodes; every failure ends in its exit code."""

from __future__ import annotations

import hashlib
import re

import numpy as np
import pytest
from aiida.engine import CalcJob

from aiida_foundry.engines.wannier90.calculation import Wannier90Calculation
from aiida_foundry.engines.wannier90.exit_codes import EXIT_CODES, classify_message
from aiida_foundry.engines.wannier90.parser import Wannier90Parser

ISOLATED = {'num_wann': 4, 'num_iter': 1000}


def parse(node):
    results, process = Wannier90Parser.parse_from_node(node, store_provenance=False)
    return results, process


def label_of(process):
    codes = {status: label for label, (status, _) in EXIT_CODES.items()}
    return codes[process.exit_status]


def test_entangled_bands(calculation, read_case):
    results, process = parse(calculation(read_case('si_empty')))
    assert process.is_finished_ok, process.exit_message
    parameters = results['output_parameters'].get_dict()
    # `WF centre and spread 1 ( 0.677800, 0.677800, 0.677800 ) 1.99622992` in aiida.wout
    assert parameters['spreads'] == pytest.approx([1.99622992] * 4, abs=1e-7)
    assert parameters['centres'][0] == pytest.approx([0.6778] * 3)
    assert parameters['omega']['total'] == pytest.approx(sum(parameters['spreads']), abs=1e-7)
    assert sum(parameters['omega'][part] for part in ('invariant', 'diagonal', 'off_diagonal')) == pytest.approx(
        parameters['omega']['total'], abs=1e-8
    )
    assert parameters['windows']['frozen'] == pytest.approx([7.16163, 9.76229])
    assert parameters['wannier90_version'] == '3.1.0'
    assert parameters['core_seconds'] > 0
    gauge = results['gauge']
    assert gauge.get_array('rotation').shape == (8, 4, 4)
    assert gauge.get_array('disentanglement').shape == (8, 12, 4)
    assert gauge.get_array('kpoints')[1].tolist() == [0, 0, 0.5]


def test_isolated_bands(calculation, read_case):
    results, process = parse(calculation(read_case('si_occupied'), ISOLATED))
    assert process.is_finished_ok
    assert results['gauge'].get_arraynames() == ['kpoints', 'rotation']
    assert results['output_parameters']['disentanglement_converged'] is None
    centres = np.array(results['output_parameters']['centres'])
    # bond centres: an eighth of the lattice constant of 5.43 Å from the origin
    assert np.abs(centres) == pytest.approx(np.full((4, 3), 5.43 / 8), abs=2e-3)


@pytest.mark.parametrize(
    ('case', 'label', 'message'),
    [
        ('failures/disentanglement', 'ERROR_DISENTANGLEMENT_NOT_CONVERGED', 'relative change'),
        ('failures/spread', 'ERROR_SPREAD_NOT_CONVERGED', 'change'),
        ('failures/window', 'ERROR_WINDOWS', 'More states in the frozen window'),
        ('failures/projections', 'ERROR_MISSING_OVERLAPS', 'not the right number of projections'),
        ('failures/truncated', 'ERROR_MISSING_OVERLAPS', 'reading input file aiida.mmn'),
        ('failures/eigenvalues', 'ERROR_MISSING_OVERLAPS', 'No aiida.eig file'),
        ('failures/keyword', 'ERROR_UNREADABLE_INPUT', 'Unrecognised keyword'),
    ],
)
def test_failures(calculation, read_case, case, label, message):
    """A run that did not converge left matrices: those of the good run stand for them."""
    files = {**read_case('si_empty'), **read_case(case)}
    if 'aiida.werr' in files:
        files.pop('aiida.wout')
    else:
        files['aiida.wout'] = re.sub(b'started on .{21}', b'started on 24Nov2026 at 16:45:39', files['aiida.wout'])
    _, process = parse(calculation(files))
    assert label_of(process) == label
    assert message in process.exit_message


@pytest.mark.parametrize(
    ('change', 'label'),
    [
        (lambda files: {}, 'ERROR_OUTPUT_MISSING'),
        (lambda files: {**files, 'aiida.wout': files['aiida.wout'][:9000]}, 'ERROR_OUTPUT_INCOMPLETE'),
        (lambda files: {**files, 'aiida_u.mat': files['aiida_u.mat'][:2000]}, 'ERROR_MATRICES_UNREADABLE'),
        (lambda files: {**files, 'aiida_u.mat': b''}, 'ERROR_MATRICES_MISSING'),
        (lambda files: {name: text for name, text in files.items() if 'dis' not in name}, 'ERROR_MATRICES_MISSING'),
        (lambda files: {**files, 'aiida_u.mat': _scaled(files['aiida_u.mat'])}, 'ERROR_GAUGE_NOT_UNITARY'),
        (
            lambda files: {**files, 'aiida_u.mat': files['aiida_u.mat'].replace(b'+', b'NaN ', 3)},
            'ERROR_MATRICES_UNREADABLE',
        ),
        (
            lambda files: {**files, 'aiida.wout': files['aiida.wout'].replace(b'1.99622992', b'**********')},
            'ERROR_NOT_A_NUMBER',
        ),
    ],
)
def test_damaged_files(calculation, read_case, change, label):
    _, process = parse(calculation(change(read_case('si_empty'))))
    assert label_of(process) == label


@pytest.mark.parametrize(
    ('name', 'old', 'new', 'message'),
    [
        ('aiida.wout', b'Omega I      =     6.680151914', b'Omega I      =            NaN', 'spreads in the main'),
        ('aiida.wout', b'Omega Total  =     7.98', b'Omega Total  =     7.99', 'spreads in the main'),
        (
            'aiida.wout',
            b'spreads ( -0.000000,  0.000000, -0.000001',
            b'spreads ( -0.000000,  0.100000, -0.000001',
            'centres',
        ),
        ('aiida.wout', b'Extraction', b'noitcartxE', 'disentanglement in the main'),
        ('aiida.wout', b'Inner:', b'renni:', 'frozen window in the main'),
        ('aiida.wout', b'Grid size =  2', b'Grid size =  3', 'mesh in the main'),
        ('aiida_u.mat', b'at 16:45:39', b'at 16:45:38', 'date of aiida_u.mat'),
        ('aiida_u.mat', b'+0.5000000000', b'+0.2500000000', 'k-points of aiida_u.mat'),
    ],
)
def test_contradictions(calculation, read_case, name, old, new, message):
    files = read_case('si_empty')
    assert old in files[name]
    _, process = parse(calculation({**files, name: files[name].replace(old, new)}))
    assert label_of(process) == 'ERROR_OUTPUT_INCONSISTENT'
    assert message in process.exit_message


def test_matrices_of_another_run(calculation, read_case):
    """Those of the occupied bands are unitary and of the same mesh; they were written before the run began."""
    files = {**read_case('si_empty'), 'aiida_u.mat': read_case('si_occupied')['aiida_u.mat']}
    assert label_of(parse(calculation(files))[1]) == 'ERROR_OUTPUT_INCONSISTENT'


@pytest.mark.parametrize('name', ['aiida.wout', 'aiida_u.mat', 'aiida_u_dis.mat', 'aiida_centres.xyz'])
def test_checksums(calculation, read_case, name):
    """A file that reads well is refused if it is not what the job wrote."""
    files = read_case('si_empty')
    sums = ''.join(f'{hashlib.sha256(content).hexdigest()}  {key}\n' for key, content in files.items()).encode()
    assert parse(calculation({**files, 'checksums.sha256': sums}))[1].is_finished_ok
    changed = {**files, name: files[name] + b' ', 'checksums.sha256': sums}
    _, process = parse(calculation(changed))
    assert label_of(process) == 'ERROR_FILES_DAMAGED'
    assert name in process.exit_message


def _scaled(content: bytes) -> bytes:
    """Return a matrix file with one element of the first k-point off by 1e-4."""
    lines = content.decode().splitlines()
    real, imaginary = (float(word) for word in lines[4].split())
    lines[4] = f'{real + 1e-4:15.10f}{imaginary:+15.10f}'
    return '\n'.join(lines).encode()


def test_walltime(calculation, read_case):
    files = {'aiida.wout': read_case('si_empty')['aiida.wout'][:9000]}
    status = CalcJob.exit_codes.ERROR_SCHEDULER_OUT_OF_WALLTIME.status
    assert label_of(parse(calculation(files, exit_status=status))[1]) == 'ERROR_OUT_OF_WALLTIME'


def test_neighbours(calculation):
    files = {'aiida.wout': b' Exiting... aiida.nnkp written.\n', 'aiida.nnkp': b'begin nnkpts\n8\nend nnkpts\n'}
    results, process = parse(calculation(files, overlaps=False))
    assert process.is_finished_ok
    assert results['nnkp'].filename == 'aiida.nnkp'
    assert label_of(parse(calculation({**files, 'aiida.nnkp': b''}, overlaps=False))[1]) == 'ERROR_NNKP_MISSING'


@pytest.mark.parametrize(
    ('message', 'label'),
    [
        ('kmesh_get: something wrong, found too many nearest neighbours', 'ERROR_MESH'),
        ('Error in ZGESVD in overlap_project', 'ERROR_TRIAL_PROJECTIONS'),
        ('param_read: Guiding centres requested, but no projection block found', 'ERROR_UNREADABLE_INPUT'),
        ('dis_windows: The outer energy window contains no eigenvalues', 'ERROR_WINDOWS'),
        ('hr_plot: something else', 'ERROR_WANNIER90'),
    ],
)
def test_messages(message, label):
    assert classify_message(message) == label


def test_numbers_are_those_of_the_calculation():
    for label, (status, _) in EXIT_CODES.items():
        assert Wannier90Calculation.exit_codes[label].status == status
