"""Campaigns of a workflow that takes no time, run in this interpreter."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiida import orm

from aiida_foundry.common.errors import InputError
from aiida_foundry.screening.campaign import Campaign, create_campaign
from aiida_foundry.screening.driver import Driver
from aiida_foundry.screening.jobs import read_jobs
from aiida_foundry.screening.launchers import LocalLauncher
from aiida_foundry.screening.locks import is_driven, only_driver


def run(campaign, **options):
    """Run a campaign to its end; return the summaries."""
    return list(Driver(campaign, LocalLauncher(), interval=0.2, **options).run())


def results(campaign):
    """Return the sum that the campaign has for each structure."""
    jobs = read_jobs(campaign, campaign.settings().plan.retry)
    return {job.name: orm.load_node(job.last.pk).outputs.sum.value for job in jobs if job.state == 'finished'}


def chains():
    return orm.QueryBuilder().append(orm.WorkChainNode).count()


def test_every_structure_has_its_result_once(make_plan):
    campaign, added = create_campaign(make_plan('He', 'Ne', 'HeNe', limits={'running': 2}))
    summaries = run(campaign)
    assert added == 3
    assert max(summary.counts['running'] for summary in summaries) == 2
    assert summaries[-1].outcome == 'finished'
    assert summaries[-1].counts['finished'] == 3
    assert results(campaign) == {'He.xyz': 2 + 1, 'Ne.xyz': 10 + 1, 'HeNe.xyz': 12 + 2}
    assert [summary.outcome for summary in run(campaign)] == ['finished']
    assert chains() == 3
    folders = orm.QueryBuilder().append(orm.RemoteData).all(flat=True)
    assert len(folders) == 3
    assert all(folder.is_cleaned and not Path(folder.get_remote_path()).exists() for folder in folders)


def test_results_of_another_campaign_are_taken(make_plan):
    run(create_campaign(make_plan('He'))[0])
    other, _ = create_campaign(make_plan('Ne', name='other'))
    assert run(other)[-1].counts['finished'] == 2
    assert chains() == 2


def test_extend_and_change_the_cap(make_plan):
    campaign, _ = create_campaign(make_plan('He', 'Ne', limits={'running': 1}))
    driver = Driver(campaign, LocalLauncher(), interval=0.1).run()
    assert next(driver).counts == {'waiting': 1, 'running': 1, 'paused': 0, 'finished': 0, 'failed': 0, 'refused': 0}
    _, added = create_campaign(make_plan('He', 'Ne', 'Ar', limits={'running': 4}))
    assert added == 1
    summaries = list(driver)
    assert summaries[0].counts['waiting'] == 0
    assert summaries[-1].counts['finished'] == 3


def test_what_results_depend_on_cannot_change(make_plan):
    create_campaign(make_plan('He'))
    with pytest.raises(InputError, match='other values of arguments'):
        create_campaign(make_plan('He', arguments={'offset': 1}))


def test_stop_and_resume(make_plan):
    campaign, _ = create_campaign(make_plan('He', 'Ne', limits={'running': 1}))
    driver = Driver(campaign, LocalLauncher(), interval=0.1).run()
    next(driver)
    Campaign.load('toy').request_stop()
    last = list(driver)[-1]
    assert last.outcome == 'stopped'
    assert last.counts['finished'] == 1
    assert last.counts['waiting'] == 1
    assert run(campaign)[-1].counts['finished'] == 2
    assert chains() == 2


def test_refused_and_failed(make_plan, tmp_path):
    plan = make_plan('He', 'He4', max_failed_fraction=0.5)
    (tmp_path / 'structures' / 'broken.cif').write_text('nothing')
    campaign, added = create_campaign(plan)
    assert added == 2
    assert 'broken.cif' in campaign.refused_files
    last = run(campaign)[-1]
    assert last.counts['finished'] == last.counts['refused'] == 1
    assert last.failures[0][:3] == ('refused', 'more than three sites', 1)


def test_retries_are_bounded_and_may_be_renewed(make_plan):
    campaign, _ = create_campaign(make_plan('He', protocol='negative', retry={'attempts': 2}, max_failed_fraction=1))
    last = run(campaign)[-1]
    assert last.counts['failed'] == 1
    assert last.failures[0][:2] == ('400', 'A sum failed.')
    assert chains() == 2
    run(campaign)
    assert chains() == 2
    run(campaign, retry_failed=True)
    assert chains() == 4


def test_too_many_failures(make_plan):
    limits = {'running': 1}
    plan = make_plan(
        'He', 'Ne', 'Ar', protocol='negative', retry={'attempts': 1}, max_failed_fraction=0.4, limits=limits
    )
    campaign, _ = create_campaign(plan)
    last = run(campaign)[-1]
    assert last.outcome == 'too many failures'
    assert last.counts['failed'] == 2
    assert last.counts['waiting'] == 1


def test_computer_cap(make_plan):
    campaign, _ = create_campaign(make_plan('He', 'Ne', limits={'per_computer': {'jobs': 1}}))
    assert max(summary.counts['running'] for summary in run(campaign)) == 1


def test_one_driver(make_plan):
    campaign, _ = create_campaign(make_plan('He'))
    with only_driver(campaign.group.uuid, campaign.name):
        assert is_driven(campaign.group.uuid)
        with pytest.raises(InputError, match='another process drives it'):
            run(campaign)
    assert not is_driven(campaign.group.uuid)
