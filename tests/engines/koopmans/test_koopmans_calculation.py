"""What the calculation writes and sends, and which inputs it refuses."""

from __future__ import annotations

import json

import pytest
from aiida import orm
from aiida.common.folders import SandboxFolder
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager

from aiida_foundry.engines.koopmans.calculation import KiCalculation


def folder(*names):
    node = orm.FolderData()
    for name in names:
        node.base.repository.put_object_from_bytes(b'x', name)
    return node.store()


@pytest.fixture
def inputs(aiida_profile, aiida_localhost, aiida_code_installed):
    """Return inputs of a calculation, some replaced."""

    def build(parameters=None, **changes):
        if parameters is None:
            parameters = {'dielectric_constant': 12.0}
        remote = orm.RemoteData(remote_path='/states', computer=aiida_localhost).store()
        return {
            'code': aiida_code_installed(label='ki-at-localhost', default_calc_job_plugin='foundry.ki'),
            'parent_folder': remote,
            'occupied': folder('aiida_u.mat', 'aiida.wout', 'aiida_hr.dat'),
            'empty': folder('aiida_u.mat', 'aiida_u_dis.mat', 'aiida.wout'),
            'parameters': orm.Dict(parameters),
            **changes,
        }

    return build


@pytest.fixture
def prepare():
    def run(inputs):
        runner = get_manager().create_runner(communicator=None, broker_submit=False)
        process = instantiate_process(runner, KiCalculation, **inputs)
        with SandboxFolder() as sandbox:
            info = process.prepare_for_submission(sandbox)
            with sandbox.open('aiida.json') as handle:
                return json.load(handle), info, sandbox.get_content_list()

    return run


def test_files(inputs, prepare):
    job, info, content = prepare(inputs(metadata={'options': {'max_wallclock_seconds': 1000}}))
    assert job == {
        'save': 'aiida.save',
        'dielectric_constant': 12.0,
        'coverage_tolerance': 0.05,
        'settings': {'symmetry': True, 'symmetry_tolerance': 2e-3, 'tolerance': 1e-4, 'closure': True},
        'max_seconds': 850.0,
    }
    assert [entry[1:] for entry in info.remote_symlink_list] == [('/states/out/aiida.save', 'aiida.save')]
    assert {entry[2] for entry in info.local_copy_list} == {
        'occupied/aiida_u.mat',
        'occupied/aiida.wout',
        'empty/aiida_u.mat',
        'empty/aiida_u_dis.mat',
        'empty/aiida.wout',
    }
    assert 'checkpoint' in content
    assert info.retrieve_list == ['aiida.out', 'aiida.ki.json', 'aiida.ki.npz', 'checksums.sha256']
    assert 'aiida.ki.npz' in info.append_text


def test_restart(inputs, prepare, aiida_localhost):
    earlier = orm.RemoteData(remote_path='/earlier', computer=aiida_localhost).store()
    job, info, content = prepare(inputs(restart_folder=earlier, parameters={'head_correction': False}))
    assert job['dielectric_constant'] is None
    assert job['max_seconds'] is None
    assert [entry[1:] for entry in info.remote_copy_list] == [('/earlier/checkpoint', 'checkpoint')]
    assert 'checkpoint' not in content


@pytest.mark.parametrize(
    ('parameters', 'message'),
    [
        ({}, 'needs ε∞'),
        ({'dielectric_constant': 0.5}, 'needs ε∞'),
        ({'dielectric_constant': 12.0, 'head_correction': False}, 'has no effect'),
        ({'dielectric_constant': '12'}, 'not a positive number'),
        ({'dielectric_constant': 12.0, 'tolerance': 0}, 'not a positive number'),
        ({'dielectric_constant': 12.0, 'closure': 1}, 'wrong type'),
        ({'dielectric_constant': 12.0, 'bands': 4}, 'not a parameter'),
    ],
)
def test_refused_parameters(inputs, prepare, parameters, message):
    with pytest.raises(ValueError, match=message):
        prepare(inputs(parameters=parameters))


def test_refused_folders(inputs, prepare, aiida_computer_local):
    with pytest.raises(ValueError, match=r'it has no aiida\.wout'):
        prepare(inputs(empty=folder('aiida_u.mat')))
    other = orm.RemoteData(remote_path='/x', computer=aiida_computer_local(label='other')).store()
    with pytest.raises(ValueError, match='it is on `other`'):
        prepare(inputs(parent_folder=other))
    cleaned = inputs()
    cleaned['parent_folder'].base.extras.set('cleaned', True)
    with pytest.raises(ValueError, match='its files were removed'):
        prepare(cleaned)
