"""Parser of a Berry-phase run of pw.x."""

from __future__ import annotations

from typing import Any

from aiida.engine import ExitCode
from aiida_quantumespresso.calculations.pw import PwCalculation

from aiida_foundry.engines.pw.berry.parse_raw import BerryPhaseMissingError, parse_berry_phase, phase_contradictions
from aiida_foundry.engines.pw.parser import SharedSchemaPwParser

UNCONVERGED = 'eigenvalues not converged'
"""What pw.x writes, to go on as if nothing was, when a diagonalisation leaves fewer bands open than it may."""


class BerryPwParser(SharedSchemaPwParser):
    """``PwParser`` that adds ``berry_phase``, the phases of all strings, to the output parameters.

    A run that leaves bands unconverged fails like one that leaves too many: a Berry phase feels each of them. One
    without a Berry phase fails with the exit code of an XML file that cannot be parsed.
    """

    exit_code_xml: ExitCode | None
    exit_code_stdout: ExitCode | None

    def parse_xml(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Parse the XML file, Berry phases included."""
        parsed, logs = super().parse_xml()
        if self.exit_code_xml is None:
            names = set(PwCalculation.xml_filenames) & set(self.retrieved.base.repository.list_object_names())
            try:
                content = self.retrieved.base.repository.get_object_content(names.pop())
                parsed['berry_phase'] = parse_berry_phase(content)
            except BerryPhaseMissingError as error:
                logs['error'].append(f'Berry phase: {error}')
                self.exit_code_xml = self.exit_codes.ERROR_OUTPUT_XML_PARSE
        return parsed, logs

    def contradictions(self, stdout: str, xml: str) -> list[str]:
        """Return what standard output and XML tell differently, phases included."""
        return super().contradictions(stdout, xml) + phase_contradictions(stdout, xml)

    def validate_premature_exit(self, logs: Any) -> Any:
        """Return the exit code of a run that ended early or left bands unconverged."""
        exit_code = super().validate_premature_exit(logs)
        if exit_code is not None or self.exit_code_stdout is not None:
            return exit_code
        text = self.retrieved.base.repository.get_object_content(self.node.get_option('output_filename'))
        return self.exit_codes.ERROR_DIAGONALIZATION_TOO_MANY_BANDS_NOT_CONVERGED if UNCONVERGED in text else None
