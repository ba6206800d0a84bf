"""Parser of the calculations with kcw.x: records become nodes, messages become exit codes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from aiida import orm
from aiida.common.exceptions import NotExistent
from aiida.engine import CalcJob, ExitCode
from aiida.parsers.parser import Parser

from aiida_foundry.engines import checksums
from aiida_foundry.engines.kcw.exit_codes import classify_message
from aiida_foundry.engines.kcw.parse_raw import consistency
from aiida_foundry.engines.kcw.parse_raw.ham import Hamiltonian, parse_ham, star_spread
from aiida_foundry.engines.kcw.parse_raw.run import KcwRun, parse_run, to_reduced
from aiida_foundry.engines.kcw.parse_raw.screen import Screening, parse_screen

STAR_TOLERANCE = 0.01
"""eV. Energies have four decimals; Wannier functions that keep the symmetry agree within 1e-4 in recorded runs."""

GAUGE_TOLERANCE = 0.005
"""eV. The occupied bands are rotated, not approximated: only the printed decimals differ."""


class KcwParser(Parser):
    """Parse the retrieved files of a step of kcw.x.

    ``JOB DONE`` is not believed. The exit code is the first that applies of: output damaged since the job wrote it; no
    output; a message of kcw.x; killed; results missing, no numbers or contradicting each other or the input; not
    converged; functions that break the symmetry; screening outside (0, 1].
    """

    def parse(self, **_: Any) -> ExitCode | None:
        """Attach the outputs and return the exit code, None for success."""
        if damaged := checksums.damaged_in(self.retrieved, [self.node.get_option('output_filename')]):
            return self.exit_codes.ERROR_FILES_DAMAGED.format(message=', '.join(damaged))
        text = self._read_output()
        if not text:
            return self.exit_codes.ERROR_OUTPUT_STDOUT_MISSING
        run = parse_run(text)
        self.out('output_parameters', orm.Dict(self._results(run)))
        sections: dict[str, Callable[[KcwRun, str], ExitCode | None]] = {
            'screen': self._parse_screening,
            'ham': self._parse_energies,
        }
        failure = self._failure_of_run(run) or self._failure_to_do_as_told(run)
        section = sections.get(self._step)
        return failure or (section(run, text) if section else None)

    @property
    def _step(self) -> str:
        step: str = self.node.process_class.STEP
        return step

    def _read_output(self) -> str:
        try:
            name = self.node.get_option('output_filename')
            return self.retrieved.base.repository.get_object_content(name, mode='rb').decode('utf-8', errors='replace')
        except (FileNotFoundError, NotExistent):
            return ''

    def _results(self, run: KcwRun) -> dict[str, Any]:
        results: dict[str, Any] = {
            'code_version': run.version,
            'warnings': list(run.warnings),
            'settings': consistency.wanted_settings(run, self._step),
        }
        if run.wall_time is not None and run.cpu_time is not None:
            results |= {'wall_time_seconds': run.wall_time, 'cpu_time_seconds': run.cpu_time}
        return results

    def _failure_of_run(self, run: KcwRun) -> ExitCode | None:
        """Return why the run stopped."""
        if run.errors:
            message = '; '.join(run.errors)
            return self.exit_codes[classify_message(message)].format(message=message)
        if run.completed:
            return None
        if self.node.exit_status == CalcJob.exit_codes.ERROR_SCHEDULER_OUT_OF_WALLTIME.status:
            return self.exit_codes.ERROR_OUT_OF_WALLTIME
        return self.exit_codes.ERROR_OUTPUT_STDOUT_INCOMPLETE

    def _failure_to_do_as_told(self, run: KcwRun) -> ExitCode | None:
        """Return which settings are not those of the input: the output is of another run, or damaged."""
        parameters = self.node.inputs.parameters.get_dict() if 'parameters' in self.node.inputs else {}
        return self._refuse(consistency.setting_contradictions(run, self._step, parameters))

    def _refuse(self, contradictions: list[str]) -> ExitCode | None:
        if not contradictions:
            return None
        return self.exit_codes.ERROR_OUTPUT_INCONSISTENT.format(message=', '.join(contradictions))

    def _parse_screening(self, run: KcwRun, text: str) -> ExitCode | None:
        """Attach integrals and screening parameters."""
        screening = parse_screen(text)
        if len(screening.alpha) == 0 or len(screening.integrals) == 0:
            return self.exit_codes.ERROR_RESULTS_MISSING.format(message='screening parameters')
        arrays = {
            name: getattr(screening, name)
            for name in ('orbitals', 'alpha', 'self_hartree', 'computed', 'points', 'integrals')
        }
        arrays |= {'qpoints': run.reduced, 'head': np.array(screening.head or (0.0, 0.0))}
        self.out('screening', orm.ArrayData(arrays))
        if not np.isfinite([*screening.alpha, *screening.integrals.ravel()]).all():
            return self.exit_codes.ERROR_NOT_A_NUMBER
        wrong = consistency.mesh_contradictions(run) + consistency.screening_contradictions(run, screening)
        if failure := self._refuse(wrong):
            return failure
        return self._failure_to_converge(run, screening) or self._check_alpha(screening.orbitals, screening.alpha)

    def _failure_to_converge(self, run: KcwRun, screening: Screening) -> ExitCode | None:
        threshold = float(run.settings['tr2'])
        largest = float(screening.residuals.max(initial=0.0))
        if largest <= threshold:
            return None
        message = f'|Δv|² is {largest:.1e} after the last step, the threshold {threshold:.1e}'
        return self.exit_codes.ERROR_RESPONSE_NOT_CONVERGED.format(message=message)

    def _check_alpha(self, orbitals: Any, alpha: Any) -> ExitCode | None:
        bad = [(int(orbital), value) for orbital, value in zip(orbitals, alpha, strict=True) if not 0 < value <= 1]
        if not bad:
            return None
        message = ', '.join(f'{value:.4f} of orbital {orbital}' for orbital, value in bad)
        return self.exit_codes.ERROR_SCREENING_OUT_OF_RANGE.format(message=message)

    def _parse_energies(self, run: KcwRun, text: str) -> ExitCode | None:
        """Attach the energies on the mesh."""
        try:
            result = parse_ham(text)
            kpoints = to_reduced(run, result.kpoints)
        except ValueError as error:
            return self.exit_codes.ERROR_RESULTS_MISSING.format(message=str(error))
        if len(result.koopmans) != len(run.reduced) or result.koopmans.shape != result.plane_waves.shape:
            return self.exit_codes.ERROR_RESULTS_MISSING.format(message='energies at some k-points')
        arrays = {'kpoints': kpoints, 'kohn_sham': result.kohn_sham, 'koopmans': result.koopmans}
        self.out('koopmans', orm.ArrayData(arrays))
        if len(result.alpha) == 0:
            return self.exit_codes.ERROR_SCREENING_NOT_READ
        alpha = self.node.inputs.screening.get_array('alpha') if 'screening' in self.node.inputs else None
        wrong = consistency.mesh_contradictions(run) + consistency.energy_contradictions(run, result, alpha)
        if failure := self._refuse(wrong):
            return failure
        return self._check_gauge(run, result) or self._check_alpha(range(1, len(result.alpha) + 1), result.alpha)

    def _check_gauge(self, run: KcwRun, result: Hamiltonian) -> ExitCode | None:
        """Check that the functions belong to the states and keep the symmetry."""
        occupied = int(run.settings['num_wann_occ'])
        difference = float(np.abs(result.wannier - result.plane_waves)[:, :occupied].max())
        if difference > GAUGE_TOLERANCE:
            return self.exit_codes.ERROR_GAUGE_MISMATCH.format(difference=difference)
        if (spread := star_spread(result)) > STAR_TOLERANCE:
            return self.exit_codes.ERROR_SYMMETRY_BROKEN.format(spread=spread)
        return None
