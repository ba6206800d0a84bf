"""A real ground state, unpacked once."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from aiida_foundry.engines.koopmans.system import load_manifold, load_system

CASE = Path(__file__).parents[2] / 'fixtures' / 'koopmans' / 'alp_pbe_321'


@pytest.fixture(scope='session')
def case(tmp_path_factory):
    """Return the folder of AlP, 3×2×1; see the README of the fixture."""
    folder = tmp_path_factory.mktemp('alp')
    with tarfile.open(CASE / 'inputs.tar.xz') as archive:
        archive.extractall(folder, filter='data')
    return folder


@pytest.fixture(scope='session')
def system(case):
    return load_system(case / 'aiida.save')


@pytest.fixture(scope='session')
def manifolds(case, system):
    first = {'occupied': 0, 'empty': system.states.occupied}
    return [load_manifold(case / name, name, system.states, band) for name, band in first.items()]
