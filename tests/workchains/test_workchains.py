"""Every campaign in ``workchains/`` can be submitted: its builders are built, nothing is run."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiida.cmdline.commands.cmd_run import run
from click.testing import CliRunner

from aiida_foundry.screening.campaign_file import read_campaign_file

ROOT = Path(__file__).parents[2] / 'workchains'
FOLDERS = sorted(path.parent for path in ROOT.glob('*/*/campaign.yaml'))


@pytest.fixture(scope='module')
def codes(aiida_profile, pbe_family):
    """Register what setup finds on this machine, under the labels that the campaigns use."""
    from aiida_foundry.setup.codes import ensure_codes
    from aiida_foundry.setup.computer import ensure_computer

    return ensure_codes(ensure_computer())


def name(folder: Path) -> str:
    return str(folder.relative_to(ROOT))


def test_there_are_campaigns():
    assert FOLDERS


@pytest.mark.engine
@pytest.mark.parametrize('folder', FOLDERS, ids=name)
def test_dry_run(folder, codes):
    """By `verdi run` from another folder, which gives the script a `__file__` without its folder."""
    done = CliRunner().invoke(run, [str(folder / 'submit.py'), '--dry-run'], catch_exceptions=False)
    plan = read_campaign_file(folder / 'campaign.yaml')
    lines = done.output.splitlines()
    assert lines
    assert all('foundry:' in line for line in lines)
    if plan.structures.names is not None:
        assert len(lines) == len(plan.structures.names)


@pytest.mark.parametrize('folder', FOLDERS, ids=name)
def test_folder(folder):
    assert (folder / 'README.md').read_text().startswith('# ')
    assert len((folder / 'submit.py').read_text().splitlines()) <= 60
