"""The parser on what a real run of the executable left: success, and one test per exit code."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from aiida import orm
from aiida.common.links import LinkType

from aiida_foundry.analysis.gaps import computed_bands
from aiida_foundry.engines.koopmans.calculation import KiCalculation
from aiida_foundry.engines.koopmans.parser import KiParser

CODES = KiCalculation.exit_codes
FIXTURES = Path(__file__).parents[2] / 'fixtures' / 'koopmans'
CASE = FIXTURES / 'si_lda_222' / 'results'
FILES = ('aiida.out', 'aiida.ki.json', 'aiida.ki.npz')


@pytest.fixture
def parse(aiida_profile, aiida_localhost):
    """Parse the stored run with some files replaced (None: not there); return outputs and process."""

    def run(**changes):
        contents = {name: (CASE / name).read_bytes() for name in FILES}
        contents |= {name.replace('__', '.'): value for name, value in changes.items()}
        node = orm.CalcJobNode(computer=aiida_localhost, process_type='aiida.calculations:foundry.ki')
        node.set_options({'output_filename': 'aiida.out', 'scheduler_stderr': '_scheduler-stderr.txt'})
        node.store()
        retrieved = orm.FolderData()
        for name, content in contents.items():
            if content is not None:
                retrieved.base.repository.put_object_from_bytes(content, name)
        retrieved.base.links.add_incoming(node, link_type=LinkType.CREATE, link_label='retrieved')
        retrieved.store()
        return KiParser.parse_from_node(node, store_provenance=False)

    return run


def arrays(**changes):
    with np.load(CASE / 'aiida.ki.npz') as file:
        content = {name: file[name] for name in file.files}
    content |= changes
    stream = io.BytesIO()
    np.savez(stream, **{name: value for name, value in content.items() if value is not None})
    return stream.getvalue()


def report(**changes):
    content = json.loads((CASE / 'aiida.ki.json').read_text())
    return json.dumps({**content, **changes}).encode()


def test_results(parse):
    outputs, process = parse()
    assert process.is_finished_ok
    quasiparticles, screening = outputs['quasiparticles'], outputs['screening']
    before, after = (quasiparticles.get_array(f'{name}_energies') for name in ('ks', 'qp'))
    assert before.shape == after.shape == (1, 8, 50)
    assert quasiparticles.get_array('kpoints').shape == (8, 3)
    assert np.isfinite(before).all()
    assert (after[0, :, :4] < before[0, :, :4]).all()  # occupied states move down
    known = np.isfinite(after[0, :, 4:])
    assert (after[0, :, 4:][known] > before[0, :, 4:][known]).all()  # empty ones up
    window, first = computed_bands(after)
    assert first == 1
    assert window.shape[-1] >= 5
    alpha = screening.get_array('alpha')
    assert alpha.shape == (8,)
    np.testing.assert_allclose(alpha, screening.get_array('screened') / screening.get_array('bare'))
    parameters = outputs['output_parameters'].get_dict()
    head = parameters['head_correction_ev']
    np.testing.assert_allclose(screening.get_array('bare'), screening.get_array('bare_q').sum(axis=1) + head)
    assert parameters['core_seconds'] == parameters['wall_time_seconds'] * parameters['threads']


@pytest.mark.parametrize(
    ('changes', 'label'),
    [
        ({'aiida__ki__json': None, 'aiida__out': None}, 'ERROR_OUTPUT_MISSING'),
        ({'aiida__ki__json': None}, 'ERROR_OUTPUT_INCOMPLETE'),
        (
            {'aiida__ki__json': None, '_scheduler-stderr__txt': b'Traceback (most recent call last):\nMemoryError'},
            'ERROR_CRASHED',
        ),
        ({'aiida__ki__json': b'{"version": "0'}, 'ERROR_RESULTS_MISSING'),
        ({'aiida__ki__json': report(completed=False, error='ground state: a metal')}, 'ERROR_INPUT_REFUSED'),
        ({'aiida__ki__json': report(completed=False)}, 'ERROR_OUT_OF_WALLTIME'),
        ({'aiida__ki__npz': None}, 'ERROR_RESULTS_MISSING'),
        ({'aiida__ki__npz': (CASE / 'aiida.ki.npz').read_bytes()[:3000]}, 'ERROR_RESULTS_MISSING'),
        ({'aiida__ki__npz': arrays(screened_q=None)}, 'ERROR_RESULTS_MISSING'),
        ({'aiida__ki__npz': arrays(bare=np.full(8, np.nan))}, 'ERROR_NOT_A_NUMBER'),
        ({'aiida__ki__npz': arrays(koopmans_energies=np.full((1, 8, 50), np.nan))}, 'ERROR_NOT_A_NUMBER'),
    ],
)
def test_exit_codes(parse, changes, label):
    assert parse(**changes)[1].exit_status == CODES[label].status


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'aiida__ki__npz': (FIXTURES / 'alp_pbe_321/results/aiida.ki.npz').read_bytes()}, 'mesh'),
        ({'aiida__ki__json': report(alpha=[0.2] * 8)}, 'screening parameters'),
        ({'aiida__ki__json': report(head_correction_ev=0.0)}, 'sum of bare integrals'),
        ({'aiida__ki__json': report(functional='pbe')}, 'functional'),
        ({'aiida__ki__json': report(bands=49)}, 'size of ks_energies'),
        ({'aiida__ki__npz': arrays(qp_energies=np.zeros((1, 8, 50)))}, 'quasiparticle energies'),
        ({'aiida__ki__npz': arrays(screened=np.full(8, 0.1))}, 'ratio of integrals'),
    ],
)
def test_contradictions(parse, changes, message):
    _, process = parse(**changes)
    assert process.exit_status == CODES.ERROR_OUTPUT_INCONSISTENT.status
    assert message in process.exit_message


@pytest.mark.parametrize(
    'content', [b'[]', b'{"completed": true}', report(threads='four'), report().replace(b'13.0', b'NaN')]
)
def test_no_such_report(parse, content):
    assert parse(aiida__ki__json=content)[1].exit_status == CODES.ERROR_RESULTS_MISSING.status


def test_checksums(parse):
    sums = ''.join(f'{hashlib.sha256((CASE / name).read_bytes()).hexdigest()}  {name}\n' for name in FILES).encode()
    assert parse(checksums__sha256=sums)[1].is_finished_ok
    _, process = parse(checksums__sha256=sums, aiida__out=b'JOB DONE.')
    assert process.exit_status == CODES.ERROR_FILES_DAMAGED.status


def test_bad_functions(parse):
    """A real run whose empty functions are bad: the results are there, and the exit code says which are wrong."""
    files = {name.replace('.', '__'): (FIXTURES / 'alp_pbe_321' / 'results' / name).read_bytes() for name in FILES}
    outputs, process = parse(**files)
    assert process.exit_status == CODES.ERROR_SCREENING_OUT_OF_RANGE.status
    assert '-0.2472 of function 5, -0.1862 of function 6, -0.3256 of function 8' in process.exit_message
    assert outputs['screening'].get_array('alpha')[0] == pytest.approx(0.2329, abs=1e-4)
