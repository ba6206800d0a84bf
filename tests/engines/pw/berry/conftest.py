"""A finished Berry-phase run with stored outputs, to be parsed."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiida import orm
from aiida.common import LinkType

FIXTURES = Path(__file__).parents[3] / 'fixtures' / 'pw'


@pytest.fixture
def make_berry(aiida_localhost):
    """Return a function: a ``PwCalculation`` node with the retrieved files of a fixture, some of them replaced."""

    def make(case: str, files: dict[str, bytes] | None = None) -> orm.CalcJobNode:
        structure = orm.StructureData(cell=[[2.2, 0, 0], [0, 2.2, 0], [0, 0, 2.2]])
        structure.append_atom(position=(0, 0, 0), symbols='Li')
        structure.append_atom(position=(0.56 * 2.2, 0.62 * 2.2, 1.1), symbols='H')
        kpoints = orm.KpointsData()
        kpoints.set_kpoints([[0.0, 0.0, 0.0]])
        control = {'calculation': 'nscf', 'lberry': True, 'gdir': 1, 'nppstr': 7}
        inputs = {'structure': structure, 'kpoints': kpoints, 'parameters': orm.Dict({'CONTROL': control})}
        node = orm.CalcJobNode(computer=aiida_localhost, process_type='aiida.calculations:quantumespresso.pw')
        node.set_option('resources', {'num_machines': 1, 'num_mpiprocs_per_machine': 1})
        node.set_option('output_filename', 'aiida.out')
        node.base.attributes.set('output_filename', 'aiida.out')
        for label, data in inputs.items():
            node.base.links.add_incoming(data.store(), LinkType.INPUT_CALC, label)
        node.store()
        retrieved = orm.FolderData()
        contents = {path.name: path.read_bytes() for path in (FIXTURES / case).iterdir()} | (files or {})
        for name, content in contents.items():
            retrieved.base.repository.put_object_from_bytes(content, name)
        retrieved.base.links.add_incoming(node, LinkType.CREATE, 'retrieved')
        retrieved.store()
        return node

    return make
