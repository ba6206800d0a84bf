"""Work folders that cannot be written, or are full: the job fails with an exit code, and succeeds once it is mended."""

from __future__ import annotations

import pytest
from aiida import orm
from aiida.manage.configuration import get_config

from aiida_foundry.screening.campaign import create_campaign
from aiida_foundry.screening.driver import Driver
from aiida_foundry.screening.launchers import LocalLauncher


@pytest.fixture
def impatient(aiida_profile):
    """Let AiiDA try an upload twice, a second apart, before it pauses the process."""
    options = {'transport.task_maximum_attempts': 2, 'transport.task_retry_initial_interval': 1}
    for name, value in options.items():
        get_config().set_option(name, value, scope=aiida_profile.name)
    yield
    for name in options:
        get_config().unset_option(name, scope=aiida_profile.name)


def run(campaign, **options):
    return list(Driver(campaign, LocalLauncher(), interval=0.2, **options).run())[-1]


@pytest.fixture(params=['file', 'read-only'])
def broken_disk(request, tmp_path, aiida_localhost):
    """Let the work folder be a file, or where nobody can write; return a function that mends it."""
    disk = tmp_path / 'disk'
    if request.param == 'file':
        disk.write_text('')
    else:  # what a read-only mount is for others: even root makes no folder there
        disk.symlink_to('/sys')
        with pytest.raises(OSError, match=r'not permitted|denied|Read-only'):
            (disk / 'new').mkdir()
    aiida_localhost.set_workdir(str(disk))

    def mend():
        disk.unlink()
        disk.mkdir()

    return mend


def test_folder_cannot_be_made(make_plan, impatient, broken_disk):
    """The job never ran: after the disk is mended it runs once, and its workflow has a result."""
    campaign, _ = create_campaign(make_plan('He', max_failed_fraction=1, retry={'attempts': 1}))
    summary = run(campaign)
    assert summary.counts['failed'] == 1
    assert summary.failures[0].outcome == '400'
    job = orm.QueryBuilder().append(orm.CalcJobNode).first(flat=True)
    assert job.is_killed
    assert 'it was paused' in job.process_status
    broken_disk()
    assert run(campaign, retry_failed=True).counts['finished'] == 1
    assert run(campaign).counts['finished'] == 1
    query = orm.QueryBuilder().append(orm.CalcJobNode, filters={'attributes': {'has_key': 'job_id'}})
    assert [job.is_finished_ok for job in query.all(flat=True)] == [True]


def test_no_space_for_the_output(make_plan, aiida_localhost):
    """``ulimit -f`` stops the engine at its first byte, as a full disk does."""
    campaign, _ = create_campaign(make_plan('He', max_failed_fraction=1, retry={'attempts': 1}))
    aiida_localhost.set_prepend_text('ulimit -f 0')
    summary = run(campaign)
    assert summary.failures[0][:2] == ('400', 'A sum failed.')
    job = orm.QueryBuilder().append(orm.CalcJobNode).first(flat=True)
    assert job.exit_status == 320  # ERROR_INVALID_OUTPUT of ArithmeticAddParser
    aiida_localhost.set_prepend_text('')
    assert run(campaign, retry_failed=True).counts['finished'] == 1
