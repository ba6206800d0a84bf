"""A structure can be traced back to the file or name it comes from; what is refused leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from aiida.orm import CifData, Int, Node, QueryBuilder, SinglefileData, StructureData

from aiida_foundry.common.errors import InputError
from aiida_foundry.structures.importers import load_structure

SILICON = Path(__file__).parents[2] / 'examples' / 'Si.cif'


pytestmark = pytest.mark.usefixtures('aiida_profile')


@pytest.fixture
def new_nodes(aiida_profile):
    """Return a function that counts the nodes stored since the test began."""
    before = QueryBuilder().append(Node).count()
    return lambda: QueryBuilder().append(Node).count() - before


def test_cif_is_the_source_of_the_structure():
    structure = load_structure(str(SILICON))
    assert structure.get_formula() == 'Si2'
    inputs = structure.creator.inputs
    assert isinstance(inputs.source, CifData)
    assert inputs.source.get_content() == SILICON.read_text()
    assert inputs.version.value >= 1
    assert structure.get_cell_volume() == pytest.approx(5.4307**3 / 4, rel=1e-12)


def test_cell_as_written():
    assert len(load_structure(str(SILICON), primitive=False).sites) == 8


def test_without_storing(new_nodes):
    structure = load_structure(str(SILICON), store=False)
    assert not structure.is_stored
    assert new_nodes() == 0


def test_poscar_file(tmp_path):
    path = tmp_path / 'POSCAR'
    path.write_text('cubic\n4.11\n1 0 0\n0 1 0\n0 0 1\nCs Cl\n1 1\nDirect\n0 0 0\n0.5 0.5 0.5\n')
    structure = load_structure(str(path))
    assert structure.get_formula() == 'ClCs'
    assert type(structure.creator.inputs.source) is SinglefileData


def test_prototype_by_name():
    structure = load_structure('GaAs')
    assert structure.creator.inputs.name.value == 'GaAs'


def test_node_is_used_as_it_is(new_nodes):
    node = StructureData(cell=np.eye(3) * 5.0)
    node.append_atom(symbols='Si', position=(0, 0, 0))
    node.store()
    assert load_structure(str(node.pk)).uuid == node.uuid
    assert load_structure(node.uuid).uuid == node.uuid
    assert new_nodes() == 1


def test_cif_node():
    node = CifData(file=str(SILICON)).store()
    structure = load_structure(str(node.pk))
    assert structure.creator.inputs.source.uuid == node.uuid


def test_other_nodes_are_refused():
    node = Int(1).store()
    with pytest.raises(InputError, match='is a Int'):
        load_structure(str(node.pk))


@pytest.mark.parametrize('spec', ['absent.cif', '123456', 'unobtainium', ''])
def test_nothing_answers(spec):
    with pytest.raises(InputError, match='no such file, crystal or node'):
        load_structure(spec)


@pytest.mark.parametrize('content', [b'', b'\xff\xfe\x00\x01', b'data_x\n'])
def test_refused_file_leaves_no_node(tmp_path, content, new_nodes):
    path = tmp_path / 'bad.cif'
    path.write_bytes(content)
    with pytest.raises(InputError):
        load_structure(str(path))
    assert new_nodes() == 0


def test_overlapping_atoms_in_a_file(tmp_path, new_nodes):
    path = tmp_path / 'x.vasp'
    path.write_text('cubic\n0.4\n1 0 0\n0 1 0\n0 0 1\nSi\n1\nDirect\n0 0 0\n')
    with pytest.raises(InputError, match=r'volume|overlap'):
        load_structure(str(path))
    assert new_nodes() == 0
