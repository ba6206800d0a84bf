"""Recorded outputs of Yambo, and nodes made from them."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiida import orm
from aiida.common import LinkType

FIXTURES = Path(__file__).parents[2] / 'fixtures' / 'yambo'
SETUP = (FIXTURES / 'si_bse_ki' / 'ns.db1').read_bytes()
BSE = {'runlevels': ['optics', 'em1s', 'bse', 'bsk', 'bss', 'dipoles'], 'variables': {'BSEBands': [1, 8]}}


@pytest.fixture
def calculation(aiida_localhost, tmp_path):
    """Return a function: a finished calculation with files of a case, and the folder of temporary ones."""

    def build(
        files: dict[str, bytes],
        parameters,
        database: bytes | None = None,
        exit_status: int | None = None,
        setup: bytes = SETUP,
        plugin: str = 'foundry.yambo',
    ):
        node = orm.CalcJobNode(computer=aiida_localhost, process_type=f'aiida.calculations:{plugin}')
        inputs = {
            'parameters': orm.Dict(parameters),
            'setup': orm.SinglefileData.from_bytes(setup, filename='ns.db1'),
        }
        if database is not None:
            inputs['quasiparticle_file'] = orm.SinglefileData.from_bytes(database, filename='ndb.QP')
        for label, data in inputs.items():
            node.base.links.add_incoming(data.store(), LinkType.INPUT_CALC, label)
        if exit_status is not None:
            node.set_exit_status(exit_status)
        node.store()
        retrieved = orm.FolderData()
        for name, content in files.items():
            if name.startswith(('ndb.BS', 'ndb.em1s', 'ndb.pp')):
                (tmp_path / name).write_bytes(content)
            else:
                retrieved.base.repository.put_object_from_bytes(content, f'LOG/{name}' if name[:2] == 'l-' else name)
        retrieved.base.links.add_incoming(node, LinkType.CREATE, 'retrieved')
        retrieved.store()
        return node, str(tmp_path)

    return build


@pytest.fixture
def setup_file(aiida_profile):
    return orm.SinglefileData.from_bytes(SETUP, filename='ns.db1')


@pytest.fixture
def inputs(aiida_code_installed, aiida_localhost):
    """Return the inputs of a run."""

    def build(parameters=BSE, **changes):
        code = aiida_code_installed(default_calc_job_plugin='foundry.yambo', filepath_executable='/bin/true')
        values = {
            'code': code,
            'parent_folder': orm.RemoteData(remote_path='/scratch/p2y', computer=aiida_localhost),
            'setup': orm.SinglefileData.from_bytes(SETUP, filename='ns.db1'),
            'parameters': orm.Dict(parameters),
            'metadata': {'options': {'resources': {'num_machines': 1, 'num_mpiprocs_per_machine': 1}}},
        }
        return {**values, **changes}

    return build
