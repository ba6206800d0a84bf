"""Restart wrapper of the screening parameters, the only step of kcw.x that takes long."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import ProcessHandlerReport, ProcessSpec, process_handler

from aiida_foundry.engines.kcw.calculation import KcwScreenCalculation
from aiida_foundry.engines.restart import EngineBaseWorkChain

CALCULATION_CODES = KcwScreenCalculation.exit_codes


class KcwScreenBaseWorkChain(EngineBaseWorkChain):
    """Run the linear responses until they are done.

    Interrupted: continue, because kcw.x keeps the q-points it has finished. Not converged: more steps, then weaker
    mixing, from the start. All else stops at once: a screening parameter outside (0, 1] is a matter of the Wannier
    functions, which no restart changes.
    """

    _process_class = KcwScreenCalculation
    _input_namespace = 'kcw'

    defaults = AttributeDict(
        {
            'niter': 33,
            'maximum_niter': 100,  # `maxter` of Quantum ESPRESSO
            'factor_niter': 3,
            'alpha_mix': 0.7,  # of kcw.x
            'factor_alpha_mix': 0.5,
            # Below `max_iterations` (5), so that giving up has its own exit code.
            'maximum_convergence_restarts': 2,
            'maximum_continuations': 4,
        }
    )

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Add the exit codes."""
        super().define(spec)
        spec.exit_code(410, 'ERROR_UNRECOVERABLE', message='kcw.x failed in a way that no restart repairs: {message}')
        spec.exit_code(411, 'ERROR_CONVERGENCE', message='Not converged: {message}')
        spec.exit_code(412, 'ERROR_WALLTIME', message='Still unfinished after {message} continuations.')

    def _set_screen(self, **changes: Any) -> None:
        parameters = self.ctx.inputs.parameters.get_dict()
        parameters['SCREEN'] = {**parameters.get('SCREEN', {}), **changes}
        self.ctx.inputs.parameters = orm.Dict(parameters)

    @process_handler(
        priority=600,
        exit_codes=[
            CALCULATION_CODES.ERROR_INCONSISTENT_INPUT,
            CALCULATION_CODES.ERROR_NOT_SUPPORTED,
            CALCULATION_CODES.ERROR_WANNIER_FILES,
            CALCULATION_CODES.ERROR_RESULTS_MISSING,
            CALCULATION_CODES.ERROR_NOT_A_NUMBER,
            CALCULATION_CODES.ERROR_KCW,
            CALCULATION_CODES.ERROR_SCREENING_OUT_OF_RANGE,
        ],
    )
    def handle_unrecoverable(self, calculation: orm.CalcJobNode) -> ProcessHandlerReport:
        """Stop at once.

        Cause: the input, the Wannier functions, or kcw.x itself. Remedy: none that a machine should choose.
        Gives up: always, with the message of the calculation.
        """
        return self._give_up(calculation, self.exit_codes.ERROR_UNRECOVERABLE, calculation.exit_message)

    @process_handler(
        priority=590,
        exit_codes=[
            CALCULATION_CODES.ERROR_OUT_OF_WALLTIME,
            CALCULATION_CODES.ERROR_OUTPUT_STDOUT_INCOMPLETE,
            CALCULATION_CODES.ERROR_OUTPUT_STDOUT_MISSING,
        ],
    )
    def handle_interrupted(self, calculation: orm.CalcJobNode) -> ProcessHandlerReport:
        """Continue with the next q-point.

        Cause: the walltime was over, or the run was killed. Remedy: start from its folder, where kcw.x finds the
        q-points that it has finished. Gives up: after four continuations.
        """
        if self._count('interruption') > self.defaults.maximum_continuations:
            number = self.defaults.maximum_continuations
            return self._give_up(calculation, self.exit_codes.ERROR_WALLTIME, number)
        self.ctx.inputs.parent_folder = calculation.outputs.remote_folder
        return self._restart(calculation, 'continue from its folder')

    @process_handler(
        priority=585,
        exit_codes=[CALCULATION_CODES.ERROR_FILES_DAMAGED, CALCULATION_CODES.ERROR_OUTPUT_INCONSISTENT],
    )
    def handle_output_damaged(self, calculation: orm.CalcJobNode) -> ProcessHandlerReport:
        """Run once more.

        Cause: a disk or a transfer. Remedy: the same run again, from the same folder. Gives up: at the second time.
        """
        if self._count('damage') > 1:
            return self._give_up(calculation, self.exit_codes.ERROR_UNRECOVERABLE, calculation.exit_message)
        return self._restart(calculation, 'the same run again')

    @process_handler(priority=580, exit_codes=CALCULATION_CODES.ERROR_RESPONSE_NOT_CONVERGED)
    def handle_not_converged(self, calculation: orm.CalcJobNode) -> ProcessHandlerReport:
        """Iterate longer, then mix less.

        Cause: too few steps, or a response that oscillates. Remedy: three times the steps; at the second time half the
        mixing. Gives up: after two restarts.
        """
        attempt = self._count('convergence')
        if attempt > self.defaults.maximum_convergence_restarts:
            return self._give_up(calculation, self.exit_codes.ERROR_CONVERGENCE, calculation.exit_message)
        screen = self.ctx.inputs.parameters.get_dict().get('SCREEN', {})
        steps = screen.get('niter', self.defaults.niter) * self.defaults.factor_niter
        changes: dict[str, Any] = {'niter': min(steps, self.defaults.maximum_niter)}
        if attempt > 1:
            mixing = screen.get('alpha_mix(1)', self.defaults.alpha_mix)
            changes['alpha_mix(1)'] = mixing * self.defaults.factor_alpha_mix
        self._set_screen(**changes)
        return self._restart(calculation, ', '.join(f'`{name} = {value}`' for name, value in changes.items()))
