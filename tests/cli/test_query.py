"""``aiida-foundry query``, ``export`` and ``archive`` on stored processes."""

from __future__ import annotations

import csv
import json

import pytest
from aiida import orm
from aiida.common.links import LinkType

PROCESS = 'aiida.workflows:foundry.gw.abinit'


@pytest.fixture(scope='module')
def record(gap_node):
    """Return a process with all that a record of a gap needs, labelled ``query-test``."""
    structure = gap_node.inputs.structure
    node = orm.WorkChainNode(process_type=PROCESS, label='query-test')
    node.set_process_label('AbinitGwGapWorkChain')
    node.base.attributes.set('version', {'core': '2.9.4', 'plugin': '0.1.0'})
    kpoints = orm.KpointsData()
    kpoints.set_kpoints_mesh([2, 2, 2])
    parameters = {
        'starting_functional': 'PBE',
        'frequency': {'treatment': 'plasmon-pole'},
        'wavefunction_cutoff': 8.0,
        'screening_cutoff': 3.0,
        'bands': 40,
    }
    inputs = {'structure': structure, 'method': orm.Str('qsgw'), 'kpoints': kpoints, 'parameters': orm.Dict(parameters)}
    for label, data in inputs.items():
        node.base.links.add_incoming(data.store(), LinkType.INPUT_WORK, label)
    node.store()
    bands = orm.BandsData()
    bands.set_kpoints([[0.0, 0.0, 0.0]])
    bands.set_bands([[5.0, 8.0]], units='eV')
    gap = {'direct': 3.25, 'indirect': 1.5}
    outputs = {
        'gaps': orm.Dict({'quasiparticle': gap, 'kohn_sham': gap, 'extremum_on_mesh': True}),
        'cost': orm.Dict({'core_seconds': 12.0}),
        'quasiparticle_bands': bands,
        'kohn_sham_bands': bands.clone(),
    }
    for label, data in outputs.items():
        maker = orm.CalcFunctionNode()
        maker.base.links.add_incoming(node, LinkType.CALL_CALC, f'make_{label}')
        maker.store()
        data.base.links.add_incoming(maker, LinkType.CREATE, 'result')
        data.store()
        maker.set_process_state('finished')
        maker.set_exit_status(0)
        maker.seal()
        data.base.links.add_incoming(node, LinkType.RETURN, label)
    node.set_process_state('finished')
    node.set_exit_status(0)
    node.seal()
    return node


WHERE = ('-w', 'label=query-test')


def test_table(invoke, record):
    result = invoke('query', 'gaps', *WHERE)
    assert result.exit_code == 0, result.output
    (line,) = [line for line in result.output.splitlines() if record.uuid in line]
    assert line.split() == ['Si', 'qsgw', '3.25', '1.5', '3.25', '1.5', '2', '2', '2', record.uuid]
    assert '(eV)' in result.output
    assert '\x1b' not in result.output


def test_json_is_the_whole_record(invoke, record):
    (row,) = json.loads(invoke('query', 'gaps', *WHERE, '--json').output)
    assert row['uuid'] == record.uuid
    assert row['mesh'] == [2, 2, 2]
    assert row['direct'] == 3.25
    assert row['pseudopotentials'] is None


def test_columns_and_nothing_found(invoke, record):
    assert json.loads(invoke('query', 'gaps', *WHERE, '-c', 'direct', '--json').output) == [{'direct': 3.25}]
    assert json.loads(invoke('query', 'gaps', '-w', 'label=none', '--json').output) == []
    assert 'No records.' in invoke('query', 'gaps', '-w', 'label=none').output


def test_kinds_and_fields(invoke):
    assert 'gaps' in invoke('query').output
    assert json.loads(invoke('query', '--json').output)['gaps'] == 'Quasiparticle and Kohn-Sham gaps by GW'
    fields = json.loads(invoke('query', 'gaps', '--describe', '--json').output)
    assert fields['direct'] == {'unit': 'eV', 'about': 'direct quasiparticle gap'}


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('query', 'bananas'), 'records `bananas`'),
        (('query', 'gaps', '-w', 'colour=red'), 'field `colour`'),
        (('query', 'gaps', '-c', 'colour'), 'column `colour`'),
        (('export', 'gaps', '-o', 'gaps.doc'), 'its suffix tells no known format'),
        (('export', 'gaps', '-o', 'gaps.csv', '--licence', 'MIT'), 'it needs a licence and a creator'),
        (('export', 'gaps', '-o', 'gaps.csv', '--licence', 'my own', '--creator', 'me'), 'no SPDX identifier'),
    ],
)
def test_refused(invoke, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert not list(tmp_path.iterdir())


def test_export_with_card(invoke, record, tmp_path):
    path = tmp_path / 'a name; with $(odd) parts.csv'
    result = invoke('export', 'gaps', *WHERE, '-o', path, '--licence', 'CC-BY-4.0', '--creator', 'A. Group', '--json')
    assert result.exit_code == 0, result.output
    card = f'{path}.croissant.json'
    assert json.loads(result.stdout) == {'records': 1, 'files': [str(path), card]}
    with path.open(newline='') as handle:
        (row,) = csv.DictReader(handle)
    assert row['uuid'] == record.uuid


def test_archive_is_checked(invoke, record, tmp_path):
    path = tmp_path / 'gap.aiida'
    assert invoke('export', 'gaps', *WHERE, '-o', path).output == f'wrote {path} (1 records)\n'
    result = invoke('archive', 'check', path)
    assert result.exit_code == 0, result.output
    assert 'is in order' in result.output
    assert invoke('archive', 'import', path).exit_code == 0
    path.write_bytes(b'nonsense')
    for command in ('check', 'import'):
        result = invoke('archive', command, path)
        assert result.exit_code == 2
        assert 'it cannot be read' in result.output
