"""Work folders go when nothing needs them, and what is gone is not taken from the cache."""

from __future__ import annotations

import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.orm.nodes.process.process import ProcessNodeCaching

from aiida_foundry.screening.harvest import harvest

CACHE = ProcessNodeCaching._VALID_CACHE_KEY


@pytest.fixture
def make_job(aiida_profile_clean, aiida_localhost, tmp_path):
    """Return a function that makes a job that ended, with a work folder and what its engine reported."""

    def _make_job(name='work', description='campaign x', **results):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        job = orm.CalcJobNode(computer=aiida_localhost, description=description)
        job.set_option('resources', {'num_machines': 2, 'num_mpiprocs_per_machine': 3})
        job.store()
        remote = orm.RemoteData(computer=aiida_localhost, remote_path=str(folder))
        outputs = {'remote_folder': remote, 'output_parameters': orm.Dict(results)}
        for label, node in outputs.items():
            node.base.links.add_incoming(job, LinkType.CREATE, label)
            node.store()
        job.set_process_state('finished')
        job.set_exit_status(0)
        job.seal()
        return job, folder

    return _make_job


@pytest.mark.parametrize(('results', 'expected'), [({'wall_time_seconds': 10}, 60), ({'core_seconds': 7}, 7), ({}, 0)])
def test_folder_is_removed_and_core_seconds_are_noted(make_job, results, expected):
    job, folder = make_job(**results)
    twin, _ = make_job()
    assert harvest(job.pk, clean=True) == {'core_seconds': expected, 'cleaned': True}
    assert not folder.exists()
    assert job.base.extras.get(CACHE) is twin.base.extras.get(CACHE) is False


@pytest.mark.parametrize(('state', 'cleaned'), [('waiting', False), ('finished', True)])
def test_folder_that_a_process_needs_is_kept(make_job, state, cleaned):
    job, folder = make_job()
    successor = orm.WorkChainNode()
    successor.base.links.add_incoming(job.outputs.remote_folder, LinkType.INPUT_WORK, 'parent_folder')
    successor.store()
    successor.set_process_state(state)
    assert harvest(job.pk, clean=True)['cleaned'] is cleaned
    assert folder.exists() is not cleaned
    assert (CACHE in job.base.extras.all) is cleaned


def test_folders_of_others_are_left_alone(make_job):
    job, folder = make_job(description='')
    assert harvest(job.pk, clean=True)['cleaned'] is False
    assert folder.exists()
