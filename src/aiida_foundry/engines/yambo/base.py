"""Restart wrapper of a run of Yambo."""

from __future__ import annotations

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import ProcessHandlerReport, ProcessSpec, process_handler

from aiida_foundry.engines.restart import EngineBaseWorkChain
from aiida_foundry.engines.yambo.calculation import YamboCalculation

CALCULATION_CODES = YamboCalculation.exit_codes


class YamboBaseWorkChain(EngineBaseWorkChain):
    """Run Yambo until it is done.

    Interrupted: continue, because Yambo keeps the fragments that it has finished. A damaged database: once more without
    the fragments of the run before. Out of memory, or a distribution that Yambo refuses: fewer processes. Haydock not
    converged: more iterations. All else stops at once; quasiparticles that do not fit are a matter of who wrote them.
    """

    _process_class = YamboCalculation
    _input_namespace = 'yambo'

    defaults = AttributeDict(
        {
            'haydock_iterations': 100,
            'factor_haydock_iterations': 3,
            # Below `max_iterations` (5), so that giving up has its own exit code.
            'maximum_continuations': 4,
            'maximum_process_reductions': 3,
            'maximum_haydock_restarts': 2,
        }
    )

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Add the exit codes."""
        super().define(spec)
        spec.exit_code(410, 'ERROR_UNRECOVERABLE', message='Yambo failed in a way that no restart repairs: {message}')
        spec.exit_code(411, 'ERROR_CONVERGENCE', message='Not converged: {message}')
        spec.exit_code(412, 'ERROR_WALLTIME', message='Still unfinished after {message} continuations.')
        spec.exit_code(413, 'ERROR_PROCESSES', message='Fewer processes do not help: {message}')
        spec.exit_code(414, 'ERROR_DATABASES', message='A file is damaged, also when written again: {message}')

    @process_handler(
        priority=600,
        exit_codes=[
            CALCULATION_CODES.ERROR_INPUT_REFUSED,
            CALCULATION_CODES.ERROR_RESULTS_MISSING,
            CALCULATION_CODES.ERROR_NOT_A_NUMBER,
            CALCULATION_CODES.ERROR_QUASIPARTICLES_NOT_READ,
            CALCULATION_CODES.ERROR_QUASIPARTICLES_NOT_APPLIED,
            CALCULATION_CODES.ERROR_QUASIPARTICLES_INCOMPLETE,
            CALCULATION_CODES.ERROR_QUASIPARTICLES_INTERPOLATED,
            CALCULATION_CODES.ERROR_QUASIPARTICLES_OTHER_STATES,
            CALCULATION_CODES.ERROR_YAMBO,
            CALCULATION_CODES.ERROR_QUASIPARTICLE_GAP,
        ],
    )
    def handle_unrecoverable(self, calculation: orm.CalcJobNode) -> ProcessHandlerReport:
        """Stop at once.

        Cause: the input, the quasiparticle database, or Yambo itself. Remedy: none that a machine should choose.
        Gives up: always, with the message of the calculation.
        """
        return self._give_up(calculation, self.exit_codes.ERROR_UNRECOVERABLE, calculation.exit_message)

    @process_handler(
        priority=590,
        exit_codes=[
            CALCULATION_CODES.ERROR_OUT_OF_WALLTIME,
            CALCULATION_CODES.ERROR_REPORT_INCOMPLETE,
            CALCULATION_CODES.ERROR_REPORT_MISSING,
        ],
    )
    def handle_interrupted(self, calculation: orm.CalcJobNode) -> ProcessHandlerReport:
        """Continue from the databases of the run.

        Cause: the walltime was over, or the run was killed. Remedy: go on in a copy of its databases.
        Gives up: after four continuations.
        """
        number = self.defaults.maximum_continuations
        if self._count('interruption') > number:
            return self._give_up(calculation, self.exit_codes.ERROR_WALLTIME, number)
        self.ctx.inputs.restart = calculation.outputs.remote_folder
        return self._restart(calculation, 'continue from its databases')

    @process_handler(
        priority=580,
        exit_codes=[
            CALCULATION_CODES.ERROR_DATABASE_UNREADABLE,
            CALCULATION_CODES.ERROR_RESULTS_UNREADABLE,
            CALCULATION_CODES.ERROR_OUTPUT_INCONSISTENT,
            CALCULATION_CODES.ERROR_FILES_DAMAGED,
        ],
    )
    def handle_damaged_database(self, calculation: orm.CalcJobNode) -> ProcessHandlerReport:
        """Run once more without what an interrupted run left.

        Cause: a fragment was cut when a run was killed, a disk was full, or a file was damaged on the way. Remedy:
        compute all fragments again.
        Gives up: at the second time.
        """
        if self._count('database') > 1:
            return self._give_up(calculation, self.exit_codes.ERROR_DATABASES, calculation.exit_message)
        self.ctx.inputs.pop('restart', None)
        return self._restart(calculation, 'from the start, without databases of an interrupted run')

    @process_handler(
        priority=570,
        exit_codes=[CALCULATION_CODES.ERROR_OUT_OF_MEMORY, CALCULATION_CODES.ERROR_PARALLEL_STRUCTURE],
    )
    def handle_processes(self, calculation: orm.CalcJobNode) -> ProcessHandlerReport:
        """Run with half the processes on the same machines, so that each has twice the memory.

        Cause: processes that hold copies of the same arrays, or more of them than there is to share out. Remedy: half
        as many. Gives up: with one process, or after three reductions.
        """
        resources = dict(self.ctx.inputs.metadata.options.resources)
        key = next((name for name in ('num_mpiprocs_per_machine', 'tot_num_mpiprocs') if name in resources), None)
        processes = 1 if key is None else int(resources[key])
        if processes == 1 or self._count('processes') > self.defaults.maximum_process_reductions:
            return self._give_up(calculation, self.exit_codes.ERROR_PROCESSES, calculation.exit_message)
        resources[key] = processes // 2
        self.ctx.inputs.metadata.options.resources = resources
        return self._restart(calculation, f'{processes // 2} instead of {processes} processes')

    @process_handler(priority=560, exit_codes=CALCULATION_CODES.ERROR_HAYDOCK_NOT_CONVERGED)
    def handle_haydock(self, calculation: orm.CalcJobNode) -> ProcessHandlerReport:
        """Iterate longer, on the kernel that is there.

        Cause: too few iterations. Remedy: three times as many. Gives up: after two restarts.
        """
        if self._count('haydock') > self.defaults.maximum_haydock_restarts:
            return self._give_up(calculation, self.exit_codes.ERROR_CONVERGENCE, calculation.exit_message)
        parameters = self.ctx.inputs.parameters.get_dict()
        given = parameters['variables'].get('BSHayItrMAX', self.defaults.haydock_iterations)
        parameters['variables']['BSHayItrMAX'] = given * self.defaults.factor_haydock_iterations
        self.ctx.inputs.parameters = orm.Dict(parameters)
        self.ctx.inputs.restart = calculation.outputs.remote_folder
        return self._restart(calculation, f'`BSHayItrMAX = {parameters["variables"]["BSHayItrMAX"]}`')
