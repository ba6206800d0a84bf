"""Campaigns of the toy workflow."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from aiida import orm
from ase import Atoms
from ase.io import write

from aiida_foundry.screening.campaign_file import check_campaign


@pytest.fixture
def toy(aiida_profile_clean, aiida_localhost, entry_points, monkeypatch):
    """Make the toy workflow known to AiiDA; return the label of its engine."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    entry_points.add('toy_workflow:ToySumsWorkChain', 'aiida.workflows:toy.sums')
    aiida_localhost.set_minimum_job_poll_interval(0.05)
    aiida_localhost.configure(safe_interval=0)
    code = orm.InstalledCode(aiida_localhost, '/bin/bash', label='toy', default_calc_job_plugin='core.arithmetic.add')
    code.store()
    yield code.full_label
    sys.modules.pop('toy_workflow', None)


def write_atoms(folder: Path, *symbols: str) -> None:
    """Write one file per chemical formula: atoms in a row in a box that no other test has."""
    folder.mkdir(exist_ok=True)
    for symbol in symbols:
        atoms = Atoms(symbol, pbc=True, cell=[4.123, 4.0, 3.0 * len(Atoms(symbol))])
        atoms.positions[:, 2] = [3.0 * index for index in range(len(atoms))]
        write(folder / f'{symbol}.xyz', atoms, format='extxyz')


@pytest.fixture
def make_plan(toy, tmp_path):
    """Return a function that writes structures and returns the plan of a campaign over them."""

    def _make_plan(*symbols: str, name: str = 'toy', **changes: object):
        write_atoms(tmp_path / 'structures', *symbols)
        content = {
            'name': name,
            'workflow': 'toy.sums',
            'structures': {'folder': str(tmp_path / 'structures'), 'cell': 'as-given'},
            'codes': {'code': toy},
            **changes,
        }
        return check_campaign(content)

    return _make_plan
