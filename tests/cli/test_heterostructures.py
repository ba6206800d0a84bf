"""Command, table and figure of heterostructures, on what pw.x and pp.x found for diamond/cBN(111)."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from aiida import orm
from aiida.common.links import LinkType

from aiida_foundry.analysis.heterostructure import Bulk, Measured, analyse
from aiida_foundry.cli.run_interfaces import parse_miller
from aiida_foundry.common.errors import InputError

FIXTURE = Path(__file__).parents[1] / 'fixtures' / 'heterostructure' / 'c_bn_111.json.gz'
ARRAYS = ('potential', 'density', 'ldos', 'ldos_energies', 'bands', 'weights')


@pytest.fixture
def node_of(aiida_profile):
    """Return a function: a finished workflow with the results of the fixture, its bands made to overlap if asked."""

    def _node(metallic=False):
        case = json.loads(gzip.decompress(FIXTURE.read_bytes()))
        values = {name: np.array(value) if name in ARRAYS else value for name, value in case['measured'].items()}
        if metallic:
            values['bands'][:, 24:] -= 3.0
        bulks = {name: Bulk(**edges) for name, edges in case['bulks'].items()}
        summary, arrays = analyse(Measured(**values), bulks, case['layout'], case['settings'])
        node = orm.WorkChainNode(process_type='aiida.workflows:foundry.interfaces.heterostructure')
        node.set_process_label('HeterostructureWorkChain')
        node.store()
        outputs = {'summary': orm.Dict(summary), 'profiles': orm.ArrayData(arrays), 'layout': orm.Dict(case['layout'])}
        for label, data in outputs.items():
            data.store().base.links.add_incoming(node, LinkType.RETURN, label)
        node.set_process_state('finished')
        node.set_exit_status(0)
        node.seal()
        return node

    return _node


@pytest.mark.parametrize(
    ('text', 'expected'), [('111', (1, 1, 1)), ('1-10', (1, -1, 0)), ('-1,0,12', (-1, 0, 12)), ('001', (0, 0, 1))]
)
def test_faces(text, expected):
    assert parse_miller(text) == expected


@pytest.mark.parametrize('text', ['11', '1111', 'a11', '1,1', '1,1,x', '--111'])
def test_faces_that_are_none(text):
    with pytest.raises(InputError, match='three integers'):
        parse_miller(text)


def test_show(invoke, node_of):
    result = invoke('show', node_of().pk)
    assert result.exit_code == 0
    for word in ('BN/C: insulating, gap 2.540 eV', 'C/N', '-0.756', '0.760', '0.236', '+0.250 e per cell'):
        assert word in result.output


def test_show_tells_where_the_carriers_are(invoke, node_of):
    output = invoke('show', node_of(metallic=True).pk).output
    assert 'metallic, gap -0.' in output
    assert 'Electrons in bands beyond the filled ones' in output


@pytest.mark.parametrize('metallic', [False, True])
def test_plot(invoke, node_of, tmp_path, metallic):
    path = tmp_path / 'interface.svg'
    result = invoke('plot', node_of(metallic).pk, '-o', path)
    assert result.exit_code == 0
    text = path.read_text()
    assert ('metallic' if metallic else 'insulating, gap 2.54 eV') in text
    assert ('electrons (+) and holes' in text) == metallic


def test_plot_refuses_two(invoke, node_of):
    node = node_of()
    result = invoke('plot', node.pk, node.pk)
    assert result.exit_code == 2
    assert 'a figure shows one heterostructure' in result.output
