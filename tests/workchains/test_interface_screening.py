"""The screening in ``workchains/`` can be submitted as it is."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[2] / 'workchains/interfaces/screening'


def test_dry_run(aiida_profile, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['submit.py', '--dry-run'])
    runpy.run_path(str(FOLDER / 'submit.py'), run_name='__main__')
    line = capsys.readouterr().out
    assert line.startswith('foundry:')
    assert "'best': 31" in line


def test_folder():
    assert (FOLDER / 'README.md').read_text().startswith('# ')
    assert len((FOLDER / 'submit.py').read_text().splitlines()) <= 60
    assert len(list((FOLDER / 'structures').glob('*.cif'))) == 5
