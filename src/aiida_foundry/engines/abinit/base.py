"""Restart wrapper of an ABINIT calculation: repairs what can be repaired without changing the physics unsaid."""

from __future__ import annotations

import math
from typing import Any

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import ProcessHandlerReport, ProcessSpec, calcfunction, process_handler

from aiida_foundry.engines.abinit.calculation import AbinitCalculation
from aiida_foundry.engines.abinit.tasks import Task, task_of
from aiida_foundry.engines.restart import EngineBaseWorkChain

CALCULATION_CODES = AbinitCalculation.exit_codes


@calcfunction
def centre_mesh(kpoints: orm.KpointsData) -> orm.KpointsData:
    """Return the mesh with the same divisions that contains Γ."""
    centred = orm.KpointsData()
    centred.set_kpoints_mesh(kpoints.get_kpoints_mesh()[0])
    return centred


class AbinitBaseWorkChain(EngineBaseWorkChain):
    """Run ABINIT until it finishes, repairing what can be repaired.

    Not converged or stopped for the walltime: continue from the wavefunctions. Too few bands: more bands. Out of
    memory: the variant that needs less, then fewer processes. A shifted mesh that breaks the symmetry: the mesh with
    the same divisions that contains Γ, unless files of earlier runs fix the mesh. Output lost: run once more. All else
    stops at once, with the message of ABINIT.
    """

    _process_class = AbinitCalculation
    _input_namespace = 'abinit'

    defaults = AttributeDict(
        {
            'nstep': 30,  # of ABINIT
            'factor_nstep': 2,
            'diemix': 1.0,  # of ABINIT for norm-conserving pseudopotentials
            'factor_diemix': 0.5,
            'npulayit': 15,  # longer history than ABINIT's 7: helps where the mixing is damped
            # Below `max_iterations` (5), so that giving up has its own exit code.
            'maximum_scf_restarts': 3,
            'maximum_walltime_restarts': 3,
            'maximum_relaxation_restarts': 3,
            'maximum_band_increases': 3,
            'factor_nband': 0.05,  # as PwBaseWorkChain of aiida-quantumespresso
            'minimum_additional_bands': 4,
            'gwmem_minimal': 0,
        }
    )

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Add the exit codes."""
        super().define(spec)
        spec.exit_code(410, 'ERROR_UNRECOVERABLE', message='ABINIT failed in a way that no restart repairs: {message}')
        spec.exit_code(411, 'ERROR_CONVERGENCE', message='Not converged: {message}')
        spec.exit_code(412, 'ERROR_WALLTIME', message='The walltime is too short: {message}')
        spec.exit_code(413, 'ERROR_MEMORY', message='The memory is too small: {message}')
        spec.exit_code(414, 'ERROR_KMESH', message='The mesh of k-points breaks the symmetry: {message}')
        spec.exit_code(415, 'ERROR_BANDS', message='The number of bands does not fit: {message}')
        spec.exit_code(416, 'ERROR_OUTPUT_LOST', message='The output was incomplete twice: {message}')

    # Tools of the handlers.

    def _parameters(self) -> dict[str, Any]:
        """Return the variables of the next run, with names in lower case."""
        return {name.lower(): value for name, value in self.ctx.inputs.parameters.get_dict().items()}

    def _set_parameters(self, **changes: Any) -> None:
        self.ctx.inputs.parameters = orm.Dict({**self._parameters(), **changes})

    def _continue_from(self, calculation: orm.CalcJobNode) -> str:
        """Let the next run start from the wavefunctions of this one; return from what it starts."""
        if self._parameters().get('prtwf', 1) == 0:
            return 'from scratch, because `prtwf 0` keeps no wavefunctions'
        parents = dict(self.ctx.inputs.get('parents', {}))
        # With fixed potential the density is not this run's: it stays what it was.
        if self._parameters().get('iscf', 0) >= 0:
            parents.pop('density', None)
        self.ctx.inputs.parents = AttributeDict({**parents, 'wavefunctions': calculation.outputs.remote_folder})
        return 'from the wavefunctions'

    # Handlers.

    @process_handler(
        priority=600,
        exit_codes=[
            CALCULATION_CODES.ERROR_CRASHED,
            CALCULATION_CODES.ERROR_UNREADABLE_INPUT,
            CALCULATION_CODES.ERROR_INCONSISTENT_INPUT,
            CALCULATION_CODES.ERROR_PSEUDOPOTENTIAL,
            CALCULATION_CODES.ERROR_MISSING_PARENT_FILE,
            CALCULATION_CODES.ERROR_INCOMPATIBLE_PARENT_FILE,
            CALCULATION_CODES.ERROR_NOT_A_NUMBER,
            CALCULATION_CODES.ERROR_CORRECTIONS_INCOMPLETE,
            CALCULATION_CODES.ERROR_HAYDOCK_NOT_CONVERGED,
            CALCULATION_CODES.ERROR_ABINIT,
            CALCULATION_CODES.ERROR_ABINIT_BUG,
        ],
    )
    def handle_unrecoverable(self, calculation: orm.CalcJobNode) -> ProcessHandlerReport:
        """Stop at once.

        Cause: the input, a file of an earlier run, or ABINIT itself. Remedy: none that a machine should choose.
        Gives up: always, with the message of ABINIT.
        """
        return self._give_up(calculation, self.exit_codes.ERROR_UNRECOVERABLE, calculation.exit_message)

    @process_handler(
        priority=590,
        exit_codes=[
            CALCULATION_CODES.ERROR_OUTPUT_LOG_MISSING,
            CALCULATION_CODES.ERROR_OUTPUT_INCOMPLETE,
            CALCULATION_CODES.ERROR_NETCDF_MISSING,
            CALCULATION_CODES.ERROR_NETCDF_UNREADABLE,
            CALCULATION_CODES.ERROR_EXCITONS_UNREADABLE,
            CALCULATION_CODES.ERROR_FILES_DAMAGED,
            CALCULATION_CODES.ERROR_OUTPUT_INCONSISTENT,
            CALCULATION_CODES.ERROR_MAIN_OUTPUT_INCOMPLETE,
        ],
    )
    def handle_output_lost(self, calculation: orm.CalcJobNode) -> ProcessHandlerReport:
        """Run once more.

        Cause: the run was killed without a word, the disk was full, or the transfer was cut. Remedy: the same run
        again. Gives up: at the second time.
        """
        if self._count('output') > 1:
            return self._give_up(calculation, self.exit_codes.ERROR_OUTPUT_LOST, calculation.exit_message)
        return self._restart(calculation, 'the same run again')

    @process_handler(priority=580, exit_codes=CALCULATION_CODES.ERROR_OUT_OF_WALLTIME)
    def handle_out_of_walltime(self, calculation: orm.CalcJobNode) -> ProcessHandlerReport:
        """Continue where the run stopped.

        Cause: ABINIT saw the end of the walltime and stopped between two iterations. Remedy: start from its
        wavefunctions, and from its structure if it was relaxing. Gives up: after three continuations.
        """
        if self._count('walltime') > self.defaults.maximum_walltime_restarts:
            message = f'still unfinished after {self.defaults.maximum_walltime_restarts} continuations'
            return self._give_up(calculation, self.exit_codes.ERROR_WALLTIME, message)
        if 'output_structure' in calculation.outputs:
            self.ctx.inputs.structure = calculation.outputs.output_structure
        return self._restart(calculation, f'continue {self._continue_from(calculation)}')

    @process_handler(priority=570, exit_codes=CALCULATION_CODES.ERROR_OUT_OF_WALLTIME_INTERRUPTED)
    def handle_out_of_walltime_interrupted(self, calculation: orm.CalcJobNode) -> ProcessHandlerReport:
        """Stop at once.

        Cause: the scheduler killed a run that could not stop by itself, such as a screening, before it wrote anything
        usable. Remedy: none, because the same run takes the same time. Gives up: always.
        """
        message = 'give more `max_wallclock_seconds` or more processes'
        return self._give_up(calculation, self.exit_codes.ERROR_WALLTIME, message)

    @process_handler(priority=560, exit_codes=CALCULATION_CODES.ERROR_OUT_OF_MEMORY)
    def handle_out_of_memory(self, calculation: orm.CalcJobNode) -> ProcessHandlerReport:
        """Need less memory.

        Cause: the arrays do not fit. Remedy: in screening and self-energy first `gwmem 0` (nothing is kept that can be
        computed again); then half the MPI processes per machine, which leaves each more memory. Neither changes the
        result. Gives up: when one process per machine is left.
        """
        parameters = self._parameters()
        is_gw = task_of(parameters) in (Task.SCREENING, Task.SIGMA)
        if is_gw and parameters.get('gwmem') != self.defaults.gwmem_minimal:
            self._set_parameters(gwmem=self.defaults.gwmem_minimal)
            return self._restart(calculation, f'`gwmem {self.defaults.gwmem_minimal}`')
        options = self.ctx.inputs.metadata.options
        processes = options.get('resources', {}).get('num_mpiprocs_per_machine', 1)
        if processes == 1:
            message = 'give machines with more memory, or distribute over more of them'
            return self._give_up(calculation, self.exit_codes.ERROR_MEMORY, message)
        options['resources'] = {**options['resources'], 'num_mpiprocs_per_machine': processes // 2}
        return self._restart(calculation, f'{processes // 2} processes per machine instead of {processes}')

    @process_handler(priority=550, exit_codes=CALCULATION_CODES.ERROR_SYMMETRY_BREAKING_KMESH)
    def handle_symmetry_breaking_kmesh(self, calculation: orm.CalcJobNode) -> ProcessHandlerReport:
        """Take the mesh that contains Γ.

        Cause: the offset of the mesh is not invariant under the symmetries of the crystal, e.g. (½, ½, ½) in a
        face-centred cubic lattice. Remedy: the mesh with the same divisions and no offset. That is another sampling
        with the same spacing: it is reported, and it is the input `kpoints` of the run that finishes. `chksymbreak 0`
        is no remedy: ABINIT would symmetrise a density that was sampled without the symmetry. Gives up: if the mesh
        has no offset, because then the divisions are wrong, or if files of earlier runs fix the mesh.
        """
        _, offset = self.ctx.inputs.kpoints.get_kpoints_mesh()
        if not any(offset):
            message = 'its divisions do not have the symmetry of the lattice: make equivalent directions equal'
            return self._give_up(calculation, self.exit_codes.ERROR_KMESH, message)
        if self.ctx.inputs.get('parents'):
            message = f'its offset {offset} is that of the earlier runs: start again from a mesh without offset'
            return self._give_up(calculation, self.exit_codes.ERROR_KMESH, message)
        self.ctx.inputs.kpoints = centre_mesh(self.ctx.inputs.kpoints, metadata={'call_link_label': 'centre_mesh'})
        return self._restart(calculation, f'the mesh with the same divisions without the offset {offset}')

    @process_handler(priority=540, exit_codes=CALCULATION_CODES.ERROR_WRONG_NUMBER_OF_BANDS)
    def handle_wrong_number_of_bands(self, calculation: orm.CalcJobNode) -> ProcessHandlerReport:
        """Add bands.

        Cause: the bands cannot hold the electrons, or the highest band of a metal is occupied. Remedy: as many bands as
        the electrons need, or those there were, plus 5 % and at least 4. Gives up: after three times; if `nband` is a
        list; if a screening or self-energy asks for more bands than its wavefunctions have; if a ground state asks for
        more than the plane waves allow.
        """
        parameters = self._parameters()
        results = calculation.outputs.output_parameters.get_dict() if 'output_parameters' in calculation.outputs else {}
        electrons, bands = results.get('number_of_electrons'), parameters.get('nband', results.get('number_of_bands'))
        solves = task_of(parameters) == Task.GROUND_STATE
        if not solves or electrons is None or isinstance(bands, list):
            return self._give_up(calculation, self.exit_codes.ERROR_BANDS, calculation.exit_message)
        if self._count('bands') > self.defaults.maximum_band_increases:
            return self._give_up(calculation, self.exit_codes.ERROR_BANDS, f'{bands} bands are still too few')
        per_band = 1 if parameters.get('nspinor', 1) == 2 else 2
        needed = max(math.ceil(electrons / per_band), bands or 0)
        nband = needed + max(math.ceil(needed * self.defaults.factor_nband), self.defaults.minimum_additional_bands)
        self._set_parameters(nband=nband)
        return self._restart(calculation, f'`nband {nband}` instead of {bands}')

    @process_handler(
        priority=530,
        exit_codes=[CALCULATION_CODES.ERROR_SCF_NOT_CONVERGED, CALCULATION_CODES.ERROR_NSCF_NOT_CONVERGED],
    )
    def handle_not_converged(self, calculation: orm.CalcJobNode) -> ProcessHandlerReport:
        """Continue with more steps, then with weaker mixing.

        Cause: too few steps, or a density that oscillates. Remedy: start from the wavefunctions with twice the steps;
        from the second time on, in a self-consistent cycle, also with half the mixing (`diemix`) and a longer history.
        Gives up: after three restarts.
        """
        attempt = self._count('convergence')
        if attempt > self.defaults.maximum_scf_restarts:
            message = f'after {self.defaults.maximum_scf_restarts} restarts; choose `diemac`, smearing or cutoff anew'
            return self._give_up(calculation, self.exit_codes.ERROR_CONVERGENCE, message)
        parameters = self._parameters()
        changes = {'nstep': parameters.get('nstep', self.defaults.nstep) * self.defaults.factor_nstep}
        if attempt > 1 and parameters.get('iscf', 0) >= 0:
            changes['diemix'] = parameters.get('diemix', self.defaults.diemix) * self.defaults.factor_diemix
            changes['npulayit'] = self.defaults.npulayit
        self._set_parameters(**changes)
        action = ', '.join(f'`{name} {value}`' for name, value in changes.items())
        return self._restart(calculation, f'{action}, {self._continue_from(calculation)}')

    @process_handler(priority=520, exit_codes=CALCULATION_CODES.ERROR_RELAXATION_NOT_CONVERGED)
    def handle_relaxation_not_converged(self, calculation: orm.CalcJobNode) -> ProcessHandlerReport:
        """Continue the relaxation.

        Cause: too few steps. Remedy: as many again from the last structure and wavefunctions. Gives up: after
        three continuations.
        """
        if self._count('relaxation') > self.defaults.maximum_relaxation_restarts:
            message = f'forces remain after {self.defaults.maximum_relaxation_restarts} continuations'
            return self._give_up(calculation, self.exit_codes.ERROR_CONVERGENCE, message)
        self.ctx.inputs.structure = calculation.outputs.output_structure
        return self._restart(calculation, f'continue with the last structure {self._continue_from(calculation)}')
