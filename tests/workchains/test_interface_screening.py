"""The screening in ``workchains/`` can be submitted as it is."""

from __future__ import annotations

from pathlib import Path

from aiida.cmdline.commands.cmd_run import run
from click.testing import CliRunner

FOLDER = Path(__file__).parents[2] / 'workchains/interfaces/screening'


def test_dry_run(aiida_profile):
    """By `verdi run` from another folder, which gives the script a `__file__` without its folder."""
    line = CliRunner().invoke(run, [str(FOLDER / 'submit.py'), '--dry-run'], catch_exceptions=False).output
    assert line.startswith('foundry:')
    assert "'best': 31" in line


def test_folder():
    assert (FOLDER / 'README.md').read_text().startswith('# ')
    assert len((FOLDER / 'submit.py').read_text().splitlines()) <= 60
    assert len(list((FOLDER / 'structures').glob('*.cif'))) == 5
