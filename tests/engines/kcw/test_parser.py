"""What kcw.x calls done is checked: every recorded failure ends in its exit code."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from aiida import orm
from aiida.engine import CalcJob

from aiida_foundry.engines.kcw.exit_codes import EXIT_CODES, classify_message
from aiida_foundry.engines.kcw.parser import KcwParser


def parse(node):
    return KcwParser.parse_from_node(node, store_provenance=False)


def label_of(process):
    return next((label for label, (status, _) in EXIT_CODES.items() if status == process.exit_status), None)


def test_densities(calculation, read_output):
    results, process = parse(calculation('wann2kcw', read_output('wann2kcw_si')))
    assert process.is_finished_ok
    assert results['output_parameters']['code_version'] == '7.5'
    assert results['output_parameters']['wall_time_seconds'] > 0


@pytest.mark.parametrize('case', ['screen_si', 'screen_si222'])
def test_screening(calculation, read_output, case):
    results, process = parse(calculation('screen', read_output(case)))
    assert process.is_finished_ok, process.exit_message
    assert len(results['screening'].get_array('alpha')) == 8
    assert results['screening'].get_array('qpoints').shape == (8, 3)


@pytest.mark.parametrize(('case', 'points'), [('ham_si', 8), ('ham_si222', 8), ('ham_si444', 64), ('ham_si_head', 8)])
def test_energies(calculation, read_output, case, points):
    results, process = parse(calculation('ham', read_output(case)))
    assert process.is_finished_ok, process.exit_message
    assert results['koopmans'].get_array('koopmans').shape == (points, 8)
    assert results['koopmans'].get_array('kpoints')[1].tolist() == pytest.approx([0, 0, 0.5 if points == 8 else 0.25])


@pytest.mark.parametrize(
    ('step', 'case', 'label', 'message'),
    [
        ('screen', 'screen_nonconv_alpha2', 'ERROR_RESPONSE_NOT_CONVERGED', 'the threshold 1.0e-14'),
        ('screen', 'screen_si_nohead_5', 'ERROR_SCREENING_OUT_OF_RANGE', '-0.0412 of orbital 5'),
        ('ham', 'ham_lif222_alpha_neg', 'ERROR_SCREENING_OUT_OF_RANGE', '-7.7717 of orbital 6'),
        ('ham', 'ham_lif_badwannier', 'ERROR_SYMMETRY_BROKEN', 'differ by 4.992 eV'),
    ],
)
def test_done_and_yet_wrong(calculation, read_output, step, case, label, message):
    text = read_output(case)
    assert 'JOB DONE' in text
    _, process = parse(calculation(step, text))
    assert label_of(process) == label
    assert message in process.exit_message


def converged(text: str) -> str:
    """Return the output with α = 2.16 as if its responses had converged."""
    return text.replace('# tr2                 =        0.1000E-13', '# tr2                 =        0.1000E+01')


@pytest.mark.parametrize(
    ('step', 'case', 'change', 'label'),
    [
        ('screen', 'screen_si', lambda text: '', 'ERROR_OUTPUT_STDOUT_MISSING'),
        ('screen', 'screen_si', lambda text: text[:60000], 'ERROR_OUTPUT_STDOUT_INCOMPLETE'),
        ('screen', 'screen_si', lambda text: text.replace('alpha =', 'omega ='), 'ERROR_RESULTS_MISSING'),
        ('screen', 'screen_nonconv_alpha2', converged, 'ERROR_SCREENING_OUT_OF_RANGE'),
        ('ham', 'ham_si222', lambda text: text.replace('alpha =', 'omega ='), 'ERROR_SCREENING_NOT_READ'),
        ('ham', 'ham_si222', lambda text: text.replace('band energies', '', 1), 'ERROR_RESULTS_MISSING'),
        ('ham', 'ham_si222', lambda text: text.replace('PWSCF', 'OTHER'), 'ERROR_RESULTS_MISSING'),
        ('ham', 'ham_si222', lambda text: text.replace('WANN      -5.7', 'WANN      -4.7'), 'ERROR_GAUGE_MISMATCH'),
    ],
)
def test_damaged_outputs(calculation, read_output, step, case, change, label):
    assert label_of(parse(calculation(step, change(read_output(case))))[1]) == label


@pytest.mark.parametrize(
    ('step', 'case', 'old', 'new', 'message'),
    [
        ('screen', 'screen_si', 'rPi_q =     0.00413913', 'rPi_q =            NaN', 'integrals'),
        ('screen', 'screen_si', 'relaxed =      0.12823388', 'relaxed =      0.12923388', 'screening parameters'),
        ('screen', 'screen_si222', '* =     3   relaxed =      0.06', '* =     3   relaxed =      0.07', 'copies'),
        ('screen', 'screen_si_head_1', 'PI(q+G=0) estimation', 'nothing', 'head'),
        ('screen', 'screen_si', '[Cryst]', '[tsyrC]', 'q-points'),
        ('screen', 'screen_si', '# tr2 ', '# 2rt ', 'tr2'),
        ('ham', 'ham_si', '(ev):     5.4709', '(ev):     5.4809', 'band edges of KI'),
        ('ham', 'ham_si', 'wann_emp        =                 4', 'wann_emp        =                 3', 'number of'),
        (
            'ham',
            'ham_si',
            'iwann =     8   alpha =      0.23808883',
            'iwann =     8   alpha =         NaN',
            'number of',
        ),
        ('wann2kcw', 'wann2kcw_si', '# calculation ', '# noitaluclac ', 'calculation'),
    ],
)
def test_contradictions(calculation, read_output, step, case, old, new, message):
    text = read_output(case).replace('uPi(q+G=0) estimation', 'uPI(q+G=0) estimation') if message == 'head' else None
    text = (text or read_output(case)).replace('rPi(q+G=0) ', 'rPI(q+G=0) ')
    assert old in text
    _, process = parse(calculation(step, text.replace(old, new)))
    assert label_of(process) == 'ERROR_OUTPUT_INCONSISTENT'
    assert message in process.exit_message


@pytest.mark.parametrize(
    ('namelists', 'alpha', 'message'),
    [
        ({'CONTROL': {'mp1': 2, 'mp2': 2, 'mp3': 2}, 'HAM': {'on_site_only': True}}, 0.30564478, None),
        ({'CONTROL': {'mp1': 4, 'mp2': 4, 'mp3': 4}}, 0.30564478, 'MP grid'),
        ({'HAM': {'on_site_only': False}}, 0.30564478, 'on_site_only'),
        ({}, 0.31, 'screening parameters'),
    ],
)
def test_output_of_other_inputs(calculation, read_output, namelists, alpha, message):
    alphas = [alpha, 0.30564459, 0.30564461, 0.30564469, 0.23808832, 0.23808835, 0.23808973, 0.23808883]
    inputs = {'parameters': orm.Dict(namelists), 'screening': orm.ArrayData({'alpha': np.array(alphas)})}
    _, process = parse(calculation('ham', read_output('ham_si'), inputs=inputs))
    assert label_of(process) == (message and 'ERROR_OUTPUT_INCONSISTENT')
    assert message is None or message in process.exit_message


def test_checksum(calculation, read_output):
    text = read_output('ham_si')
    files = {'checksums.sha256': f'{hashlib.sha256(text.encode()).hexdigest()}  aiida.out\n'.encode()}
    assert parse(calculation('ham', text, files=files))[1].is_finished_ok
    changed = calculation('ham', text.replace('5.4709', '5.4708'), files=files)
    assert label_of(parse(changed)[1]) == 'ERROR_FILES_DAMAGED'


def test_continued_run_has_the_head(calculation, read_output):
    """A run that goes on behind Γ does not print the head again, but at its start."""
    text = read_output('screen_si_head_1').replace('rPi(q+G=0)     0.03722977', '')
    results, process = parse(calculation('screen', text))
    assert process.is_finished_ok, process.exit_message
    assert results['screening'].get_array('head') == pytest.approx([0.03722977, 0.44675724], abs=5e-9)


def test_walltime(calculation, read_output):
    status = CalcJob.exit_codes.ERROR_SCHEDULER_OUT_OF_WALLTIME.status
    node = calculation('screen', read_output('screen_si')[:60000], status)
    assert label_of(parse(node)[1]) == 'ERROR_OUT_OF_WALLTIME'


@pytest.mark.parametrize(
    ('message', 'label'),
    [
        ('KC corrections only for insulators! (kcw_readin)', 'ERROR_NOT_SUPPORTED'),
        ('The KCW code with US or PAW is not available yet (kcw_readin)', 'ERROR_NOT_SUPPORTED'),
        ('WRONG number of k points from input, check mp1, mp2, mp3 (kcw_readin)', 'ERROR_INCONSISTENT_INPUT'),
        ('reading SCREEN namelist (kcw_readin)', 'ERROR_INCONSISTENT_INPUT'),
        ('Error while reading unitary matrix (rotate_orbitals)', 'ERROR_WANNIER_FILES'),
        ('Mismatch between num occ bands and num wann (read_wannier)', 'ERROR_WANNIER_FILES'),
        ('cannot allocate (somewhere)', 'ERROR_KCW'),
    ],
)
def test_messages(calculation, message, label):
    """Messages are those of the source of Quantum ESPRESSO 7.5, with their routine."""
    assert classify_message(message) == label
    text, routine = message.rsplit(' (', 1)
    output = f' %%%%\n     Error in routine {routine[:-1]} (1):\n      {text}\n %%%%\n'
    assert label_of(parse(calculation('screen', output))[1]) == label
