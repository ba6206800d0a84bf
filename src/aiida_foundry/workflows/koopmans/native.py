"""Koopmans-integer energies by our own executable, `aiida-foundry-ki`."""

from __future__ import annotations

from typing import Any, ClassVar

from aiida import orm
from aiida.engine import ExitCode, ProcessSpec, ToContext, if_, while_

from aiida_foundry.engines.koopmans.calculation import KiCalculation
from aiida_foundry.workflows.koopmans.ki import DIELECTRIC
from aiida_foundry.workflows.koopmans.steps import KiStepsWorkChain

MAXIMUM_CONTINUATIONS = 4
"""Jobs that may go on where one was interrupted."""


class NativeKiWorkChain(KiStepsWorkChain):
    """Koopmans-integer energies from Debian's pw.x and Wannier90 by a sum over states.

    Wannier functions, then ε∞ by ph.x unless given, then all screening parameters and energies in one job, which
    continues where it was interrupted.
    """

    CODES: ClassVar = ('ki', *DIELECTRIC)

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define the outline; the rest is that of the interface."""
        super().define(spec)
        spec.outline(
            cls.setup,
            if_(cls.should_wannierize)(cls.run_wannierize, cls.inspect_wannierize),
            if_(cls.should_run_dielectric)(
                cls.run_ground_state,
                cls.inspect_ground_state,
                cls.run_dielectric,
                cls.inspect_dielectric,
            ),
            while_(cls.should_run_screening)(cls.run_screening, cls.inspect_screening),
            cls.results,
        )

    @classmethod
    def sums_over_states(cls) -> bool:
        """Return True: the response is a sum over bands."""
        return True

    def should_run_screening(self) -> bool:
        """Return whether there are no energies yet."""
        return 'quasiparticles' not in self.ctx

    def run_screening(self) -> ToContext:
        """Run screening parameters and energies, from where an earlier job stopped."""
        inputs: dict[str, Any] = {
            'code': self.inputs.codes.ki,
            'parent_folder': self.ctx.wannier['nscf_folder'],
            'occupied': self.ctx.wannier['occupied']['retrieved'],
            'empty': self.ctx.wannier['empty']['retrieved'],
            'parameters': orm.Dict(self._settings()),
            'metadata': {'call_link_label': self._label(), 'label': self._label(), 'options': self.options()},
        }
        if 'screening' in self.ctx:
            inputs['restart_folder'] = self.ctx.screening.outputs.remote_folder
        return ToContext(screening=self.submit(KiCalculation, **inputs))

    def inspect_screening(self) -> ExitCode | None:
        """Hand on energies and screening, or go on with a job that was interrupted."""
        process, codes = self.ctx.screening, KiCalculation.exit_codes
        if 'output_parameters' in process.outputs:
            self.ctx.cost[self._label()] = process.outputs.output_parameters
        self.ctx.jobs = self.ctx.get('jobs', 0) + 1
        interrupted = process.exit_status in (codes.ERROR_OUT_OF_WALLTIME.status, codes.ERROR_OUTPUT_INCOMPLETE.status)
        if interrupted and self.ctx.jobs <= MAXIMUM_CONTINUATIONS:
            self.report(f'{process.process_label}<{process.pk}> was interrupted; action taken: continue')
            return None
        if not process.is_finished_ok:
            return self.screening_failure(process)
        self.ctx.quasiparticles = process.outputs.quasiparticles
        self.ctx.final_screening = process.outputs.screening
        return None

    def _label(self) -> str:
        return f'screening_{self.ctx.get("jobs", 0) + 1}'

    def _settings(self) -> dict[str, Any]:
        """Return the parameters of the job."""
        names = ('head_correction', 'coverage_tolerance_ev')
        settings = {**self.ctx.parameters['engine'], **{name: self.ctx.parameters[name] for name in names}}
        if 'dielectric_constant' in self.ctx:
            settings['dielectric_constant'] = self.ctx.dielectric_constant.value
        return settings
