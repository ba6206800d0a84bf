"""Exit codes of the calculations with kcw.x, and the messages that lead to each."""

from __future__ import annotations

import re

from aiida.engine import CalcJobProcessSpec

EXIT_CODES: dict[str, tuple[int, str]] = {
    'ERROR_OUTPUT_STDOUT_MISSING': (302, 'The output of kcw.x was not retrieved or is empty.'),
    'ERROR_OUTPUT_STDOUT_INCOMPLETE': (312, 'kcw.x stopped without a message before it was finished: it was killed.'),
    'ERROR_INCONSISTENT_INPUT': (313, 'kcw.x refuses the input: {message}'),
    'ERROR_NOT_SUPPORTED': (314, 'kcw.x does not support this crystal or pseudopotential: {message}'),
    'ERROR_WANNIER_FILES': (315, 'The files of Wannier90 are missing or do not fit the states: {message}'),
    'ERROR_OUT_OF_WALLTIME': (320, 'The scheduler killed kcw.x because the walltime was over.'),
    'ERROR_SCREENING_NOT_READ': (321, 'kcw.x found no screening parameters and set all of them to 1.'),
    'ERROR_RESULTS_MISSING': (330, 'kcw.x finished, but results are missing: {message}'),
    'ERROR_NOT_A_NUMBER': (332, 'Results are no numbers.'),
    'ERROR_FILES_DAMAGED': (335, 'Files are not what the job wrote, by their checksums: {message}'),
    'ERROR_OUTPUT_INCONSISTENT': (336, 'The output contradicts itself or the input: {message}'),
    'ERROR_RESPONSE_NOT_CONVERGED': (340, 'A linear response did not converge: {message}'),
    'ERROR_KCW': (350, 'kcw.x stopped with an error: {message}'),
    'ERROR_SCREENING_OUT_OF_RANGE': (
        501,
        'A screening parameter is outside (0, 1]: {message}. The Wannier functions or the mesh are to blame.',
    ),
    'ERROR_SYMMETRY_BROKEN': (
        502,
        'Koopmans energies at equivalent k-points differ by {spread:.3f} eV: the Wannier functions break the symmetry.',
    ),
    'ERROR_GAUGE_MISMATCH': (
        503,
        'Occupied Wannier bands and those of pw.x differ by {difference:.4f} eV: the matrices are of other states.',
    ),
}

#: Failures that may not come back when the same inputs run again: AiiDA's caching must not return them.
TRANSIENT = (
    'ERROR_OUTPUT_STDOUT_MISSING',
    'ERROR_OUTPUT_STDOUT_INCOMPLETE',
    'ERROR_OUT_OF_WALLTIME',
    'ERROR_FILES_DAMAGED',
    'ERROR_OUTPUT_INCONSISTENT',
    'ERROR_KCW',  # among them errors of reading and writing
)

# First match wins.
_PATTERNS = (
    (r'only for insulators|US or PAW|Gamma-point tricks|not support|not implemented', 'ERROR_NOT_SUPPORTED'),
    (r'read_wannier|unitary matrix|Mismatch', 'ERROR_WANNIER_FILES'),
    (r'WRONG|Wrong|reading \w+ namelist|not recognized|\w+_readin', 'ERROR_INCONSISTENT_INPUT'),
)


def define_exit_codes(spec: CalcJobProcessSpec) -> None:
    """Add all exit codes to the specification of the calculation."""
    for label, (status, message) in EXIT_CODES.items():
        spec.exit_code(status, label, message=message, invalidates_cache=label in TRANSIENT)


def classify_message(message: str) -> str:
    """Return the label of the exit code for a message with which kcw.x stopped."""
    return next((label for pattern, label in _PATTERNS if re.search(pattern, message)), 'ERROR_KCW')
