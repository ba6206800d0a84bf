"""Koopmans-integer energies by our own executable, `aiida-foundry-ki`."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessSpec, ToContext, if_
from aiida.plugins import CalculationFactory

from aiida_foundry.workflows.koopmans.steps import KiStepsWorkChain


class NativeKiWorkChain(KiStepsWorkChain):
    """Koopmans-integer energies from Debian's pw.x and Wannier90 by a sum over states.

    Wannier functions, then ε∞ by ph.x unless given, then all screening parameters and energies in one job, which
    continues where it was interrupted.
    """

    CODES = ('ki', 'ph')

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define the outline; the rest is that of the interface."""
        super().define(spec)
        spec.outline(
            cls.setup,
            if_(cls.should_wannierize)(cls.run_wannierize, cls.inspect_wannierize),
            if_(cls.should_run_dielectric)(cls.run_dielectric, cls.inspect_dielectric),
            cls.run_screening,
            cls.inspect_screening,
            cls.results,
        )

    @classmethod
    def sums_over_states(cls) -> bool:
        """Return True: the response is a sum over bands."""
        return True

    def run_screening(self) -> ToContext:
        """Run screening parameters and energies."""
        settings = self.ctx.parameters['engine']
        constant = self.ctx.get('dielectric_constant')
        inputs: dict[str, Any] = {
            'code': self.inputs.codes.ki,
            'parent_folder': self.ctx.wannier['nscf_folder'],
            'occupied': self.ctx.wannier['occupied']['retrieved'],
            'empty': self.ctx.wannier['empty']['retrieved'],
            'parameters': orm.Dict(
                {
                    **settings,
                    'dielectric_constant': None if constant is None else constant.value,
                    'coverage_ev': self.ctx.parameters['coverage_ev'],
                }
            ),
            'metadata': {'call_link_label': 'screening', 'label': 'screening', 'options': self.options()},
        }
        return ToContext(screening=self.submit(CalculationFactory('foundry.ki'), **inputs))

    def inspect_screening(self) -> ExitCode | None:
        """Hand on energies and screening."""
        process = self.ctx.screening
        if not process.is_finished_ok:
            return self.screening_failure(process)
        self.ctx.cost['screening'] = process.outputs.output_parameters
        self.ctx.quasiparticles = process.outputs.quasiparticles
        self.ctx.final_screening = process.outputs.screening
        return None
