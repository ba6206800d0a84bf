"""What a submitter left when it was killed between two of its steps."""

from __future__ import annotations

import json

import pytest
from aiida import orm
from aiida.common.links import LinkType

from aiida_foundry.screening.builders import build
from aiida_foundry.screening.campaign import create_campaign
from aiida_foundry.screening.driver import Driver, is_abandoned
from aiida_foundry.screening.keys import content_key
from aiida_foundry.screening.launchers import LocalLauncher
from aiida_foundry.screening.locks import only_driver
from aiida_foundry.screening.recovery import REASON, _zeromq_tasks
from aiida_foundry.screening.runner import LocalRunner


@pytest.fixture
def killed(make_plan):
    """Return a campaign whose only job was made by a submitter that died, and the node of the job."""
    plan = make_plan('He')
    campaign, _ = create_campaign(plan)
    structure = next(iter(campaign.group.nodes))
    builder = build(plan, structure)
    builder.metadata.label = content_key(builder)
    builder.metadata.description = 'campaign toy'
    campaign.note(structure, key=builder.metadata.label)
    runner = LocalRunner()
    process = runner.instantiate_process(builder)
    runner.persister.save_checkpoint(process)
    process.close()
    return campaign, process.node


def resume(campaign):
    driver = Driver(campaign, LocalLauncher(), interval=0.2)
    summary = list(driver.run())[-1]
    assert summary.counts['finished'] == summary.total == 1
    return driver.recovered


def chains():
    return orm.QueryBuilder().append(orm.WorkChainNode, project='id').all(flat=True)


def test_killed_before_the_task_was_sent(killed):
    campaign, node = killed
    orphan = orm.WorkChainNode()
    orphan.base.links.add_incoming(node, LinkType.CALL_WORK, 'CALL')
    orphan.store()
    orphan.set_process_state('running')
    recovered = resume(campaign)
    assert recovered == ([node.pk], [orphan.pk])
    assert node.is_finished_ok
    assert orphan.is_killed
    assert orphan.process_status == REASON


def test_killed_before_the_checkpoint_was_saved(killed):
    campaign, node = killed
    node.delete_checkpoint()
    assert resume(campaign) == ([], [node.pk])
    assert node.is_killed
    assert len(chains()) == 2


def test_key_was_noted_nowhere(killed):
    """The driver died before it noted the key on the structure: the process is found by its label."""
    campaign, node = killed
    structure = next(iter(campaign.group.nodes))
    structure.base.extras.delete(campaign.extra)
    node.set_process_state('finished')
    node.set_exit_status(0)
    node.seal()
    resume(campaign)
    assert chains() == [node.pk]


def test_only_what_nobody_runs_is_abandoned(make_plan):
    toy, _ = create_campaign(make_plan('He'))
    other, _ = create_campaign(make_plan('He', name='other'))
    nodes = {name: orm.WorkChainNode(description=name) for name in ('', 'campaign toy', 'campaign other', 'campaign x')}
    assert [is_abandoned(node, toy) for node in nodes.values()] == [False, True, True, True]
    with only_driver(other.group.uuid, 'other'):
        assert not is_abandoned(nodes['campaign other'], toy)


def test_tasks_of_zeromq(tmp_path):
    for folder, pk in (('pending', 1), ('processing', 2)):
        (tmp_path / folder).mkdir()
        content = {'body': {'task': 'continue', 'args': {'pid': pk, 'nowait': False}}}
        (tmp_path / folder / f'1_{pk}.json').write_text(json.dumps(content))
    (tmp_path / 'pending' / '2_x.json').write_text('{"body": ')
    assert _zeromq_tasks(tmp_path) == {1, 2}
    assert (tmp_path / 'processing' / '1_2.json').exists()
