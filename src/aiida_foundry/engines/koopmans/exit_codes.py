"""Exit codes of a calculation with ``aiida-foundry-ki``."""

from __future__ import annotations

from aiida.engine import CalcJobProcessSpec

EXIT_CODES: dict[str, tuple[int, str]] = {
    'ERROR_OUTPUT_MISSING': (301, 'The output of aiida-foundry-ki was not retrieved or is empty.'),
    'ERROR_OUTPUT_INCOMPLETE': (302, 'aiida-foundry-ki was killed. Give its folder as `restart_folder` to go on.'),
    'ERROR_CRASHED': (303, 'aiida-foundry-ki crashed: {message}'),
    'ERROR_INPUT_REFUSED': (310, 'aiida-foundry-ki refuses its input: {message}'),
    'ERROR_OUT_OF_WALLTIME': (320, 'The time was over. Give the folder as `restart_folder` to go on.'),
    'ERROR_RESULTS_MISSING': (330, 'aiida-foundry-ki finished, but results are missing or unreadable: {message}'),
    'ERROR_NOT_A_NUMBER': (332, 'Results are no numbers: {message}'),
    'ERROR_FILES_DAMAGED': (335, 'Files are not what the job wrote, by their checksums: {message}'),
    'ERROR_OUTPUT_INCONSISTENT': (336, 'The results contradict each other or the input: {message}'),
    'ERROR_SCREENING_OUT_OF_RANGE': (
        501,
        'A screening parameter is outside (0, 1]: {message}. The Wannier functions or the mesh are to blame.',
    ),
}

#: Failures that may not come back when the same inputs run again: AiiDA's caching must not return them.
TRANSIENT = (
    'ERROR_OUTPUT_MISSING',
    'ERROR_OUTPUT_INCOMPLETE',
    'ERROR_CRASHED',
    'ERROR_INPUT_REFUSED',  # the remote folder of the ground state may have been damaged
    'ERROR_OUT_OF_WALLTIME',
    'ERROR_RESULTS_MISSING',
    'ERROR_FILES_DAMAGED',
    'ERROR_OUTPUT_INCONSISTENT',
)


def define_exit_codes(spec: CalcJobProcessSpec) -> None:
    """Add all exit codes to the specification of the calculation."""
    for label, (status, message) in EXIT_CODES.items():
        spec.exit_code(status, label, message=message, invalidates_cache=label in TRANSIENT)
