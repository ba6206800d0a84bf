"""Builders of `foundry.gw.gap`: what the protocols set and what is refused."""

from __future__ import annotations

import pytest
from aiida import orm
from aiida.engine import run

from aiida_foundry.common.errors import InputError
from aiida_foundry.structures.checks import valence_electrons
from aiida_foundry.structures.importers import load_structure
from aiida_foundry.workflows.gw.gap import GwGapWorkChain
from aiida_foundry.workflows.gw.methods import METHODS


def serialise(builder) -> dict:
    """Return what a builder holds as plain values."""

    def plain(value):
        if isinstance(value, dict):
            return {key: plain(entry) for key, entry in value.items()}
        if isinstance(value, orm.Dict):
            return value.get_dict()
        if isinstance(value, orm.KpointsData):
            return value.get_kpoints_mesh()[0]
        if isinstance(value, (orm.Str, orm.Bool)):
            return value.value
        return getattr(value, 'md5', None) or value.__class__.__name__

    return plain(builder._inputs(prune=True))


@pytest.mark.parametrize('protocol', ['fast', 'balanced', 'stringent'])
def test_protocols(builder_of, data_regression, protocol):
    data_regression.check(serialise(builder_of('qsgw', protocol)))


@pytest.mark.parametrize('method', METHODS)
def test_methods_choose_their_frequency_treatment(builder_of, method):
    builder = builder_of(method)
    expected = 'plasmon-pole' if method == 'g0w0-ppm' else 'contour-deformation'
    assert builder.parameters['frequency']['treatment'] == expected
    assert builder.process_class.__name__ == 'AbinitGwGapWorkChain'


def test_frequency_treatment_can_be_chosen(builder_of):
    overrides = {'parameters': {'frequency': {'treatment': 'plasmon-pole'}}}
    assert builder_of('qsgw', overrides=overrides).parameters['frequency']['treatment'] == 'plasmon-pole'


def test_mesh_override(builder_of):
    assert builder_of(overrides={'kpoints_mesh': [3, 2, 1]}).kpoints.get_kpoints_mesh() == ([3, 2, 1], [0, 0, 0])


def test_balanced_mesh_of_silicon_is_the_converged_one_of_the_source(builder_of):
    assert builder_of(protocol='balanced').kpoints.get_kpoints_mesh()[0] == [8, 8, 8]


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'method': 'gw'}, 'method `gw`: it is unknown. Known are g0w0-ppm'),
        ({'engine': 'vasp'}, 'engine `vasp`: it is unknown'),
        ({'protocol': 'quick'}, 'protocol `quick`: it is unknown. Known are fast'),
        ({'overrides': {'cutoff': 3}}, 'override `cutoff`: it is unknown'),
        ({'overrides': {'parameters': {'ecut': 3}}}, 'override `parameters.ecut`: it is unknown'),
        ({'overrides': {'parameters': 3}}, 'override `parameters`: it is a group of settings'),
        ({'overrides': {'parameters': {'wavefunction_cutoff': -8.0}}}, '`wavefunction_cutoff`: -8.0 is not positive'),
        ({'overrides': {'parameters': {'screening_cutoff': -1}}}, '`screening_cutoff`: -1 is not positive'),
        ({'overrides': {'parameters': {'screening_cutoff': 500.0}}}, 'exceeds four times'),
        ({'overrides': {'parameters': {'bands': 40.5}}}, '`bands`: 40.5 is not a whole number'),
        ({'overrides': {'parameters': {'bands': 'many'}}}, "`bands`: 'many' is not a number"),
        ({'overrides': {'parameters': {'bands': 5}}}, '`bands`: 5 bands'),
        ({'overrides': {'parameters': {'frequency': {'treatment': 'exact'}}}}, '`exact` is unknown'),
        ({'overrides': {'parameters': {'starting_functional': 'B3LYP'}}}, '`B3LYP` is unknown'),
        ({'overrides': {'parameters': {'starting_functional': 'LDA'}}}, 'pseudopotentials are for PBE'),
        ({'overrides': {'parameters': {'cutoff_stringency': 'lax'}}}, 'it recommends no `lax` cutoff'),
        ({'overrides': {'kpoints_mesh': [2, 2]}}, r'`kpoints_mesh`: \[2, 2\] is not a mesh'),
        ({'overrides': {'kpoints_distance': -1}}, '`kpoints_distance`: it must be positive'),
        ({'pseudo_family': 'none'}, 'pseudopotential family `none`: the profile does not have it'),
    ],
)
def test_refused_arguments(builder_of, arguments, message):
    with pytest.raises(InputError, match=message):
        builder_of(**arguments)


def test_element_that_the_family_lacks(builder_of, silicon):
    structure = orm.StructureData(cell=silicon.cell)
    structure.append_atom(position=(0, 0, 0), symbols='U')
    structure.append_atom(position=(1.5, 1.5, 1.5), symbols='C')
    with pytest.raises(InputError, match='no pseudopotential of U'):
        builder_of(structure=structure)


def test_odd_number_of_electrons(builder_of):
    structure = orm.StructureData(cell=[[2, 2, 0], [2, 0, 2], [0, 2, 2]])
    structure.append_atom(position=(0, 0, 0), symbols='Al')
    with pytest.raises(InputError, match='odd number of electrons'):
        builder_of(structure=structure)


def test_partial_occupancy(builder_of):
    structure = orm.StructureData(cell=[[2, 2, 0], [2, 0, 2], [0, 2, 2]])
    structure.append_atom(position=(0, 0, 0), symbols=['Si', 'Ge'], weights=[0.5, 0.5])
    with pytest.raises(InputError, match='partial occupancies'):
        builder_of(structure=structure)


def test_shifted_mesh_and_list_are_refused(builder_of):
    builder = builder_of()
    shifted, points = orm.KpointsData(), orm.KpointsData()
    shifted.set_kpoints_mesh([2, 2, 2], offset=[0.5, 0.5, 0.5])
    points.set_kpoints([[0.0, 0.0, 0.0]])
    for kpoints, message in ((shifted, 'shifted from Γ'), (points, 'they are a list')):
        with pytest.raises(ValueError, match=message):
            builder.kpoints = kpoints


def test_interface_cannot_be_run(builder_of):
    inputs = builder_of()._inputs(prune=True)
    inputs.pop('code')
    with pytest.raises(ValueError, match='is an interface'):
        run(GwGapWorkChain, **inputs)


def test_compounds_with_semicore_states_have_enough_bands(builder_of, pbe_family):
    """Gallium has 3d, magnesium 2s and 2p in the valence: the volume alone would give too few bands."""
    for name in ('GaAs', 'MgO'):
        structure = load_structure(name)
        occupied = valence_electrons(structure, pbe_family.get_pseudos(structure=structure)) // 2
        assert builder_of(structure=structure).parameters['bands'] >= 2 * occupied + 4
