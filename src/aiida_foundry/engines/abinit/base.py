"""Restart wrapper of an ABINIT calculation."""

from __future__ import annotations

from aiida.common import AttributeDict
from aiida.engine import BaseRestartWorkChain, ProcessSpec, while_

from aiida_foundry.engines.abinit.calculation import AbinitCalculation


class AbinitBaseWorkChain(BaseRestartWorkChain):
    """Run ABINIT until it finishes, repairing what can be repaired."""

    _process_class = AbinitCalculation

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define inputs, outline and exit codes."""
        super().define(spec)
        spec.expose_inputs(AbinitCalculation, namespace='abinit')
        spec.expose_outputs(AbinitCalculation)
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
        self.ctx.inputs = AttributeDict(self.exposed_inputs(AbinitCalculation, 'abinit'))
