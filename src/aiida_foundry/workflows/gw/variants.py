"""Several GW methods on one ground state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext, WorkChain
from aiida.plugins import WorkflowFactory

from aiida_foundry.common.errors import InputError
from aiida_foundry.workflows.gw.gap import ENGINES, GwGapWorkChain
from aiida_foundry.workflows.gw.methods import METHODS, get_method, namespace


def first_screening(inputs: Mapping[str, Any]) -> tuple[str, bool]:
    """Return what the first screening of a method depends on: frequency treatment and vertex."""
    parameters = inputs['parameters'].get_dict()
    return parameters['frequency']['treatment'], get_method(inputs['method'].value).vertex


def choose_first(methods: Mapping[str, Any]) -> str:
    """Return the method that runs first: its first screening serves the most, then the cheapest."""
    kinds = {label: first_screening(inputs) for label, inputs in methods.items()}
    order = [namespace(name) for name in METHODS]
    return min(kinds, key=lambda label: (-list(kinds.values()).count(kinds[label]), order.index(label)))


def validate_inputs(inputs: Mapping[str, Any], _: Any) -> str | None:
    """Check that there is something to run."""
    if not inputs.get('methods'):
        return f'methods: none is given. Give at least one of {", ".join(METHODS)}'
    return None


class GwVariantsWorkChain(WorkChain):
    """Run several GW methods on one structure so that they share what they have in common.

    One method runs first: that whose screening most of the others can use too, the cheapest of them. It computes the
    ground state. Then all others run at once, on that ground state and, where their first screening is the same, on
    that screening. A method that fails does not stop the others.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define inputs, outline, exit codes and outputs."""
        super().define(spec)
        spec.input('engine', valid_type=orm.Str, help=f'One of {", ".join(ENGINES)}.')
        spec.input_namespace(
            'methods', dynamic=True, help='Inputs of the engine’s adapter of `foundry.gw.gap`, by method.'
        )
        spec.inputs.validator = validate_inputs
        spec.outline(
            cls.setup,
            cls.run_first,
            cls.inspect_first,
            cls.run_others,
            cls.results,
        )
        for name in METHODS:
            spec.expose_outputs(
                GwGapWorkChain,
                namespace=namespace(name),
                namespace_options={
                    'required': False,
                    'help': f'Outputs of `foundry.gw.gap` by {name}; energies in eV.',
                },
            )
        spec.exit_code(401, 'ERROR_SUB_PROCESS_FAILED_FIRST', message='The first method, {method}, failed: {detail}')
        spec.exit_code(
            402, 'ERROR_SUB_PROCESS_FAILED_METHODS', message='These methods failed, the others are there: {methods}.'
        )

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode,
        structure: orm.StructureData,
        methods: Sequence[str],
        *,
        engine: str = 'abinit',
        **kwargs: Any,
    ) -> ProcessBuilder:
        """Return a builder for several methods with the same settings.

        Args:
            code: the code of the engine.
            structure: the crystal.
            methods: keys of `methods.METHODS`, each once.
            engine: a key of `gap.ENGINES`.
            kwargs: `protocol`, `overrides`, `pseudo_family`, `options` as for `GwGapWorkChain`.

        Raises:
            InputError: for anything that cannot work, with the reason.
        """
        repeated = sorted({method for method in methods if methods.count(method) > 1})
        if repeated or not methods:
            reason = f'{", ".join(repeated)} is given twice' if repeated else 'none is given'
            raise InputError('methods', reason, f'Give each of {", ".join(METHODS)} at most once')
        builder = cls.get_builder()
        builder.engine = orm.Str(engine)
        shared: dict[str, Any] = {}
        for method in methods:
            inputs = GwGapWorkChain.get_builder_from_protocol(code, structure, method, engine=engine, **kwargs)._inputs(
                prune=True
            )
            # equal inputs are one node: what is shared shows in the graph
            shared = shared or {key: inputs[key] for key in ('kpoints', 'options', 'clean_workdir')}
            builder.methods[namespace(method)] = {**inputs, **shared}
        return builder

    def setup(self) -> None:
        """Choose the method that runs first."""
        self.ctx.first = choose_first(self.inputs.methods)

    def run_first(self) -> ToContext:
        """Run the method that computes what the others use."""
        return ToContext(**{self.ctx.first: self._submit(self.ctx.first)})

    def inspect_first(self) -> ExitCode | None:
        """Stop if there is no ground state for the others."""
        process = self.ctx[self.ctx.first]
        if 'ground_state' not in process.outputs:
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_FIRST.format(
                method=self.ctx.first, detail=process.exit_message or f'process <{process.pk}>'
            )
        return None

    def run_others(self) -> ToContext:
        """Run all other methods at once."""
        outputs = self.ctx[self.ctx.first].outputs
        screening = first_screening(self.inputs.methods[self.ctx.first])
        processes = {}
        for label in self.inputs.methods:
            if label == self.ctx.first:
                continue
            inputs: dict[str, Any] = {'ground_state': dict(outputs.ground_state)}
            if 'screening' in outputs and first_screening(self.inputs.methods[label]) == screening:
                inputs['screening'] = outputs.screening
            processes[label] = self._submit(label, inputs)
        return ToContext(**processes)

    def results(self) -> ExitCode | None:
        """Attach the outputs of all methods that have some."""
        failed = []
        for label in self.inputs.methods:
            process = self.ctx[label]
            if 'gaps' in process.outputs:
                self.out_many(self.exposed_outputs(process, GwGapWorkChain, namespace=label))
            if not process.is_finished_ok:
                failed.append(f'{label} ({process.exit_message or process.process_state.value}) <{process.pk}>')
        if failed:
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_METHODS.format(methods='; '.join(failed))
        return None

    def _submit(self, label: str, handed_on: Mapping[str, Any] | None = None) -> orm.ProcessNode:
        """Submit one method."""
        inputs = {**self.inputs.methods[label], **(handed_on or {})}
        inputs['metadata'] = {'call_link_label': label, 'label': label}
        process = self.submit(WorkflowFactory(ENGINES[self.inputs.engine.value]), **inputs)
        self.report(f'launched {label} <{process.pk}>')
        return process
