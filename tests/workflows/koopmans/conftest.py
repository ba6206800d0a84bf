"""Silicon, codes that are never run, builders and processes for it, finished children."""

from __future__ import annotations

import numpy as np
import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager

from aiida_foundry.structures.importers import load_structure
from aiida_foundry.workflows.koopmans.inputs import EXECUTABLES
from aiida_foundry.workflows.koopmans.ki import KoopmansKiWorkChain
from aiida_foundry.workflows.koopmans.wannierize import WannierizeWorkChain


@pytest.fixture(scope='session')
def small():
    """Return a setting that is quick and not converged: 8 hartree."""
    return {'wavefunction_cutoff': 8.0}


@pytest.fixture(scope='session')
def silicon(aiida_profile):
    return load_structure('Si')


@pytest.fixture(scope='session')
def codes(aiida_profile):
    """Return codes that are never run."""
    computer = orm.Computer(
        label='nobody', hostname='localhost', transport_type='core.local', scheduler_type='core.direct', workdir='/'
    ).store()
    return {
        label: orm.InstalledCode(computer, filepath_executable='/bin/true', label=label).store()
        for label in EXECUTABLES
    }


@pytest.fixture
def wannierize_builder(codes, silicon, pbe_family):
    """Return a function that makes a builder of the Wannierisation."""

    def build(structure=None, protocol='fast', **arguments):
        given = {'codes': codes, 'structure': structure or silicon, 'protocol': protocol, **arguments}
        return WannierizeWorkChain.get_builder_from_protocol(**given)

    return build


@pytest.fixture
def ki_builder(codes, silicon, pbe_family):
    """Return a function that makes a builder of Koopmans energies."""

    def build(structure=None, protocol='fast', **arguments):
        arguments.setdefault('pseudo_family', pbe_family.label)
        given = {'codes': codes, 'structure': structure or silicon, 'protocol': protocol, **arguments}
        return KoopmansKiWorkChain.get_builder_from_protocol(**given)

    return build


@pytest.fixture
def process_of():
    """Return a function that makes the process of a builder, ready for its steps to be called."""

    def build(builder):
        return instantiate_process(get_manager().create_runner(communicator=None, broker_submit=False), builder)

    return build


@pytest.fixture
def child(codes):
    """Return a function that makes a finished process with outputs."""

    def build(process='WorkChainNode', exit_status=0, message=None, **outputs):
        node = getattr(orm, process)()
        if process == 'CalcJobNode':
            node.computer = codes['ki'].computer
            node.process_type = 'aiida.calculations:foundry.ki'
        node.store()
        timed = {'output_parameters': orm.Dict({'wall_time_seconds': 1.0, 'core_seconds': 1.0})}
        folder = {'remote_folder': orm.RemoteData(computer=codes['pw'].computer, remote_path='/nowhere')}
        for label, data in {**timed, **folder, **outputs}.items():
            if process == 'CalcJobNode':
                data.base.links.add_incoming(node, LinkType.CREATE, label)
                data.store()
                continue
            if not data.is_stored:
                maker = orm.CalcFunctionNode().store()
                data.base.links.add_incoming(maker, LinkType.CREATE, 'result')
                data.store()
            data.base.links.add_incoming(node, LinkType.RETURN, label)
        node.set_process_state('finished')
        node.set_exit_status(exit_status)
        if message is not None:
            node.set_exit_message(message)
        return node

    return build


@pytest.fixture
def bands_data():
    """Return a function that makes bands on the points of a 2×2×2 mesh."""

    def build(energies, kpoints=None):
        node = orm.BandsData()
        default = [[x, y, z] for x in (0, 0.5) for y in (0, 0.5) for z in (0, 0.5)]
        node.set_kpoints(np.array(default if kpoints is None else kpoints, dtype=float))
        node.set_bands(np.asarray(energies, dtype=float), units='eV')
        return node

    return build
