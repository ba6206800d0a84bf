"""The convergence helper on a workflow whose result is known: x · y + z of aiida-core, with a real `bash`."""

from __future__ import annotations

import pytest
from aiida import orm
from aiida.engine import run_get_node

from aiida_foundry.workflows.shared.convergence import ConvergenceWorkChain, read, replace, size_of


@pytest.fixture
def inputs(aiida_code_installed):
    """Return inputs that vary x in x · y + z; for y = 0 the result is z."""

    def _inputs(**changes):
        code = aiida_code_installed(default_calc_job_plugin='core.arithmetic.add', filepath_executable='/bin/bash')
        given = {
            'workflow': orm.Str('core.arithmetic.multiply_add'),
            'base': {'x': orm.Int(1), 'y': orm.Int(0), 'z': orm.Int(7), 'code': code},
            'parameter': orm.Str('x'),
            'values': orm.List([1, 2, 4, 8]),
            'result': orm.Str('result'),
            'tolerance': orm.Float(0.1),
        }
        return {**given, **changes}

    return _inputs


def test_stops_after_two_small_changes(inputs):
    node = run_get_node(ConvergenceWorkChain, **inputs()).node
    assert node.is_finished_ok
    found = node.outputs.convergence.get_dict()
    assert found['values'] == [1, 2, 4]
    assert found['results'] == [7, 7, 7]
    assert found['limit'] == {'value': pytest.approx(7), 'error': pytest.approx(0)}


def test_values_that_do_not_suffice(inputs):
    given = inputs(values=orm.List([1, 2, 3]))
    given['base'] = {**given['base'], 'y': orm.Int(1)}
    node = run_get_node(ConvergenceWorkChain, **given).node
    assert node.exit_status == ConvergenceWorkChain.exit_codes.ERROR_NOT_CONVERGED.status
    assert node.outputs.convergence['results'] == [8, 9, 10]


@pytest.mark.parametrize(
    ('parameter', 'values', 'message'),
    [
        ('w', [1, 2, 3], 'the inputs have no `w`'),
        ('x', [1, 2], 'are not three or more that grow'),
        ('x', [4, 2, 1], 'are not three or more that grow'),
        ('x', [], 'there is no value'),
    ],
)
def test_refused(inputs, parameter, values, message):
    with pytest.raises(ValueError, match=message):
        ConvergenceWorkChain(inputs(parameter=orm.Str(parameter), values=orm.List(values)))


def test_replace_makes_new_nodes(aiida_profile):
    parameters = orm.Dict({'bands': 20, 'spectrum': {'step': 0.1}})
    kpoints = orm.KpointsData()
    kpoints.set_kpoints_mesh([2, 2, 2])
    given = {'bse': {'parameters': parameters}, 'kpoints': kpoints}
    assert replace(given, 'bse.parameters.spectrum.step', 0.2)['bse']['parameters']['spectrum'] == {'step': 0.2}
    assert replace(given, 'kpoints', [4, 4, 2])['kpoints'].get_kpoints_mesh()[0] == [4, 4, 2]
    assert parameters.get_dict() == {'bands': 20, 'spectrum': {'step': 0.1}}
    assert kpoints.get_kpoints_mesh()[0] == [2, 2, 2]
    with pytest.raises(KeyError):
        replace(given, 'bse.parameters.cutoff', 1)


def test_sizes_and_results(aiida_profile):
    assert size_of([2, 4, 8]) == pytest.approx(4)
    assert size_of(3) == 3
    assert read({'excitons': orm.Dict({'lowest': {'energy': 2.5}})}, 'excitons.lowest.energy') == 2.5
