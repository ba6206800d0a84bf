"""Wannierisation: what the protocols set, what is refused, and what each step does with the one before."""

from __future__ import annotations

import numpy as np
import pytest
from aiida import orm
from ase.build import bulk

from aiida_foundry.common.errors import InputError
from aiida_foundry.structures.importers import load_structure
from aiida_foundry.workflows.koopmans.manifold import ManifoldWorkChain, validate_parameters
from aiida_foundry.workflows.koopmans.trials import list_manifolds, manifold_parameters, reason_to_refuse
from aiida_foundry.workflows.koopmans.wannierize import WannierizeWorkChain

CODES = WannierizeWorkChain.exit_codes
BANDS = np.array([-6.0, 3.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 14.0, 15.0, 16.0, 17.0, 18.0, 19.0, 20.0, 21.0])
#: Of the functions below: four bonds of silicon (lattice constant 5.43 Å) and four other places with the symmetry.
BONDS = (5.43 / 8 * np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])).tolist()


@pytest.mark.parametrize('protocol', ['fast', 'balanced', 'stringent'])
def test_protocols(wannierize_builder, data_regression, protocol):
    builder = wannierize_builder(protocol=protocol)
    mesh = builder.kpoints.get_kpoints_mesh()[0]
    data_regression.check({'parameters': builder.parameters.get_dict(), 'mesh': mesh})


@pytest.mark.parametrize(('name', 'empty'), [('Si', 4), ('MgO', 1), ('GaAs', 4), ('AlP', 4)])
def test_empty_functions_are_the_orbitals_left(wannierize_builder, name, empty):
    """E.g. MgO of PseudoDojo: Mg 2s 2p 3s and O 2s 2p are nine orbitals, eight of them filled."""
    assert wannierize_builder(load_structure(name)).parameters['empty_functions'] == empty


@pytest.mark.parametrize(
    ('overrides', 'message'),
    [
        ({'parameters': {'bands': 10}}, '10 bands do not hold the 4 filled and 12 empty ones. Give at least 16'),
        ({'parameters': {'disentanglement_bands': 4}}, '4 empty bands leave nothing to choose 4 functions from'),
        ({'parameters': {'bands': 16.5}}, '16.5 is not a whole number'),
        ({'parameters': {'spin_channels': 4}}, 'spin-orbit coupling is not supported'),
        ({'parameters': {'wavefunction_cutoff': -1}}, '-1 is no positive number'),
        ({'parameters': {'ecutwfc': 30}}, 'override `parameters.ecutwfc`: it is unknown'),
        ({'parameters': {'trials': {'empty': []}}}, '`trials.empty`: there is none'),
        (
            {'parameters': {'trials': {'empty': [{'projections': 'sp3', 'projectability': 0.5}]}}},
            'projections `sp3` are unknown',
        ),
        (
            {'parameters': {'trials': {'empty': [{'projections': 'scdm', 'projectability': 2}]}}},
            'projectability 2 is not between 0 and 1',
        ),
        ({'kpoints_mesh': [2, 2]}, 'not a mesh'),
    ],
)
def test_refused(wannierize_builder, overrides, message):
    with pytest.raises(InputError, match=message):
        wannierize_builder(overrides=overrides)


def test_metal_by_its_electrons(wannierize_builder):
    with pytest.raises(InputError, match='odd number of electrons'):
        wannierize_builder(orm.StructureData(ase=bulk('Al')))


def test_missing_code(wannierize_builder, codes):
    incomplete = {label: code for label, code in codes.items() if label != 'wannier90'}
    with pytest.raises(InputError, match=r'code `wannier90`: it is missing, and wannier90\.x with it'):
        wannierize_builder(codes=incomplete)


def test_shifted_mesh(wannierize_builder, process_of):
    builder = wannierize_builder()
    kpoints = orm.KpointsData()
    kpoints.set_kpoints_mesh([2, 2, 2], offset=[0.5, 0.5, 0.5])
    with pytest.raises(ValueError, match='shifted from Γ'):
        builder.kpoints = kpoints


@pytest.fixture
def process(wannierize_builder, process_of, child, bands_data):
    """Return a process whose bands are done: flat ones, the gap 1 eV."""
    made = process_of(wannierize_builder())
    made.setup()
    made.ctx.scf = child()
    made.ctx.nscf = child(output_band=bands_data(np.tile(BANDS, (8, 1))))
    made.ctx.path = child(output_band=bands_data(np.tile(BANDS[:8], (8, 1))))
    return made


@pytest.fixture
def functions(child):
    """Return a function that makes a finished manifold: each function is a band."""

    def build(number, bands, spreads, **arguments):
        gauge = np.tile(np.eye(bands, number, dtype=complex), (8, 1, 1))
        arrays = {'rotation': np.tile(np.eye(number, dtype=complex), (8, 1, 1))}
        if bands > number:
            arrays['disentanglement'] = gauge
        parameters = {
            'centres': BONDS, 'spreads': spreads, 'warnings': [], 'windows': {}, 'wall_time_seconds': 1.0,
        }  # fmt: skip
        outputs = {'gauge': orm.ArrayData(arrays), 'output_parameters': orm.Dict(parameters)}
        return child(retrieved=orm.FolderData(), **outputs, **arguments)

    return build


@pytest.fixture
def projected(process, child):
    """Return a process with its manifolds: bands 5 to 8 are atomic orbitals, those above are not."""
    process.inspect_scf()
    process.inspect_nscf()
    process.ctx.projections = child()
    assert process.inspect_projections() is None
    return process


def test_failed_steps(process, child):
    process.ctx.scf = child(exit_status=300)
    assert process.inspect_scf() == CODES.ERROR_SUB_PROCESS_FAILED_SCF
    process.ctx.path = child(exit_status=300)
    assert process.inspect_nscf() == CODES.ERROR_SUB_PROCESS_FAILED_NSCF
    process.ctx.projections = child(exit_status=300)
    assert process.inspect_projections() == CODES.ERROR_SUB_PROCESS_FAILED_PROJECTIONS


@pytest.mark.parametrize('label', ['nscf', 'path'])
def test_metal(process, child, bands_data, label):
    overlapping = np.tile(BANDS, (8, 1))
    overlapping[3, 4] = 5.5
    process.ctx[label] = child(output_band=bands_data(overlapping))
    result = process.inspect_nscf()
    assert result.status == CODES.ERROR_METALLIC.status
    assert 'the gap is -0.500 eV' in result.message


def test_manifolds(projected):
    assert {label: entry['bands'] for label, entry in projected.ctx.manifolds.items()} == {
        'occupied_1': [1, 1],
        'occupied_2': [2, 2],
        'occupied_3': [3, 4],
        'empty': [5, 16],
    }


def test_accepted(projected, functions):
    projected.ctx.manifolds = list_manifolds([(1, 4)], 4, projected.ctx.parameters)
    projected.ctx.occupied_1 = functions(4, 4, [1.0] * 4)
    projected.ctx.empty = functions(4, 12, [2.0] * 4)
    assert projected.inspect_manifolds() is None
    assert not projected.should_wannierize()
    assert not projected.has_several_blocks()
    projected.results()
    assert projected.outputs['occupied']['parameters']['eta_mev'] == 0
    assert projected.outputs['empty']['parameters']['bands'] == [5, 16]
    assert projected.outputs['path_bands'].uuid == projected.ctx.path.outputs.output_band.uuid


def test_refused_functions_are_tried_again_until_the_trials_end(projected, functions, child):
    projected.ctx.manifolds = list_manifolds([(1, 4)], 4, projected.ctx.parameters)
    projected.ctx.occupied_1 = functions(4, 4, [1.0] * 4)
    bad = [
        child(exit_status=403, message='Wannier90 failed: not converged'),
        functions(4, 12, [2.0, 2.0, 5.1, 2.0]),
        child(exit_status=403, message='Wannier90 failed: a window'),
    ]
    for trial, process in enumerate(bad, start=1):
        projected.ctx.empty = process
        assert projected.inspect_manifolds() is None
        assert projected.ctx.manifolds['empty']['trial'] == trial
        assert list(projected.ctx.accepted) == ['occupied_1']
    projected.ctx.empty = functions(4, 12, [2.0, 2.0, 5.1, 2.0])
    result = projected.inspect_manifolds()
    assert result.status == CODES.ERROR_NO_ACCEPTABLE_FUNCTIONS.status
    for part in ('5-16 (empty)', '4 trials', 'spreads of equivalent functions differ by 3.100 Å²', 'Try'):
        assert part in result.message


@pytest.mark.parametrize('status', [401, 402])
def test_failed_overlaps(projected, child, status):
    for label in projected.ctx.manifolds:
        projected.ctx[label] = child(exit_status=status)
    assert projected.inspect_manifolds().status == CODES.ERROR_SUB_PROCESS_FAILED_OVERLAPS.status


def test_functions_that_miss_the_bands():
    limits = {'eta_mev': 20.0, 'spread_difference': 0.02}
    good = {'eta_mev': 1.0, 'spread_difference': 0.0}
    assert reason_to_refuse(good, limits) is None
    assert 'η = 21.1 meV exceeds 20.0 meV' in reason_to_refuse({**good, 'eta_mev': 21.1}, limits)
    assert 'no state' in reason_to_refuse({**good, 'eta_mev': None}, limits)


def test_isolated_and_entangled_parameters(wannierize_builder):
    parameters = {**wannierize_builder().parameters.get_dict(), 'spin_channels': 2}
    manifold = list_manifolds([(1, 4)], 4, parameters)['occupied_1']
    made = manifold_parameters(manifold, 'scdm', None, parameters)
    assert validate_parameters(orm.Dict(made), None) is None
    assert (made['projection_weight'], made['frozen_maximum'], made['spin_component']) == (None, None, 'up')


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'bands': [0, 4]}, 'bands 0 to 4 are not among'),
        ({'functions': 5}, '4 bands cannot make 5 functions'),
        ({'projections': 'sp3'}, 'projections `sp3` are unknown'),
        ({'windows': 1}, r"\['windows'\] are missing or unknown"),
    ],
)
def test_bad_parameters_of_a_manifold(wannierize_builder, codes, process_of, change, message):
    parameters = wannierize_builder().parameters.get_dict()
    manifold = list_manifolds([(1, 4)], 4, parameters)['occupied_1']
    made = manifold_parameters(manifold, 'scdm', None, parameters)
    builder = ManifoldWorkChain.get_builder()
    with pytest.raises(ValueError, match=message):
        builder.parameters = orm.Dict({**made, **change})
