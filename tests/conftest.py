"""Fixtures of the whole suite: a temporary AiiDA profile, its pseudopotentials and codes."""

from __future__ import annotations

import pytest

pytest_plugins = ['aiida.tools.pytest_fixtures']


def pytest_collection_modifyitems(items):
    """Run the longest file first, or one worker would be left alone with it at the end.

    Run the tests that empty the profile last: the codes and pseudopotentials of the session are gone afterwards. With
    pytest-xdist this takes ``--no-loadscope-reorder``.
    """
    emptying = {item.path for item in items if 'aiida_profile_clean' in getattr(item, 'fixturenames', ())}
    items.sort(key=lambda item: (item.path in emptying, item.path.name != 'test_docs.py'))


@pytest.fixture(scope='session')
def pbe_family(aiida_profile):
    """Return the PBE family of PseudoDojo, from the wheel: the same bytes wherever the tests run."""
    from aiida_foundry.setup.pseudos import ensure_family

    return ensure_family('PseudoDojo/0.4/PBE/SR/standard/upf', sources=['wheel'])


@pytest.fixture
def aiida_localhost(aiida_computer_local):
    """Take the place of a fixture of AiiDA, whose label is that of the computer which setup makes."""
    return aiida_computer_local(label='jobs')


@pytest.fixture(scope='session')
def engine_codes(aiida_profile, tmp_path_factory):
    """Return the codes of the engines on PATH, by label, on a computer of their own."""
    from aiida import orm

    from aiida_foundry.setup.codes import ensure_codes
    from aiida_foundry.setup.computer import PREPEND_TEXT_ROOT

    computer = orm.Computer(
        label='engines',
        hostname='localhost',
        transport_type='core.local',
        scheduler_type='foundry.direct',
        workdir=str(tmp_path_factory.mktemp('work')),
    ).store()
    computer.set_minimum_job_poll_interval(0.1)
    computer.set_default_mpiprocs_per_machine(1)
    computer.set_prepend_text(f'export OMP_NUM_THREADS=1\n{PREPEND_TEXT_ROOT}')
    computer.configure(safe_interval=0, use_login_shell=False)
    return ensure_codes(computer)
