"""``aiida-foundry show`` prints results of ours as tables, and says of any failure where it began."""

from __future__ import annotations

import json

import pytest
from aiida import orm
from aiida.common.links import LinkType


def test_gap(invoke, gap_node):
    result = invoke('show', gap_node.pk)
    assert result.exit_code == 0, result.output
    line = next(line for line in result.output.splitlines() if 'g0w0-ppm' in line)
    assert line.split() == ['g0w0-ppm', '2.443', '0.743', '3.058', '1.358*', '12.3', str(gap_node.pk), gap_node.uuid]
    assert 'Si (Fd-3m), gaps in eV' in result.output
    assert '* between points of the mesh' in result.output
    assert 'Experiment: 1.17 eV, indirect' in result.output


def test_output_for_a_pipe_has_no_colours_and_no_broken_lines(invoke, gap_node):
    output = invoke('show', gap_node.uuid).output
    assert '\x1b' not in output
    assert gap_node.uuid in next(line for line in output.splitlines() if 'g0w0-ppm' in line)


def test_variants_name_the_process_of_each_method(invoke, variants_node):
    record = json.loads(invoke('show', variants_node.pk, '--json').output)
    children = {child.outputs.gaps['method']: child for child in variants_node.called}
    assert {gap['method']: gap['uuid'] for gap in record['gaps']} == {
        method: child.uuid for method, child in children.items()
    }
    assert [gap['direct'] for gap in record['gaps']] == [3.058, 3.172]
    assert record['gaps'][0]['core_seconds'] == 2.5
    assert record['failure'] is None
    assert '*' not in invoke('show', variants_node.pk).output


def test_failure_names_its_origin(invoke, failed_node):
    result = invoke('show', failed_node.pk)
    child = failed_node.called[0]
    assert result.exit_code == 0
    assert 'failed with exit status 401' in result.output
    assert 'The self-consistent ground state failed.' in result.output
    assert f'It began in AbinitCalculation PK {child.pk} with exit status 400: The calculation stopped' in result.output
    assert f'verdi calcjob outputcat {child.pk}' in result.output
    assert f'verdi process report {failed_node.pk}' in result.output


def test_failure_as_json(invoke, failed_node):
    failure = json.loads(invoke('show', failed_node.pk, '--json').output)['failure']
    assert failure['pk'] == failed_node.called[0].pk
    assert failure['exit_status'] == 400


def test_calculation_shows_its_parameters_with_units(invoke, aiida_localhost):
    node = orm.CalcJobNode(computer=aiida_localhost)
    node.set_process_label('AbinitCalculation')
    node.store()
    parameters = orm.Dict({'energy': -215.5, 'energy_units': 'eV', 'long': 'x' * 200})
    parameters.base.links.add_incoming(node, LinkType.CREATE, 'output_parameters')
    parameters.store()
    node.set_process_state('finished')
    node.set_exit_status(0)
    node.seal()
    output = invoke('show', node.pk).output
    assert ['energy', '-215.5', 'eV'] in [line.split() for line in output.splitlines()]
    assert ['output_parameters', 'Dict', str(parameters.pk)] in [line.split() for line in output.splitlines()]
    assert 'xxx' not in output


def test_running_process(invoke, aiida_profile):
    node = orm.WorkChainNode()
    node.set_process_label('AnyWorkChain')
    node.set_process_state('waiting')
    node.store()
    assert 'waiting' in invoke('show', node.pk).output


def test_data_leads_to_the_process_that_made_it(invoke, gap_node):
    maker = gap_node.outputs.gaps.creator
    assert f'PK {maker.pk},' in invoke('show', gap_node.outputs.gaps.pk).output


@pytest.mark.parametrize('identifier', ['999999', 'not-a-node'])
def test_no_such_node(invoke, identifier):
    result = invoke('show', identifier)
    assert result.exit_code == 2
    assert f'node `{identifier}`' in result.output


def test_node_without_process(invoke, silicon):
    result = invoke('show', silicon.pk)
    assert result.exit_code == 2
    assert 'it is a StructureData' in result.output


def test_killed_process_says_by_whom(invoke, aiida_profile):
    node = orm.WorkChainNode()
    node.set_process_label('AnyWorkChain')
    node.set_process_state('killed')
    node.set_process_status('interrupted by the user')
    node.store()
    node.seal()
    output = invoke('show', node.pk).output
    assert 'killed after' in output
    assert 'interrupted by the user' in output
