"""What the restart wrappers of our engines have in common; each adds its exit codes and its handlers."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import BaseRestartWorkChain, ExitCode, ProcessHandlerReport, ProcessSpec, while_


class EngineBaseWorkChain(BaseRestartWorkChain):
    """Run a calculation until it finishes; handlers restart it or give up.

    A subclass names the calculation (`_process_class`) and the namespace of its inputs.
    """

    _input_namespace: str

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define inputs, outline and outputs."""
        super().define(spec)
        spec.expose_inputs(cls._process_class, namespace=cls._input_namespace)
        spec.expose_outputs(cls._process_class)
        spec.outline(
            cls.setup,
            while_(cls.should_run_process)(
                cls.run_process,
                cls.inspect_process,
            ),
            cls.results,
        )

    def setup(self) -> None:
        """Start from the given inputs."""
        super().setup()
        self.ctx.inputs = AttributeDict(self.exposed_inputs(self._process_class, self._input_namespace))
        self.ctx.attempts = AttributeDict()

    def _count(self, problem: str) -> int:
        """Return how often this problem occurred, this time included."""
        self.ctx.attempts[problem] = self.ctx.attempts.get(problem, 0) + 1
        return self.ctx.attempts[problem]

    def _restart(self, calculation: orm.CalcJobNode, action: str) -> ProcessHandlerReport:
        """Report what is done about a failure, and let the calculation run again."""
        self._report_failure(calculation)
        self.report(f'Action taken: {action}')
        return ProcessHandlerReport(do_break=True)

    def _give_up(self, calculation: orm.CalcJobNode, exit_code: ExitCode, message: Any) -> ProcessHandlerReport:
        """End with an exit code, whose message takes `message`."""
        self._report_failure(calculation)
        return ProcessHandlerReport(do_break=True, exit_code=exit_code.format(message=message))

    def _report_failure(self, calculation: orm.CalcJobNode) -> None:
        label, status, message = calculation.process_label, calculation.exit_status, calculation.exit_message
        self.report(f'{label}<{calculation.pk}> failed with exit status {status}: {message}')
