"""Convergence of one result of any workflow with one of its inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import ExitCode, ProcessSpec, ToContext, WorkChain, calcfunction, while_
from aiida.plugins import WorkflowFactory

from aiida_foundry.analysis import convergence

REPEATS = 2
"""Changes in a row that must be within the tolerance."""


def size_of(value: Any) -> float:
    """Return the number that stands for a value in the extrapolation: itself, or the geometric mean of a mesh."""
    return float(np.prod(value) ** (1 / len(value))) if isinstance(value, Sequence) else float(value)


def replace(inputs: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return inputs in which the one at a dotted path has another value; nodes on the way are replaced, not changed.

    Args:
        inputs: of a process, nested.
        path: names of namespaces and of an input, then keys of its `Dict`: ``kpoints``, ``parameters.bands``.
        value: three integers for a mesh of k-points, or a plain value.

    Raises:
        KeyError: if there is no such input.
    """
    name, _, rest = path.partition('.')
    node = inputs[name]
    if isinstance(node, orm.Dict):
        return {**inputs, name: orm.Dict(_replace_key(node.get_dict(), rest, value))}
    if isinstance(node, Mapping):
        return {**inputs, name: replace(node, rest, value)}
    if isinstance(node, orm.KpointsData):
        mesh = node.clone()
        mesh.set_kpoints_mesh(value)
        return {**inputs, name: mesh}
    return {**inputs, name: type(node)(value)}


def _replace_key(record: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    key, _, rest = path.partition('.')
    if key not in record:
        raise KeyError(path)
    return {**record, key: _replace_key(record[key], rest, value) if rest else value}


def read(outputs: Any, path: str) -> float:
    """Return the number at a dotted path through namespaces of outputs, then through the keys of a `Dict`."""
    value = outputs
    for name in path.split('.'):
        value = value[name]
    return float(getattr(value, 'value', value))


@calcfunction
def assess(values: orm.List, results: orm.List, settings: orm.Dict, version: orm.Int) -> orm.Dict:  # noqa: ARG001
    """Return what a series of results shows; `version` is that of `analysis.convergence`."""
    x, y = [size_of(value) for value in values.get_list()], results.get_list()
    limit = convergence.extrapolate(x, y, settings['power']) if len(y) >= 3 else None
    record = None if limit is None else {'value': limit.value, 'error': limit.error}
    converged = convergence.is_converged(y, settings['tolerance'], repeats=REPEATS)
    return orm.Dict({**settings.get_dict(), 'values': values, 'results': y, 'converged': converged, 'limit': record})


class ConvergenceWorkChain(WorkChain):
    """Run a workflow with growing values of one input until a result no longer changes.

    It stops when two changes in a row are within the tolerance, or the values are used up; the latter is an error with
    outputs. The results are extrapolated by y = y∞ + a x^-power, with an error.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define inputs, outline, outputs and exit codes."""
        super().define(spec)
        spec.input('workflow', valid_type=orm.Str, help='Entry point of the workflow.')
        spec.input_namespace('base', dynamic=True, help='Its inputs.')
        spec.input('parameter', valid_type=orm.Str, help='Path of the input, e.g. `parameters.bands` or `kpoints`.')
        spec.input('values', valid_type=orm.List, help='Values of it, from coarse to fine; meshes as three integers.')
        spec.input('result', valid_type=orm.Str, help='Path of the result, e.g. `excitons.lowest.energy`.')
        spec.input('tolerance', valid_type=orm.Float, help='Change that counts as none, in the unit of the result.')
        spec.input(
            'power', valid_type=orm.Float, default=lambda: orm.Float(1.0), help='Order of the leading error x^-power.'
        )
        spec.inputs.validator = validate_inputs
        spec.outline(
            cls.setup,
            while_(cls.should_go_on)(
                cls.run_next,
                cls.inspect_next,
            ),
            cls.results,
        )
        spec.output(
            'convergence',
            valid_type=orm.Dict,
            help='`values`, `results`, `converged`, and `limit` (`value`, `error`), in the unit of the result.',
        )
        spec.exit_code(401, 'ERROR_SUB_PROCESS_FAILED_RUN', message='The run with {parameter} {value} failed: {detail}')
        spec.exit_code(
            501,
            'ERROR_NOT_CONVERGED',
            message='{result} still changes by more than {tolerance} with the last values of {parameter}; give more.',
        )

    def setup(self) -> None:
        """Start with the first value."""
        self.ctx.results = []

    def should_go_on(self) -> bool:
        """Return whether there are values left and the result still changes."""
        tolerance = self.inputs.tolerance.value
        done = convergence.is_converged(self.ctx.results, tolerance, repeats=REPEATS)
        return not done and len(self.ctx.results) < len(self.inputs['values'].get_list())

    def run_next(self) -> ToContext:
        """Run the workflow with the next value."""
        number = len(self.ctx.results)
        value = self.inputs['values'][number]
        inputs = replace(self.inputs.base, self.inputs.parameter.value, value)
        metadata = {'call_link_label': f'run_{number}', 'label': f'{self.inputs.parameter.value}: {value}'}
        process = self.submit(WorkflowFactory(self.inputs.workflow.value), **inputs, metadata=metadata)
        self.report(f'launched {self.inputs.parameter.value} {value} <{process.pk}>')
        return ToContext(run=process)

    def inspect_next(self) -> ExitCode | None:
        """Take the result."""
        number = len(self.ctx.results)
        if not self.ctx.run.is_finished_ok:
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_RUN.format(
                parameter=self.inputs.parameter.value,
                value=self.inputs['values'][number],
                detail=self.ctx.run.exit_message,
            )
        self.ctx.results.append(read(self.ctx.run.outputs, self.inputs.result.value))
        return None

    def results(self) -> ExitCode | None:
        """Attach the series and its limit."""
        names = ('parameter', 'result', 'tolerance', 'power')
        settings = {name: self.inputs[name].value for name in names}
        values = orm.List(self.inputs['values'].get_list()[: len(self.ctx.results)])
        found = assess(values, orm.List(self.ctx.results), orm.Dict(settings), orm.Int(convergence.VERSION))
        self.out('convergence', found)
        return None if found['converged'] else self.exit_codes.ERROR_NOT_CONVERGED.format(**settings)


def validate_inputs(inputs: Mapping[str, Any], _: Any) -> str | None:
    """Check that the input to vary is there, and that the values grow."""
    try:
        replace(inputs['base'], inputs['parameter'].value, inputs['values'][0])
    except (KeyError, IndexError) as error:
        return f'parameter: the inputs have no `{inputs["parameter"].value}`, or there is no value ({error})'
    sizes = [size_of(value) for value in inputs['values'].get_list()]
    if len(sizes) <= REPEATS or sizes[0] <= 0 or (np.diff(sizes) <= 0).any():
        return f'values: {inputs["values"].get_list()} are not three or more that grow. Give them from coarse to fine'
    return None
