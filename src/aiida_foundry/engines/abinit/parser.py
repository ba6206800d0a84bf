"""Parser of an ABINIT calculation: records become nodes, messages become exit codes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from aiida import orm
from aiida.common.exceptions import NotExistent
from aiida.engine import CalcJob, ExitCode
from aiida.parsers.parser import Parser
from numpy.typing import NDArray

from aiida_foundry.engines import checksums
from aiida_foundry.engines.abinit.calculation import ABORT_FILE, EIGENSTATES_SUFFIX, STRENGTHS_SUFFIX, result_files
from aiida_foundry.engines.abinit.excitons import DEFAULT_NUMBER, exciton_arrays
from aiida_foundry.engines.abinit.exit_codes import classify_message, find_crash
from aiida_foundry.engines.abinit.parents import OUTPUT_PREFIX
from aiida_foundry.engines.abinit.parse_raw import consistency, excitons, gsr, mdf, response, sigres
from aiida_foundry.engines.abinit.parse_raw.berry import parse_berry_phase
from aiida_foundry.engines.abinit.parse_raw.log import Log, parse_events, parse_log, parse_required_electrons
from aiida_foundry.engines.abinit.parse_raw.main_output import (
    count_scf_iterations,
    has_ended,
    parse_dielectric_constants,
)
from aiida_foundry.engines.abinit.parse_raw.netcdf import UnreadableNetcdfError
from aiida_foundry.engines.abinit.tasks import Task, diagonalises, task_of

_FIRST_METALLIC_OCCOPT = 3
_HIGHEST_BAND_OCCUPATION = 0.005  # as in PwBaseWorkChain of aiida-quantumespresso
_FIELD_RESPONSE = (1, 3)  # `rfelfd`: with the second derivative along the field
_CONVERGENCE = {
    'ScfConvergenceWarning': 'ERROR_SCF_NOT_CONVERGED',
    'NscfConvergenceWarning': 'ERROR_NSCF_NOT_CONVERGED',
    'RelaxConvergenceWarning': 'ERROR_RELAXATION_NOT_CONVERGED',
}


class _Failure(Exception):  # noqa: N818
    """A section cannot be parsed: the exit code that says why."""

    def __init__(self, label: str, message: str = '') -> None:
        super().__init__(message)
        self.label = label
        self.message = message


class AbinitParser(Parser):
    """Parse the retrieved files of an ``AbinitCalculation``.

    Everything that is there becomes an output, also when the run failed. The exit code is the first that applies of:
    files damaged since the job wrote them; no log; a message of ABINIT or of the runtime; killed; a section missing,
    unreadable, with NaN or contradicting another; not converged.
    """

    def parse(self, retrieved_temporary_folder: str | None = None, **_: Any) -> ExitCode | None:
        """Attach the outputs and return the exit code, None for success."""
        self.temporary = None if retrieved_temporary_folder is None else Path(retrieved_temporary_folder)
        self.parameters = {name.lower(): value for name, value in self.node.inputs.parameters.get_dict().items()}
        self.results: dict[str, Any] = {}
        log_file = self.node.get_option('output_filename')
        main_file = self.node.get_option('input_filename').rsplit('.', 1)[0] + '.abo'
        if damaged := self._damaged_files(result_files(log_file, main_file, task_of(self.parameters))):
            return self.exit_codes.ERROR_FILES_DAMAGED.format(message=', '.join(damaged))
        text = self._read_text(log_file)
        if not text:
            return self.exit_codes.ERROR_OUTPUT_LOG_MISSING
        log, self.log_text = parse_log(text), text
        main_output = self._read_text(main_file)
        self._add_run(log, main_output)

        failures = [
            self._failure_of_run(log),
            self._failure_of_main_output(log, main_output),
            self._parse_results(main_output),
            self._failure_to_converge(log),
        ]
        self.out('output_parameters', orm.Dict(self.results))
        failure = next((entry for entry in failures if entry is not None), None)
        return None if failure is None else self._exit_code(failure)

    def _exit_code(self, failure: _Failure) -> ExitCode:
        return self.exit_codes[failure.label].format(message=failure.message)

    def _read(self, name: str) -> bytes | None:
        """Return the content of a retrieved file, None if it is not there."""
        try:
            content: bytes = self.retrieved.base.repository.get_object_content(name, mode='rb')
        except (FileNotFoundError, NotExistent):
            return None
        return content

    def _read_text(self, name: str) -> str:
        """Return the text of a retrieved file, empty if it is not there."""
        return (self._read(name) or b'').decode('utf-8', errors='replace')

    def _damaged_files(self, names: list[str]) -> list[str]:
        """Return the files that are not what the job wrote; none where the job could not make checksums."""
        listing = self._read_text(checksums.FILE)
        return checksums.damaged(listing, self._read, names) if listing else []

    def _read_netcdf(self, suffix: str) -> bytes:
        """Return the bytes of ``out_<suffix>``.

        Raises:
            _Failure: the file is not there.
        """
        name = f'{OUTPUT_PREFIX}_{suffix}'
        content = self._read(name)
        if content is None:
            raise _Failure('ERROR_NETCDF_MISSING', name)
        return content

    # How the run went.

    def _add_run(self, log: Log, main_output: str) -> None:
        """Add version, timing and warnings to the results."""
        warnings = [event.message for event in log.events if event.tag.endswith(('WARNING', 'Warning'))]
        warnings += self._version_warnings(log.version)
        self.results['warnings'] = warnings
        self.results['abinit_version'] = log.version
        if log.wall_time is not None and log.cpu_time is not None and log.processes is not None:
            self.results['wall_time_seconds'] = log.wall_time
            self.results['cpu_time_seconds'] = log.cpu_time
            self.results['number_of_mpi_processes'] = log.processes
            self.results['core_seconds'] = log.wall_time * log.processes
        iterations = count_scf_iterations(main_output)
        if iterations is not None:
            self.results['scf_iterations'] = iterations
            self.results['scf_converged'] = log.completed and not log.tagged('ScfConvergenceWarning')

    def _parents(self) -> dict[str, orm.RemoteData]:
        """Return the folders of the earlier runs by the kind of file."""
        return dict(self.node.inputs.parents.items()) if 'parents' in self.node.inputs else {}

    def _version_warnings(self, version: str | None) -> list[str]:
        """Warn when a file comes from another version of ABINIT: its results may depend on the reader."""
        warnings = []
        for name, parent in self._parents().items():
            try:
                written_by = parent.creator.outputs.output_parameters.get('abinit_version')
            except (AttributeError, NotExistent):
                continue
            if None not in (version, written_by) and written_by != version:
                warnings.append(f'the file for `{name}` was written by ABINIT {written_by}, but {version} reads it')
        for warning in warnings:
            self.logger.warning(warning)
        return warnings

    def _failure_of_run(self, log: Log) -> _Failure | None:
        """Return why the run stopped, or why its result is not what was asked for."""
        events = (*log.events, *parse_events(self._read_text(ABORT_FILE)))
        fatal = [event for event in events if event.tag == 'BUG' or event.tag.upper().endswith('ERROR')]
        text = '\n'.join(f'{event.message} [{event.source}]' for event in fatal)
        if (electrons := parse_required_electrons(text)) is not None:
            self.results['number_of_electrons'] = electrons
        if label := next((label for event in fatal if (label := classify_message(event.message, event.source))), None):
            return _Failure(label, text)
        if fatal:
            return _Failure('ERROR_ABINIT_BUG' if fatal[0].tag == 'BUG' else 'ERROR_ABINIT', text)
        return self._failure_to_do_as_told(log) if log.completed else self._failure_of_interrupted_run()

    def _failure_to_do_as_told(self, log: Log) -> _Failure | None:
        """Return what ABINIT did instead of what was asked for: it went on with fewer bands, or without a file."""
        for event in log.tagged('WARNING'):
            if classify_message(event.message) == 'ERROR_WRONG_NUMBER_OF_BANDS':
                return _Failure('ERROR_WRONG_NUMBER_OF_BANDS', event.message)
        if log.quasiparticles_not_found and 'quasiparticles' in self._parents():
            return _Failure('ERROR_MISSING_PARENT_FILE', 'ABINIT started from Kohn-Sham states instead')
        return None

    def _failure_of_interrupted_run(self) -> _Failure:
        """Return why a run ended without a message: told by the scheduler or the standard error, else killed."""
        scheduler = CalcJob.exit_codes
        if self.node.exit_status == scheduler.ERROR_SCHEDULER_OUT_OF_WALLTIME.status:
            return _Failure('ERROR_OUT_OF_WALLTIME_INTERRUPTED')
        if self.node.exit_status == scheduler.ERROR_SCHEDULER_OUT_OF_MEMORY.status:
            return _Failure('ERROR_OUT_OF_MEMORY')
        standard_error = self._read_text(self.node.get_option('scheduler_stderr'))
        if label := classify_message(standard_error):
            return _Failure(label, standard_error[-500:])
        if crash := find_crash(standard_error):
            return _Failure('ERROR_CRASHED', crash)
        return _Failure('ERROR_OUTPUT_INCOMPLETE')

    def _failure_to_converge(self, log: Log) -> _Failure | None:
        """Return what did not converge; the walltime is the cause where ABINIT stopped for it."""
        label = next((label for tag, label in _CONVERGENCE.items() if log.tagged(tag)), None)
        if label is None:
            return None
        return _Failure('ERROR_OUT_OF_WALLTIME' if log.time_limit_reached else label)

    # Sections.

    def _parse_results(self, main_output: str) -> _Failure | None:
        """Parse the files that the task of the run writes and return why one is not as it should be."""
        sections: dict[int, Callable[[str], None]] = {
            Task.GROUND_STATE: self._parse_ground_state,
            Task.RESPONSE: self._parse_response,
            Task.SCREENING: self._parse_screening,
            Task.SIGMA: self._parse_quasiparticles,
            Task.BETHE_SALPETER: self._parse_optical,
        }
        section = sections.get(task_of(self.parameters))
        return None if section is None else self._parse_section(section, main_output)

    def _failure_of_main_output(self, log: Log, main_output: str) -> _Failure | None:
        """Return whether the main output is cut, or is not that of the run that wrote the log."""
        if log.completed and not has_ended(main_output):
            return _Failure('ERROR_MAIN_OUTPUT_INCOMPLETE')
        if log.completed and None in (log.wall_time, log.cpu_time, log.processes):
            return _Failure('ERROR_OUTPUT_INCONSISTENT', 'the log ends without timing')
        if log.completed and (different := consistency.check_texts(self.log_text, main_output)):
            return _Failure('ERROR_OUTPUT_INCONSISTENT', f'{", ".join(different)} in log and main output')
        return None

    @staticmethod
    def _parse_section(section: Callable[[str], None], main_output: str) -> _Failure | None:
        try:
            section(main_output)
        except _Failure as failure:
            return failure
        except UnreadableNetcdfError as error:
            return _Failure('ERROR_NETCDF_UNREADABLE', str(error))
        except excitons.UnreadableExcitonsError as error:
            return _Failure('ERROR_EXCITONS_UNREADABLE', str(error))
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            # arrays that do not fit together, numbers that are none
            return _Failure('ERROR_OUTPUT_INCONSISTENT', f'{type(error).__name__}: {error}')
        return None

    def _parse_ground_state(self, main_output: str) -> None:
        """Attach bands, forces, stress and the relaxed structure; Berry phases go to the output parameters."""
        state = gsr.parse_gsr(self._read_netcdf('GSR.nc'))
        if bad := gsr.check_finite(state):
            raise _Failure('ERROR_NOT_A_NUMBER', ', '.join(bad))
        self_consistent = self.parameters.get('iscf', 0) >= 0
        if self_consistent and not np.isfinite(state.forces).all():
            raise _Failure('ERROR_NOT_A_NUMBER', 'forces')
        self._refuse(consistency.check_ground_state(state, main_output, self_consistent))
        for name in ('energy', 'fermi_energy'):
            self.results[name] = getattr(state, name)
            self.results[f'{name}_units'] = 'eV'
        self.results['number_of_electrons'] = state.number_of_electrons
        self.results['number_of_bands'] = state.eigenvalues.shape[-1]
        self.results['number_of_spins'] = state.eigenvalues.shape[0]
        self.results.update(gsr.describe_occupations(state, self.parameters.get('nspinor', 1) == 2))
        self.out('output_bands', self._bands(state))
        if self.parameters.get('berryopt') == -1:
            self.results['berry_phase'] = parse_berry_phase(main_output)
            if self.results['berry_phase'] is None:
                raise _Failure('ERROR_OUTPUT_INCOMPLETE')
        if self_consistent:
            self._attach_forces(state)
            self._check_highest_band(state)
        if self.parameters.get('ionmov', 0) or self.parameters.get('optcell', 0):
            self.out('output_structure', self._relaxed_structure(state))

    @staticmethod
    def _refuse(contradictions: list[str]) -> None:
        if contradictions:
            raise _Failure('ERROR_OUTPUT_INCONSISTENT', ', '.join(contradictions))

    def _bands(self, state: gsr.GroundState) -> orm.BandsData:
        bands = orm.BandsData()
        bands.set_cell(state.cell, pbc=self.node.inputs.structure.pbc)
        bands.set_kpoints(state.kpoints, weights=state.weights)
        if 'labels' in self.node.inputs.kpoints.base.attributes.all:
            bands.labels = self.node.inputs.kpoints.labels
        energies, occupations = state.eigenvalues, state.occupations
        if len(energies) == 1:
            energies, occupations = energies[0], occupations[0]
        bands.set_bands(energies, units='eV', occupations=occupations)
        return bands

    def _attach_forces(self, state: gsr.GroundState) -> None:
        array = orm.ArrayData({'forces': state.forces, 'stress': state.stress})
        array.base.attributes.set_many({'forces_units': 'eV/angstrom', 'stress_units': 'eV/angstrom^3'})
        self.out('output_forces_stress', array)

    def _check_highest_band(self, state: gsr.GroundState) -> None:
        """Refuse a metal whose highest band holds electrons: higher bands are missing from the density."""
        occupation = gsr.highest_band_occupation(state)
        if self.parameters.get('occopt', 1) >= _FIRST_METALLIC_OCCOPT and occupation > _HIGHEST_BAND_OCCUPATION:
            raise _Failure('ERROR_WRONG_NUMBER_OF_BANDS', f'the highest band holds {occupation:.3f} electrons')

    def _relaxed_structure(self, state: gsr.GroundState) -> orm.StructureData:
        structure = self.node.inputs.structure.clone()
        structure.set_cell(state.cell.tolist())
        structure.reset_sites_positions((state.positions @ state.cell).tolist())
        return structure

    def _parse_screening(self, main_output: str) -> None:
        """Attach the dielectric constants; the screening itself stays on the computer."""
        constants = parse_dielectric_constants(main_output)
        if not np.isfinite(list(constants.values())).all():
            raise _Failure('ERROR_NOT_A_NUMBER', 'dielectric constant')
        self.results.update({f'dielectric_constant_{name}': value for name, value in constants.items()})
        if constants:
            self.out('output_dielectric', orm.ArrayData({name: np.array(value) for name, value in constants.items()}))

    def _parse_quasiparticles(self, main_output: str) -> None:
        """Attach the quasiparticle energies."""
        quasiparticles = sigres.parse_sigres(self._read_netcdf('SIGRES.nc'))
        if bad := sigres.check_finite(quasiparticles):
            raise _Failure('ERROR_NOT_A_NUMBER', ', '.join(bad))
        self._refuse(consistency.check_quasiparticles(quasiparticles, main_output))
        array = orm.ArrayData({entry.name: getattr(quasiparticles, entry.name) for entry in fields(quasiparticles)})
        array.base.attributes.set('units', 'eV')
        self.out('output_quasiparticles', array)

    def _parse_optical(self, _: str) -> None:
        """Attach the dielectric functions of a Bethe-Salpeter run, and the excitons if it diagonalised."""
        remarks = excitons.parse_remarks(self.log_text)
        if remarks.direct_gap is not None:
            self.results['quasiparticle_direct_gap'] = remarks.direct_gap
            self.results['quasiparticle_direct_gap_units'] = 'eV'
        if remarks.head_factor is not None:
            self.results['head_factor'] = remarks.head_factor
        spectra = mdf.parse_mdf(self._read_netcdf('MDF.nc'))
        if bad := mdf.check_finite(spectra):
            raise _Failure('ERROR_NOT_A_NUMBER', ', '.join(bad))
        array = orm.ArrayData({entry.name: getattr(spectra, entry.name) for entry in fields(spectra)})
        array.base.attributes.set('frequencies_units', 'eV')
        self.out('output_optical', array)
        if diagonalises(self.parameters):
            self._attach_excitons(spectra.directions)
        if remarks.missing_corrections:
            raise _Failure('ERROR_CORRECTIONS_INCOMPLETE')
        if remarks.haydock_failure is not None:
            raise _Failure('ERROR_HAYDOCK_NOT_CONVERGED', remarks.haydock_failure)

    def _attach_excitons(self, directions: NDArray[np.float64]) -> None:
        """Attach energies, oscillator strengths and the composition of the lowest excitons."""
        path = self.temporary / f'{OUTPUT_PREFIX}_{EIGENSTATES_SUFFIX}' if self.temporary else None
        if path is None or not path.is_file():
            raise _Failure('ERROR_EXCITONS_UNREADABLE', f'{EIGENSTATES_SUFFIX} was not retrieved')
        states = excitons.parse_eigenstates(path.read_bytes(), coupling=self.parameters.get('bs_coupling') == 1)
        text = self._read_text(f'{OUTPUT_PREFIX}_{STRENGTHS_SUFFIX}')
        strengths = excitons.parse_strengths(text, directions) if text else None
        pairs = excitons.parse_pairs(self._read_netcdf('MDF.nc'))
        settings = self.node.inputs.settings.get_dict() if 'settings' in self.node.inputs else {}
        arrays = exciton_arrays(states, strengths, pairs, settings.get('excitons', DEFAULT_NUMBER))
        if bad := [name for name, values in arrays.items() if not np.isfinite(values).all()]:
            raise _Failure('ERROR_NOT_A_NUMBER', ', '.join(bad))
        array = orm.ArrayData(arrays)
        array.base.attributes.set_many({'energies_units': 'eV', 'strengths_units': 'eV'})
        self.out('output_excitons', array)

    def _parse_response(self, main_output: str) -> None:
        """Attach the second derivatives of the energy; a run for the derivative along k has none."""
        number_of_atoms = len(self.node.inputs.structure.sites)
        arrays: dict[str, Any] = {
            'dielectric_tensor': response.parse_dielectric_tensor(main_output),
            'born_charges': response.parse_born_charges(main_output, number_of_atoms),
        }
        if self.parameters.get('rfphon'):
            arrays['qpoint'], arrays['force_constants'] = response.parse_force_constants(self._read_netcdf('DDB.nc'))
        if self.parameters.get('rfelfd') in _FIELD_RESPONSE and self.parameters.get('rfdir') == [1, 1, 1]:
            self._refuse(['no dielectric tensor'] if arrays['dielectric_tensor'] is None else [])
        arrays = {name: array for name, array in arrays.items() if array is not None}
        tensor = arrays.get('dielectric_tensor')
        if tensor is not None and not np.isfinite(tensor).all():
            raise _Failure('ERROR_NOT_A_NUMBER', 'dielectric tensor')
        if arrays:
            self.out('output_response', orm.ArrayData(arrays))
