"""A finished calculation of pw.x with stored outputs, to be parsed."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiida import orm
from aiida.common import LinkType

FIXTURES = Path(__file__).parents[2] / 'fixtures' / 'pw'

STRUCTURES = {
    'si': (5.43, ['Si', 'Si'], 4),
    'al': (4.05, ['Al'], 2),
}


@pytest.fixture
def make_calculation(aiida_localhost):
    """Return a function: a ``PwCalculation`` node with the inputs and the retrieved files of a fixture."""

    def make(case: str, files: dict[str, bytes] | None = None) -> orm.CalcJobNode:
        parameter, symbols, mesh = STRUCTURES[case]
        half = parameter / 2
        structure = orm.StructureData(cell=[[0, half, half], [half, 0, half], [half, half, 0]])
        for index, symbol in enumerate(symbols):
            structure.append_atom(position=(index * half / 2,) * 3, symbols=symbol)
        kpoints = orm.KpointsData()
        kpoints.set_kpoints_mesh([mesh] * 3)
        inputs = {
            'structure': structure,
            'kpoints': kpoints,
            'parameters': orm.Dict({'CONTROL': {'calculation': 'scf'}}),
        }

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
