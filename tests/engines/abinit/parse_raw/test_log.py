"""Messages and timing in the log."""

from __future__ import annotations

import pytest

from aiida_foundry.engines.abinit.parse_raw.log import parse_log, parse_required_electrons


@pytest.fixture
def read(case_folder):
    return lambda case: parse_log((case_folder(case) / 'aiida.log').read_text(errors='replace'))


def test_finished(read):
    log = read('scf')
    assert log.completed
    assert not log.time_limit_reached
    assert log.version == '9.6.2'
    assert log.processes == 1
    assert 0 < log.cpu_time < 60
    assert log.cpu_time <= log.wall_time
    assert {event.tag for event in log.events} == {'COMMENT'}


def test_killed(read):
    log = read('killed')
    assert not log.completed
    assert log.wall_time is log.cpu_time is log.processes is None
    assert log.version == '9.6.2'


def test_error(read):
    log = read('few_bands')
    (error,) = log.tagged('ERROR')
    assert error.source == 'm_dtset.F90'
    assert error.message.startswith('Initialization of occ variables')
    assert parse_required_electrons(error.message) == 8
    assert not log.completed


@pytest.mark.parametrize(
    ('case', 'tag'),
    [
        ('scf_not_converged', 'ScfConvergenceWarning'),
        ('nscf_not_converged', 'NscfConvergenceWarning'),
        ('relaxation_not_converged', 'RelaxConvergenceWarning'),
        ('out_of_memory', 'MemanaError'),
    ],
)
def test_special_messages(read, case, tag):
    assert read(case).tagged(tag)


def test_time_limit(read):
    assert read('out_of_walltime').time_limit_reached


def test_quasiparticles_not_found(read):
    assert read('sigma_missing_quasiparticles').quasiparticles_not_found
    assert not read('sigma_qsgw').quasiparticles_not_found


def test_each_message_once(read):
    events = read('generic_error').events
    assert len(events) == len(set(events))


def test_block_without_end_is_no_event():
    assert parse_log('--- !ERROR\nmessage: |\n    cut in the mid').events == ()
