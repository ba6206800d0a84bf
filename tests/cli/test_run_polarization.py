"""``aiida-foundry run polarization.*``: what the options mean; what show and plot make of the results."""

from __future__ import annotations

import pytest
from aiida import orm
from aiida.common.links import LinkType

from aiida_foundry.cli.run_polarization import parse_pairs
from aiida_foundry.common.errors import InputError

CELL = [[3.11, 0, 0], [-1.555, 2.6933, 0], [0, 0, 4.98]]

FORMAL = {
    'phases': [0.0, 0.0, -0.316],
    'electronic': [0.0, 0.0, 0.394],
    'ionic': [0.0, 0.0, 0.29],
    'modulus': 1,
    'fractions': [0.0, 0.0, -0.316],
    'quanta': [[1.19, 0, 0], [-0.6, 1.03, 0], [0, 0, 1.912]],
    'cartesian': [0.0, 0.0, -0.604],
    'symmetry': {'allowed': [['0', '0', '0']], 'continuous': [[0, 0, 1]], 'nearest': ['0'] * 3, 'residual': 0.0},
    'gap': {'direct': 4.159, 'indirect': 4.159},
    'strings': {'points': {'1': 7, '3': 10}, 'errors': {'1': 0.0001, '3': 0.004}},
}
PATH = {
    'cartesian': [0.0, 0.0, 1.307],
    'magnitude': 1.307,
    'change': [0.0, 0.0, 0.684],
    'quanta': FORMAL['quanta'],
    'modulus': 1,
    'fractions': [0.0, 0.5, 1.0],
    'phases': [[0.0, 0.0, 0.0], [0.0, 0.0, 0.36], [0.0, 0.0, -0.316]],
    'branch': [[0.0, 0.0, 0.0], [0.0, 0.0, 0.36], [0.0, 0.0, 0.684]],
    'path': [[0.0, 0.0, 0.0], [0.0, 0.0, 0.688], [0.0, 0.0, 1.307]],
    'largest_step': 0.021,
    'longest_move': 0.29,
    'charges': [3.0, 3.0, -3.0, -3.0],
    'gaps': [2.7, 3.2, 4.2],
}


@pytest.fixture
def process(aiida_profile):
    """Return a function that stores a finished workflow on AlN with this polarization."""

    def make(record: dict, entry_point: str) -> orm.WorkChainNode:
        structure = orm.StructureData(cell=CELL)
        for symbol, u in (('Al', 0.0), ('N', 0.385)):
            for x, y, z in ((1 / 3, 2 / 3, 0.0), (2 / 3, 1 / 3, 0.5)):
                cartesian = [sum(f * CELL[i][k] for i, f in enumerate((x, y, z + u))) for k in range(3)]
                structure.append_atom(position=cartesian, symbols=symbol)
        node = orm.WorkChainNode(process_type=f'aiida.workflows:{entry_point}')
        node.base.links.add_incoming(structure.store(), LinkType.INPUT_WORK, 'structure')
        node.store()
        for label, data in {'polarization': orm.Dict(record), 'cost': orm.Dict({'core_seconds': 12.5})}.items():
            maker = orm.CalcFunctionNode().store()
            data.base.links.add_incoming(maker, LinkType.CREATE, 'result')
            data.store()
            data.base.links.add_incoming(node, LinkType.RETURN, label)
        node.set_process_state('finished')
        node.set_exit_status(0)
        return node.seal()

    return make


def test_formal_polarization_is_a_table(invoke, process):
    result = invoke('show', process(FORMAL, 'foundry.polarization.pw').pk)
    assert result.exit_code == 0, result.output
    row = next(line for line in result.output.splitlines() if line.split()[:1] == ['a3'])
    assert row.split() == ['a3', '0.3940', '0.2900', '-0.3160', '1.9120', '10', '0.0040']
    assert 'by symmetry' in next(line for line in result.output.splitlines() if line.split()[:1] == ['a2'])
    assert 'any amount along (0, 0, 1)' in result.output


def test_path_is_a_table(invoke, process):
    output = invoke('show', process(PATH, 'foundry.polarization.path').pk).output
    assert 'Spontaneous polarization: 1.3070 C/m²' in output
    assert 'AlN (P6_3mc), path from the reference' in output
    assert next(line for line in output.splitlines() if line.split()[:1] == ['1']).split()[-1] == '4.200'


def test_figure_of_a_path(invoke, process, tmp_path):
    figure = tmp_path / 'path.svg'
    result = invoke('plot', process(PATH, 'foundry.polarization.path').pk, '-o', figure)
    assert result.exit_code == 0, result.output
    text = figure.read_text()
    assert 'branch followed' in text
    assert 'AlN: 1.307 C/m²' in text


def test_formal_polarization_has_no_figure(invoke, process, tmp_path):
    result = invoke('plot', process(FORMAL, 'foundry.polarization.pw').pk, '-o', tmp_path / 'formal.png')
    assert result.exit_code == 2
    assert 'Give one process of polarization.path' in result.output


def test_pairs():
    assert parse_pairs('--moment', ['Ni1=2', 'Ni2=-2']) == {'Ni1': 2.0, 'Ni2': -2.0}


@pytest.mark.parametrize('pairs', [['Ni'], ['Ni=two'], ['=2'], ['O=1', 'O=2']])
def test_pairs_that_are_none(pairs):
    with pytest.raises(InputError, match='--moment'):
        parse_pairs('--moment', pairs)


@pytest.mark.parametrize('command', ['polarization.berry', 'polarization.path'])
def test_help(invoke, command):
    output = invoke('run', command, '--help').output
    assert 'Examples:' in output
    assert '--moment' in output
