"""Parser of a calculation with ``aiida-foundry-ki``."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm
from aiida.common.exceptions import NotExistent
from aiida.engine import CalcJob, ExitCode
from aiida.parsers.parser import Parser
from numpy.typing import NDArray

from aiida_foundry.engines import checksums
from aiida_foundry.engines.koopmans.calculation import ARRAYS_FILE, REPORT_FILE
from aiida_foundry.engines.koopmans.parse_raw import results
from aiida_foundry.engines.koopmans.parse_raw.consistency import contradictions


class KiParser(Parser):
    """Parse the retrieved files of a ``KiCalculation``.

    The exit code is the first that applies of: files damaged since the job wrote them; no output; crashed; killed;
    input refused; time over; results missing, no numbers or contradicting each other or the input; screening parameters
    outside (0, 1].
    """

    def parse(self, **_: Any) -> ExitCode | None:
        """Attach the outputs and return the exit code, None for success."""
        output = self.node.get_option('output_filename')
        if damaged := checksums.damaged_in(self.retrieved, [output, REPORT_FILE, ARRAYS_FILE]):
            return self.exit_codes.ERROR_FILES_DAMAGED.format(message=', '.join(damaged))
        text = self._read(output).decode('utf-8', errors='replace')
        content = self._read(REPORT_FILE)
        if not content:
            return self._failure_without_report(text)
        try:
            report = results.parse_report(content)
        except results.UnreadableResultsError as error:
            return self.exit_codes.ERROR_RESULTS_MISSING.format(message=str(error))
        self.out('output_parameters', orm.Dict(_with_core_seconds(report)))
        if 'error' in report:
            return self.exit_codes.ERROR_INPUT_REFUSED.format(message=report['error'])
        return self._attach(report) if report['completed'] else self.exit_codes.ERROR_OUT_OF_WALLTIME

    def _read(self, name: str) -> bytes:
        """Return the content of a retrieved file, empty if it is not there."""
        try:
            content: bytes = self.retrieved.base.repository.get_object_content(name, mode='rb')
        except (FileNotFoundError, NotExistent):
            return b''
        return content

    def _failure_without_report(self, text: str) -> ExitCode:
        """Return why the program ended without its last act."""
        errors = self._read(self.node.get_option('scheduler_stderr')).decode('utf-8', errors='replace')
        if 'Traceback' in errors:
            return self.exit_codes.ERROR_CRASHED.format(message=errors.strip().splitlines()[-1])
        if self.node.exit_status == CalcJob.exit_codes.ERROR_SCHEDULER_OUT_OF_WALLTIME.status:
            return self.exit_codes.ERROR_OUT_OF_WALLTIME
        return self.exit_codes.ERROR_OUTPUT_INCOMPLETE if text else self.exit_codes.ERROR_OUTPUT_MISSING

    def _attach(self, report: dict[str, Any]) -> ExitCode | None:
        """Attach the arrays of a finished run after checking that they are whole and belong to its report."""
        try:
            arrays = results.parse_arrays(self._read(ARRAYS_FILE))
        except results.UnreadableResultsError as error:
            return self.exit_codes.ERROR_RESULTS_MISSING.format(message=str(error))
        if bad := results.not_finite(arrays):
            return self.exit_codes.ERROR_NOT_A_NUMBER.format(message=', '.join(bad))
        parameters = self.node.inputs.parameters.get_dict() if 'parameters' in self.node.inputs else {}
        if wrong := contradictions(report, arrays, parameters):
            return self.exit_codes.ERROR_OUTPUT_INCONSISTENT.format(message=', '.join(wrong))
        quasiparticles = orm.ArrayData({name: arrays[name] for name in results.QUASIPARTICLES})
        screening = orm.ArrayData({name: arrays[name] for name in results.SCREENING})
        for node in (quasiparticles, screening):
            node.base.attributes.set('units', 'eV')
        self.out('quasiparticles', quasiparticles)
        self.out('screening', screening)
        return self._check_screening(arrays['alpha'])

    def _check_screening(self, alpha: NDArray[np.float64]) -> ExitCode | None:
        wrong = np.flatnonzero(~((alpha > 0) & (alpha <= 1)))
        if len(wrong) == 0:
            return None
        message = ', '.join(f'{alpha[number]:.4f} of function {number + 1}' for number in wrong)
        return self.exit_codes.ERROR_SCREENING_OUT_OF_RANGE.format(message=message)


def _with_core_seconds(report: dict[str, Any]) -> dict[str, Any]:
    """Add what the run cost in all, in the terms of the other engines."""
    return {**report, 'core_seconds': report['wall_time_seconds'] * report['threads']}
