"""Recorded outputs of kcw.x, and nodes made from them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from aiida import orm
from aiida.common import LinkType

FIXTURES = Path(__file__).parents[2] / 'fixtures' / 'kcw'


@pytest.fixture
def read_output():
    return lambda case: gzip.decompress((FIXTURES / f'{case}.out.gz').read_bytes()).decode()


@pytest.fixture
def calculation(aiida_localhost):
    """Return a function: a finished calculation of a step with an output, as the parser sees it."""

    def build(step: str, text: str, exit_status: int | None = None, inputs=None, files=None):
        node = orm.CalcJobNode(computer=aiida_localhost, process_type=f'aiida.calculations:foundry.kcw.{step}')
        node.set_option('output_filename', 'aiida.out')
        if exit_status is not None:
            node.set_exit_status(exit_status)
        for label, data in (inputs or {}).items():
            node.base.links.add_incoming(data.store(), LinkType.INPUT_CALC, label)
        node.store()
        retrieved = orm.FolderData()
        for name, content in (files or {}).items():
            retrieved.base.repository.put_object_from_bytes(content, name)
        if text:
            retrieved.base.repository.put_object_from_bytes(text.encode(), 'aiida.out')
        retrieved.base.links.add_incoming(node, LinkType.CREATE, 'retrieved')
        retrieved.store()
        return node

    return build


def folder(*names: str) -> orm.FolderData:
    node = orm.FolderData()
    for name in names:
        node.base.repository.put_object_from_bytes(b'content', name)
    return node


@pytest.fixture
def inputs(aiida_code_installed, aiida_localhost):
    """Return the inputs of a step."""

    def build(namelists=None, **changes):
        code = aiida_code_installed(default_calc_job_plugin='foundry.kcw.screen', filepath_executable='/bin/true')
        values = {
            'code': code,
            'parent_folder': orm.RemoteData(remote_path='/scratch/parent', computer=aiida_localhost),
            'occupied': folder('aiida_u.mat', 'aiida_centres.xyz', 'aiida_hr.dat'),
            'empty': folder('aiida_u.mat', 'aiida_u_dis.mat', 'aiida_centres.xyz'),
            'parameters': orm.Dict({'CONTROL': {'mp1': 2, 'mp2': 2, 'mp3': 2}, **(namelists or {})}),
            'metadata': {'options': {'resources': {'num_machines': 1, 'num_mpiprocs_per_machine': 1}}},
        }
        return {**values, **changes}

    return build
