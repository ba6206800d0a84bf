"""``aiida-foundry campaign``: from a file to a report."""

from __future__ import annotations

import json

import pytest
import yaml
from click.shell_completion import BashComplete
from click.testing import CliRunner

from aiida_foundry.cli import cli
from aiida_foundry.screening.campaign import Campaign, campaign_names, create_campaign
from aiida_foundry.screening.locks import only_driver


@pytest.fixture
def invoke(aiida_profile):
    def _invoke(*arguments: object):
        return CliRunner().invoke(cli, ['campaign', *(str(argument) for argument in arguments)])

    return _invoke


@pytest.fixture
def file(make_plan, tmp_path):
    """Write a campaign file over two structures, one of which the workflow refuses."""
    path = tmp_path / 'campaign.yaml'
    plan = make_plan('He', 'He4', max_failed_fraction=0.9)
    content = plan.model_dump(mode='json') | {'structures': {'folder': 'structures', 'cell': 'as-given'}}
    path.write_text(yaml.safe_dump(content))
    return path


def test_from_a_file_to_a_report(invoke, file, tmp_path):
    created = invoke('create', file, '--running', 3, '--json')
    assert json.loads(created.stdout) == {'name': 'toy', 'added': 2, 'structures': 2, 'refused': {}}
    assert Campaign.load('toy').settings().plan.limits.running == 3
    ran = invoke('run', 'toy', '--json')
    assert ran.exit_code == 1, ran.output
    record = json.loads(ran.stdout)
    assert record['outcome'] == 'finished'
    assert record['counts']['finished'] == record['counts']['refused'] == 1
    status = invoke('status', 'toy')
    assert '1 finished, 1 refused of 2; no driver runs' in status.output
    assert 'more than three sites' in status.output
    assert '\x1b' not in status.output
    assert [each['name'] for each in json.loads(invoke('status', '--json').output)] == ['toy']
    page = tmp_path / 'toy.html'
    assert invoke('report', 'toy', '--output', page).exit_code == 0
    assert '<td>He.xyz</td><td>finished</td><td>0</td>' in page.read_text()


def test_dry_run_stores_nothing(invoke, file, tmp_path):
    (tmp_path / 'structures' / 'He4.xyz').unlink()
    result = invoke('create', file, '--dry-run')
    assert result.output.startswith('He.xyz: ToySumsWorkChain foundry:')
    assert campaign_names() == []


def test_refused_input(invoke, file, tmp_path):
    unknown = tmp_path / 'unknown.yaml'
    unknown.write_text(file.read_text().replace('toy.sums', 'toy.nothing'))
    result = invoke('create', unknown)
    assert result.exit_code == 2
    assert 'no workflow is installed' in result.output
    assert invoke('run', 'nothing').exit_code == 2


def test_stop(invoke, make_plan):
    campaign, _ = create_campaign(make_plan('He'))
    assert 'No driver' in invoke('stop', 'toy').output
    with only_driver(campaign.group.uuid, 'toy'):
        assert 'asked to stop' in invoke('stop', 'toy').output
    assert campaign.settings().stop


def test_names_are_completed(make_plan):
    create_campaign(make_plan('He'))
    found = BashComplete(cli, {}, 'aiida-foundry', '_X').get_completions(['campaign', 'run'], 't')
    assert [item.value for item in found] == ['toy']
