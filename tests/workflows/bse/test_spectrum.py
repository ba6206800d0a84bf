"""Builders of `foundry.bse.spectrum`: what the protocols set and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run

from aiida_foundry.common.errors import InputError
from aiida_foundry.structures.importers import load_structure
from aiida_foundry.workflows.bse.abinit import AbinitBseSpectrumWorkChain
from aiida_foundry.workflows.bse.spectrum import BseSpectrumWorkChain


def quasiparticles() -> orm.ArrayData:
    return orm.ArrayData(
        {'kpoints': np.zeros((1, 3)), 'ks_energies': np.zeros((1, 1, 9)), 'qp_energies': np.ones((1, 1, 9))}
    )


@pytest.mark.parametrize('protocol', ['fast', 'balanced', 'stringent'])
def test_protocols(builder_of, serialise, data_regression, protocol):
    data_regression.check(serialise(builder_of(protocol=protocol)))


def test_quasiparticles_or_scissor(builder_of):
    assert 'scissor' not in builder_of(quasiparticles())._inputs(prune=True)
    assert builder_of(1).scissor.value == 1.0


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'engine': 'vasp'}, 'engine `vasp`: it is unknown'),
        ({'protocol': 'quick'}, 'protocol `quick`: it is unknown'),
        ({'overrides': {'parameters': {'zcut': 3}}}, 'override `parameters.zcut`: it is unknown'),
        ({'overrides': {'parameters': {'algorithm': 'lanczos'}}}, '`algorithm`: `lanczos` is unknown'),
        ({'overrides': {'parameters': {'transfer': {'extrapolation': 'spline'}}}}, '`spline` is unknown'),
        ({'overrides': {'parameters': {'symmetry': 'yes'}}}, "'yes' is neither true nor false"),
        ({'overrides': {'parameters': {'spectrum': {'broadening': 0}}}}, '`broadening`: 0 is not positive'),
        ({'overrides': {'parameters': {'excitons': 1.5}}}, '`excitons`: 1.5 is not a whole number'),
        ({'overrides': {'parameters': {'bands': 'many'}}}, "`bands`: 'many' is not a number"),
        ({'overrides': {'parameters': {'bands': 8}}}, '8 bands do not hold the 4 filled ones and the 4 empty ones'),
        ({'overrides': {'parameters': {'screening_cutoff': 500.0}}}, 'exceeds four times'),
        ({'overrides': {'parameters': {'starting_functional': 'LDA'}}}, 'pseudopotentials are for PBE'),
        ({'overrides': {'kpoints_mesh': [2, 2]}}, r'`kpoints_mesh`: \[2, 2\] is not a mesh'),
        ({'pseudo_family': 'none'}, 'pseudopotential family `none`: the profile does not have it'),
    ],
)
def test_refused(builder_of, arguments, message):
    with pytest.raises(InputError, match=message):
        builder_of(**arguments)


def test_odd_electrons_are_refused(builder_of):
    structure = orm.StructureData(cell=[[3, 0, 0], [0, 3, 0], [0, 0, 3]])
    structure.append_atom(position=(0, 0, 0), symbols='Na')
    with pytest.raises(InputError, match='odd number of electrons'):
        builder_of(structure=structure)


def test_interface_does_not_run(builder_of):
    inputs = builder_of()._inputs(prune=True)
    inputs.pop('code')
    with pytest.raises(ValueError, match='is an interface'):
        run(BseSpectrumWorkChain, **inputs)


def refused_when_run(builder, message):
    with pytest.raises(ValueError, match=message):
        AbinitBseSpectrumWorkChain(builder._inputs(prune=True))


def test_shifted_mesh(builder_of):
    builder = builder_of()
    kpoints = orm.KpointsData()
    kpoints.set_kpoints_mesh([2, 2, 2], offset=[0.5, 0.5, 0.5])
    with pytest.raises(ValueError, match='shifted from Γ'):
        builder.kpoints = kpoints


def test_corrections_must_be_one(builder_of):
    builder = builder_of()
    builder.quasiparticles = quasiparticles()
    refused_when_run(builder, 'both are given')
    del builder.quasiparticles, builder.scissor
    refused_when_run(builder, 'neither is given')


def test_haydock_with_coupling(builder_of):
    overrides = {'parameters': {'algorithm': 'haydock', 'tamm_dancoff': False}}
    refused_when_run(builder_of(overrides=overrides), 'fails with coupling')


def test_quasiparticles_of_another_crystal(builder_of, process_with):
    germanium = load_structure('Ge')
    refused_when_run(builder_of(process_with(germanium)), 'they were computed for another crystal')


def test_quasiparticles_with_other_pseudopotentials(builder_of, silicon, pbe_family, process_with):
    wrong = pbe_family.get_pseudo('Ge')
    refused_when_run(builder_of(process_with(silicon, wrong)), 'they were computed for other pseudopotentials')


def test_quasiparticles_of_this_crystal(builder_of, silicon, pbe_family, process_with):
    """The same crystal in another node, and the workflow above a calculation that does not name it."""
    given = process_with(silicon.clone().store(), pbe_family.get_pseudo('Si'), nested=True)
    process = AbinitBseSpectrumWorkChain(builder_of(given)._inputs(prune=True))
    assert process.inputs.quasiparticles.uuid == given.uuid


@pytest.fixture
def process_with():
    """Return a function that makes quasiparticles of a process with a structure and a pseudopotential as inputs."""
    from aiida.common.links import LinkType

    def _process_with(structure, pseudo=None, nested=False):
        owner = orm.WorkChainNode() if nested else orm.CalcJobNode()
        kind = LinkType.INPUT_WORK if nested else LinkType.INPUT_CALC
        owner.base.links.add_incoming(structure, kind, 'structure')
        if pseudo is not None:
            owner.base.links.add_incoming(pseudo, kind, 'pseudos__Si')
        owner.store()
        maker = owner
        if nested:
            maker = orm.CalcJobNode()
            maker.base.links.add_incoming(owner, LinkType.CALL_CALC, 'run')
            maker.store()
        made = quasiparticles()
        made.base.links.add_incoming(maker, LinkType.CREATE, 'quasiparticles')
        return made.store()

    return _process_with
