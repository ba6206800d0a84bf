"""Silicon, and builders and processes for it."""

from __future__ import annotations

import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager

from aiida_foundry.structures.importers import load_structure
from aiida_foundry.workflows.bse.spectrum import BseSpectrumWorkChain


@pytest.fixture(scope='session')
def small():
    """Return settings of seconds: PBE, 5 hartree, 20 bands, dielectric matrix up to 2 hartree (27 plane waves)."""
    return {'wavefunction_cutoff': 5.0, 'bands': 20, 'screening_cutoff': 2.0}


@pytest.fixture(scope='session')
def silicon(aiida_profile):
    return load_structure('Si')


@pytest.fixture(scope='session')
def code_that_never_runs(aiida_profile):
    computer = orm.Computer(
        label='nowhere-bse',
        hostname='localhost',
        transport_type='core.local',
        scheduler_type='core.direct',
        workdir='/',
    ).store()
    return orm.InstalledCode(
        computer, filepath_executable='/bin/true', label='abinit', default_calc_job_plugin='foundry.abinit'
    ).store()


@pytest.fixture(scope='session')
def spectrum_of(engine_codes, silicon, pbe_family, small):
    """Return a function that runs a spectrum of silicon, on the ground state and screening of another run if given."""

    def _spectrum_of(corrections, parent=None, *, engine='abinit', **changes):
        builder = BseSpectrumWorkChain.get_builder_from_protocol(
            engine_codes if engine == 'yambo' else engine_codes[engine],
            silicon,
            corrections,
            engine=engine,
            protocol='fast',
            overrides={'parameters': {**small, **changes}},
            options={'withmpi': False},
        )
        if parent is not None:
            builder.ground_state = {name: parent.outputs.ground_state[name] for name in ('wavefunctions', 'mesh_bands')}
            builder.screening = parent.outputs.screening
        process = run_get_node(builder).node
        assert process.is_finished_ok, process.exit_message
        return process

    return _spectrum_of


@pytest.fixture
def builder_of(code_that_never_runs, silicon, pbe_family):
    """Return a function that makes the builder of a spectrum of silicon."""

    def _builder_of(corrections=0.8, protocol='fast', overrides=None, structure=None, **kwargs):
        return BseSpectrumWorkChain.get_builder_from_protocol(
            code_that_never_runs, structure or silicon, corrections, protocol=protocol, overrides=overrides, **kwargs
        )

    return _builder_of


@pytest.fixture
def process_of():
    """Return a function that makes the process of a builder, ready for its steps to be called."""

    def _process_of(builder):
        return instantiate_process(get_manager().get_runner(), builder)

    return _process_of


@pytest.fixture
def serialise():
    """Return a function that turns what a builder holds into plain values."""

    def _serialise(builder):
        def plain(value):
            if isinstance(value, dict):
                return {key: plain(entry) for key, entry in value.items()}
            if isinstance(value, orm.Dict):
                return value.get_dict()
            if isinstance(value, orm.KpointsData):
                return value.get_kpoints_mesh()[0]
            if isinstance(value, (orm.Str, orm.Bool, orm.Float)):
                return value.value
            if isinstance(value, orm.Code):
                return value.label
            return getattr(value, 'md5', None) or value.__class__.__name__

        return plain(builder._inputs(prune=True))

    return _serialise
