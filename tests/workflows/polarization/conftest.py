"""Crystals, and builders and processes for them."""

from __future__ import annotations

import numpy as np
import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager

from aiida_foundry.workflows.polarization.berry import BerryPolarizationWorkChain
from aiida_foundry.workflows.polarization.path import PolarizationPathWorkChain


def make_structure(cell, sites) -> orm.StructureData:
    """Return a structure from vectors by rows and pairs of a kind, such as Ni1, and reduced coordinates."""
    structure = orm.StructureData(cell=np.array(cell, dtype=float).tolist())
    for name, position in sites:
        symbol = name.rstrip('0123456789')
        structure.append_atom(position=(np.array(position) @ cell).tolist(), symbols=symbol, name=name)
    return structure


@pytest.fixture(scope='session')
def boron_nitride(aiida_profile):
    """Return cubic BN at its measured lattice constant."""
    cell = 1.8075 * (1 - np.eye(3))
    return make_structure(cell, [('B', (0, 0, 0)), ('N', (0.25, 0.25, 0.25))])


@pytest.fixture(scope='session')
def aluminium_nitride(aiida_profile):
    """Return wurtzite AlN as measured by Schulz and Thiemann, Solid State Commun. 23, 815 (1977)."""
    a, c, u = 3.110, 4.980, 0.3821
    cell = np.array([[a, 0, 0], [-a / 2, 3**0.5 / 2 * a, 0], [0, 0, c]])
    sites = [
        ('Al', (1 / 3, 2 / 3, 0)),
        ('Al', (2 / 3, 1 / 3, 0.5)),
        ('N', (1 / 3, 2 / 3, u)),
        ('N', (2 / 3, 1 / 3, 0.5 + u)),
    ]
    return make_structure(cell, sites)


@pytest.fixture(scope='session')
def structure_of(aiida_profile):
    return make_structure


@pytest.fixture(scope='session')
def idle_codes(aiida_profile):
    """Return codes that are never run, by engine."""
    computer = orm.Computer(
        label='nowhere-polarization',
        hostname='localhost',
        transport_type='core.local',
        scheduler_type='core.direct',
        workdir='/',
    ).store()
    plugins = {'quantumespresso': 'quantumespresso.pw', 'abinit': 'foundry.abinit'}
    return {
        engine: orm.InstalledCode(
            computer, filepath_executable='/bin/true', label=engine, default_calc_job_plugin=plugin
        ).store()
        for engine, plugin in plugins.items()
    }


@pytest.fixture
def berry_builder(idle_codes, boron_nitride, pbe_family):
    """Return a function that makes a builder of Berry phases, by default of BN."""

    def make(structure=None, engine='quantumespresso', protocol='fast', **arguments):
        return BerryPolarizationWorkChain.get_builder_from_protocol(
            idle_codes.get(engine, idle_codes['quantumespresso']),
            structure or boron_nitride,
            engine=engine,
            protocol=protocol,
            **arguments,
        )

    return make


@pytest.fixture
def path_builder(idle_codes, aluminium_nitride, pbe_family):
    """Return a function that makes a builder of a path, by default of AlN."""

    def make(structure=None, reference=None, protocol='fast', **arguments):
        return PolarizationPathWorkChain.get_builder_from_protocol(
            idle_codes['quantumespresso'], structure or aluminium_nitride, reference, protocol=protocol, **arguments
        )

    return make


@pytest.fixture
def process_of():
    """Return a function that makes the process of a builder, ready for its steps to be called."""
    return lambda builder: instantiate_process(get_manager().get_runner(), builder)


@pytest.fixture
def finished(idle_codes):
    """Return a function that makes a finished process with outputs, each made by a calculation."""

    def make(outputs: dict[str, orm.Data], exit_status: int = 0, message: str | None = None) -> orm.ProcessNode:
        node = orm.WorkChainNode().store()
        for label, data in outputs.items():
            maker = orm.CalcJobNode(computer=idle_codes['quantumespresso'].computer)
            maker.set_option('resources', {'num_machines': 1, 'num_mpiprocs_per_machine': 2})
            maker.store()
            data.base.links.add_incoming(maker, LinkType.CREATE, label)
            data.store()
            data.base.links.add_incoming(node, LinkType.RETURN, label)
        node.set_process_state('finished')
        node.set_exit_status(exit_status)
        node.set_exit_message(message)
        return node.seal()

    return make
