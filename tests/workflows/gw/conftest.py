"""Silicon, and builders and processes for it."""

from __future__ import annotations

import pytest
from aiida import orm
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager

from aiida_foundry.structures.importers import load_structure
from aiida_foundry.workflows.gw.gap import GwGapWorkChain


@pytest.fixture(scope='session')
def small():
    """Return what was run by hand: PBE, 8 hartree, 40 bands, dielectric matrix up to 3 hartree (65 plane waves)."""
    return {'wavefunction_cutoff': 8.0, 'bands': 40, 'screening_cutoff': 3.0}


@pytest.fixture(scope='session')
def silicon(aiida_profile):
    return load_structure('Si')


@pytest.fixture(scope='session')
def abinit_code(aiida_profile):
    """Return a code that is never run."""
    computer = orm.Computer(
        label='nowhere', hostname='localhost', transport_type='core.local', scheduler_type='core.direct', workdir='/'
    ).store()
    return orm.InstalledCode(
        computer, filepath_executable='/bin/true', label='abinit', default_calc_job_plugin='foundry.abinit'
    ).store()


@pytest.fixture
def builder_of(abinit_code, silicon, pbe_family):
    """Return a function that makes the builder of a method for silicon."""

    def _builder_of(method='g0w0-ppm', protocol='fast', overrides=None, structure=None, **kwargs):
        return GwGapWorkChain.get_builder_from_protocol(
            abinit_code, structure or silicon, method, protocol=protocol, overrides=overrides, **kwargs
        )

    return _builder_of


@pytest.fixture
def process_of():
    """Return a function that makes the process of a builder, ready for its steps to be called."""

    def _process_of(builder):
        return instantiate_process(get_manager().get_runner(), builder)

    return _process_of
