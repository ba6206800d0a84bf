"""Restart wrapper of a Wannier90 calculation."""

from __future__ import annotations

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import ProcessHandlerReport, ProcessSpec, process_handler

from aiida_foundry.engines.restart import EngineBaseWorkChain
from aiida_foundry.engines.wannier90.calculation import Wannier90Calculation

CALCULATION_CODES = Wannier90Calculation.exit_codes


class Wannier90BaseWorkChain(EngineBaseWorkChain):
    """Run Wannier90 until it converges.

    Not converged: more iterations, and for the subspace selection weaker mixing from the second time on; both start
    anew, which takes seconds. Output lost: run once more. All else stops at once: where the trial projections are to
    blame, exit code 412 tells the caller to try others, which need another pw2wannier90.
    """

    _process_class = Wannier90Calculation
    _input_namespace = 'wannier90'

    defaults = AttributeDict(
        {
            'num_iter': 100,  # of Wannier90
            'dis_num_iter': 200,  # of Wannier90
            'factor_iterations': 5,
            'dis_mix_ratio': 0.5,  # of Wannier90
            'factor_dis_mix_ratio': 0.5,
            # Below `max_iterations` (5), so that giving up has its own exit code.
            'maximum_restarts': 2,
        }
    )

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Add the exit codes."""
        super().define(spec)
        spec.exit_code(410, 'ERROR_UNRECOVERABLE', message='Wannier90 failed, and no restart repairs it: {message}')
        spec.exit_code(411, 'ERROR_CONVERGENCE', message='Not converged: {message}')
        spec.exit_code(
            412, 'ERROR_TRIAL_PROJECTIONS', message='Other trial projections or windows are needed: {message}'
        )
        spec.exit_code(413, 'ERROR_OUTPUT_LOST', message='The output was incomplete twice: {message}')

    def _restart_with(self, calculation: orm.CalcJobNode, **changes: float) -> ProcessHandlerReport:
        self.ctx.inputs.parameters = orm.Dict({**self.ctx.inputs.parameters.get_dict(), **changes})
        action = ', '.join(f'`{name} = {value}`' for name, value in changes.items())
        return self._restart(calculation, action)

    @process_handler(
        priority=600,
        exit_codes=[
            CALCULATION_CODES.ERROR_UNREADABLE_INPUT,
            CALCULATION_CODES.ERROR_MISSING_OVERLAPS,
            CALCULATION_CODES.ERROR_MESH,
            CALCULATION_CODES.ERROR_OUT_OF_WALLTIME,
            CALCULATION_CODES.ERROR_MATRICES_UNREADABLE,
            CALCULATION_CODES.ERROR_WANNIER90,
        ],
    )
    def handle_unrecoverable(self, calculation: orm.CalcJobNode) -> ProcessHandlerReport:
        """Stop at once.

        Cause: the input, the overlaps, the walltime, or Wannier90 itself. Remedy: none that a machine should choose.
        Gives up: always, with the message of Wannier90.
        """
        return self._give_up(calculation, self.exit_codes.ERROR_UNRECOVERABLE, calculation.exit_message)

    @process_handler(
        priority=590,
        exit_codes=[
            CALCULATION_CODES.ERROR_WINDOWS,
            CALCULATION_CODES.ERROR_TRIAL_PROJECTIONS,
            CALCULATION_CODES.ERROR_GAUGE_NOT_UNITARY,
            CALCULATION_CODES.ERROR_NOT_A_NUMBER,
        ],
    )
    def handle_trial_projections(self, calculation: orm.CalcJobNode) -> ProcessHandlerReport:
        """Stop with the exit code that asks for other trial projections.

        Cause: projections that do not span the functions, or windows that do not fit the bands. Remedy: other ones,
        by who made them. Gives up: always.
        """
        return self._give_up(calculation, self.exit_codes.ERROR_TRIAL_PROJECTIONS, calculation.exit_message)

    @process_handler(
        priority=580,
        exit_codes=[
            CALCULATION_CODES.ERROR_OUTPUT_MISSING,
            CALCULATION_CODES.ERROR_OUTPUT_INCOMPLETE,
            CALCULATION_CODES.ERROR_NNKP_MISSING,
            CALCULATION_CODES.ERROR_MATRICES_MISSING,
            CALCULATION_CODES.ERROR_FILES_DAMAGED,
            CALCULATION_CODES.ERROR_OUTPUT_INCONSISTENT,
        ],
    )
    def handle_output_lost(self, calculation: orm.CalcJobNode) -> ProcessHandlerReport:
        """Run once more.

        Cause: the run was killed without a word, the disk was full, or a file was damaged or is of another run. Remedy:
        the same run again. Gives up: at the second time.
        """
        if self._count('output') > 1:
            return self._give_up(calculation, self.exit_codes.ERROR_OUTPUT_LOST, calculation.exit_message)
        return self._restart(calculation, 'the same run again')

    @process_handler(priority=570, exit_codes=CALCULATION_CODES.ERROR_DISENTANGLEMENT_NOT_CONVERGED)
    def handle_disentanglement(self, calculation: orm.CalcJobNode) -> ProcessHandlerReport:
        """Iterate longer, then mix less.

        Cause: too few iterations, or a subspace that oscillates. Remedy: five times the iterations; at the second time
        also half of `dis_mix_ratio`. Gives up: after two restarts.
        """
        attempt = self._count('disentanglement')
        if attempt > self.defaults.maximum_restarts:
            message = f'the subspace selection: {calculation.exit_message}'
            return self._give_up(calculation, self.exit_codes.ERROR_CONVERGENCE, message)
        parameters = self.ctx.inputs.parameters.get_dict()
        iterations = parameters.get('dis_num_iter', self.defaults.dis_num_iter) * self.defaults.factor_iterations
        changes = {'dis_num_iter': iterations}
        if attempt > 1:
            mixing = parameters.get('dis_mix_ratio', self.defaults.dis_mix_ratio)
            changes['dis_mix_ratio'] = mixing * self.defaults.factor_dis_mix_ratio
        return self._restart_with(calculation, **changes)

    @process_handler(priority=560, exit_codes=CALCULATION_CODES.ERROR_SPREAD_NOT_CONVERGED)
    def handle_spread(self, calculation: orm.CalcJobNode) -> ProcessHandlerReport:
        """Iterate longer.

        Cause: too few iterations. Remedy: five times as many. Gives up: after two restarts.
        """
        if self._count('spread') > self.defaults.maximum_restarts:
            message = f'the spread: {calculation.exit_message}'
            return self._give_up(calculation, self.exit_codes.ERROR_CONVERGENCE, message)
        iterations = self.ctx.inputs.parameters.get_dict().get('num_iter', self.defaults.num_iter)
        return self._restart_with(calculation, num_iter=iterations * self.defaults.factor_iterations)
