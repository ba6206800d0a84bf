"""Builders of `foundry.polarization.berry`: what the protocols set and what is refused."""

from __future__ import annotations

import pytest
from aiida import orm
from aiida.engine import run

from aiida_foundry.common.errors import InputError
from aiida_foundry.workflows.polarization.berry import BerryPolarizationWorkChain


def serialise(builder) -> dict:
    """Return what a builder holds as plain values."""

    def plain(value):
        if isinstance(value, dict):
            return {key: plain(entry) for key, entry in value.items()}
        if isinstance(value, orm.Dict):
            return value.get_dict()
        if isinstance(value, orm.KpointsData):
            return value.get_kpoints_mesh()[0]
        if isinstance(value, (orm.Str, orm.Bool, orm.Int)):
            return value.value
        return getattr(value, 'md5', None) or value.__class__.__name__

    return plain(builder._inputs(prune=True))


@pytest.mark.parametrize('protocol', ['fast', 'balanced', 'stringent'])
def test_protocols(berry_builder, data_regression, protocol):
    data_regression.check(serialise(berry_builder(protocol=protocol)))


@pytest.mark.parametrize(
    ('engine', 'name'),
    [('quantumespresso', 'PwBerryPolarizationWorkChain'), ('abinit', 'AbinitBerryPolarizationWorkChain')],
)
def test_engines(berry_builder, engine, name):
    assert berry_builder(engine=engine).process_class.__name__ == name


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'engine': 'vasp'}, 'engine `vasp`: it is unknown'),
        ({'protocol': 'quick'}, 'protocol `quick`: it is unknown'),
        ({'overrides': {'cutoff': 3}}, 'override `cutoff`: it is unknown'),
        ({'overrides': {'parameters': {'wavefunction_cutoff': -8.0}}}, '-8.0 is not positive'),
        ({'overrides': {'parameters': {'density_cutoff': 20.0}}}, 'do not hold the density'),
        ({'overrides': {'parameters': {'string_points': 3}}}, '3 points do not resolve a turn'),
        ({'overrides': {'parameters': {'string_points': 7.5}}}, '7.5 is not a whole number'),
        ({'overrides': {'parameters': {'phase_tolerance': 'small'}}}, "'small' is not a number"),
        ({'overrides': {'parameters': {'functional': 'LDA'}}}, 'pseudopotentials are for PBE'),
        ({'overrides': {'parameters': {'cutoff_stringency': 'lax'}}}, 'it recommends no `lax` cutoffs'),
        ({'overrides': {'kpoints_mesh': [2, 2]}}, r'\[2, 2\] is not a mesh'),
        ({'overrides': {'kpoints_distance': -1}}, 'it must be positive'),
        ({'pseudo_family': 'none'}, 'pseudopotential family `none`: the profile does not have it'),
        ({'magnetic_moments': {'C': 1}}, 'C is no kind of the structure'),
        ({'magnetic_moments': {'B': 0.5}}, 'they add up to 0.5 μ_B'),
        ({'magnetic_moments': {'B': 1}}, 'they add up to 1 μ_B per cell with 8 electrons'),
        ({'engine': 'abinit', 'magnetic_moments': {'B': 0}}, 'the ABINIT adapter has no spin polarization'),
    ],
)
def test_refused_arguments(berry_builder, arguments, message):
    with pytest.raises(InputError, match=message):
        berry_builder(**arguments)


CELL = [[2, 2, 0], [2, 0, 2], [0, 2, 2]]


def test_odd_number_of_electrons_needs_moments(berry_builder, structure_of):
    structure = structure_of(CELL, [('Al', (0, 0, 0))])
    with pytest.raises(InputError, match='odd number of electrons'):
        berry_builder(structure)
    assert berry_builder(structure, magnetic_moments={'Al': 1}).magnetic_moments['Al'] == 1


def test_disordered_and_two_dimensional_structures(berry_builder):
    disordered = orm.StructureData(cell=CELL)
    disordered.append_atom(position=(0, 0, 0), symbols=['Si', 'Ge'], weights=[0.5, 0.5])
    layer = orm.StructureData(cell=CELL, pbc=(True, True, False))
    layer.append_atom(position=(0, 0, 0), symbols='Si')
    for structure, message in ((disordered, 'partial occupancies'), (layer, 'periodic along 2 of 3 directions')):
        with pytest.raises(InputError, match=message):
            berry_builder(structure)


def test_meshes_and_directions_that_are_none(berry_builder):
    builder = berry_builder()
    shifted = orm.KpointsData()
    shifted.set_kpoints_mesh([2, 2, 2], offset=[0.5, 0.5, 0.5])
    with pytest.raises(ValueError, match='the mesh is shifted'):
        builder.kpoints = shifted
    for directions in ([], [4], [1, 1]):
        with pytest.raises(ValueError, match='no lattice vectors'):
            builder.directions = orm.List(directions)


def test_interface_cannot_be_run(berry_builder):
    inputs = berry_builder()._inputs(prune=True)
    inputs.pop('code')
    with pytest.raises(ValueError, match='is an interface'):
        run(BerryPolarizationWorkChain, **inputs)
