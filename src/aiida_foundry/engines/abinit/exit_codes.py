"""Exit codes of an ABINIT calculation, and the messages of ABINIT that lead to each."""

from __future__ import annotations

import re

from aiida.engine import CalcJobProcessSpec

EXIT_CODES: dict[str, tuple[int, str]] = {
    'ERROR_OUTPUT_LOG_MISSING': (301, 'The log of ABINIT was not retrieved or is empty.'),
    'ERROR_OUTPUT_INCOMPLETE': (302, 'ABINIT stopped without a message before it was finished: it was killed.'),
    'ERROR_CRASHED': (303, 'ABINIT crashed: {message}'),
    'ERROR_UNREADABLE_INPUT': (310, 'ABINIT could not read its input file: {message}'),
    'ERROR_INCONSISTENT_INPUT': (311, 'ABINIT refuses the combination of variables: {message}'),
    'ERROR_PSEUDOPOTENTIAL': (312, 'ABINIT could not use a pseudopotential: {message}'),
    'ERROR_MISSING_PARENT_FILE': (313, 'A file of an earlier run was not found: {message}'),
    'ERROR_INCOMPATIBLE_PARENT_FILE': (314, 'A file of an earlier run does not fit this run: {message}'),
    'ERROR_SYMMETRY_BREAKING_KMESH': (315, 'The mesh of k-points does not have the symmetry of the crystal.'),
    'ERROR_WRONG_NUMBER_OF_BANDS': (316, 'The number of bands does not fit: {message}'),
    'ERROR_OUT_OF_WALLTIME': (320, 'ABINIT stopped in time before the walltime was over; its files are usable.'),
    'ERROR_OUT_OF_WALLTIME_INTERRUPTED': (321, 'The scheduler killed ABINIT because the walltime was over.'),
    'ERROR_OUT_OF_MEMORY': (322, 'ABINIT ran out of memory.'),
    'ERROR_NETCDF_MISSING': (330, 'ABINIT finished, but its netCDF output is missing: {message}'),
    'ERROR_NETCDF_UNREADABLE': (331, 'A netCDF output is truncated or unreadable: {message}'),
    'ERROR_NOT_A_NUMBER': (332, 'The results contain NaN or infinity: {message}'),
    'ERROR_CORRECTIONS_INCOMPLETE': (333, 'k-points without quasiparticle correction: ABINIT left them uncorrected.'),
    'ERROR_EXCITONS_UNREADABLE': (334, 'The eigenstates or oscillator strengths are unreadable: {message}'),
    'ERROR_FILES_DAMAGED': (335, 'Files are not what the job wrote, by their checksums: {message}'),
    'ERROR_OUTPUT_INCONSISTENT': (336, 'The outputs contradict each other or the input: {message}'),
    'ERROR_MAIN_OUTPUT_INCOMPLETE': (337, 'ABINIT finished, but the end of its main output is missing.'),
    'ERROR_SCF_NOT_CONVERGED': (340, 'The self-consistent cycle did not converge.'),
    'ERROR_NSCF_NOT_CONVERGED': (341, 'The states at fixed potential did not converge.'),
    'ERROR_RELAXATION_NOT_CONVERGED': (342, 'The structure did not relax within the steps.'),
    'ERROR_HAYDOCK_NOT_CONVERGED': (343, 'The spectrum did not converge: {message}'),
    'ERROR_ABINIT': (350, 'ABINIT stopped with an error: {message}'),
    'ERROR_ABINIT_BUG': (351, 'ABINIT reports a bug of its own: {message}'),
}

#: Failures that may not come back when the same inputs run again: AiiDA's caching must not return them.
TRANSIENT = (
    'ERROR_OUTPUT_LOG_MISSING',
    'ERROR_OUTPUT_INCOMPLETE',
    'ERROR_CRASHED',
    'ERROR_MISSING_PARENT_FILE',
    'ERROR_INCOMPATIBLE_PARENT_FILE',
    'ERROR_OUT_OF_WALLTIME',
    'ERROR_OUT_OF_WALLTIME_INTERRUPTED',
    'ERROR_OUT_OF_MEMORY',
    'ERROR_NETCDF_MISSING',
    'ERROR_NETCDF_UNREADABLE',
    'ERROR_NOT_A_NUMBER',
    'ERROR_EXCITONS_UNREADABLE',
    'ERROR_FILES_DAMAGED',
    'ERROR_OUTPUT_INCONSISTENT',
    'ERROR_MAIN_OUTPUT_INCOMPLETE',
)

# First match wins. Patterns are searched in messages with all white space reduced to single blanks.
_PATTERNS: tuple[tuple[str, str], ...] = (
    ('not one of the registered input variable names', 'ERROR_UNREADABLE_INPUT'),
    ('There are two occurences of the keyword|defining string for token', 'ERROR_UNREADABLE_INPUT'),
    ('An error occurred reading data for keyword', 'ERROR_UNREADABLE_INPUT'),
    ('k point grid is not symmetric', 'ERROR_SYMMETRY_BREAKING_KMESH'),
    ('not enough bands|Number of bands found less then required', 'ERROR_WRONG_NUMBER_OF_BANDS'),
    (r'Number of bands nband= *\d+ > number of planewaves', 'ERROR_WRONG_NUMBER_OF_BANDS'),
    (r'while opening file: \S+\.psp8|pseudopotential file', 'ERROR_PSEUDOPOTENTIAL'),
    (r'(Cannot find|Missing|opening)[ \w]*file:? in_\w+', 'ERROR_MISSING_PARENT_FILE'),
    ('not in the list of k points treated|fform == 0 while reading', 'ERROR_INCOMPATIBLE_PARENT_FILE'),
    ('dimensions reported in the header do not agree', 'ERROR_INCOMPATIBLE_PARENT_FILE'),
    ('FFT grids must be the same to restart', 'ERROR_INCOMPATIBLE_PARENT_FILE'),
    ('out-of-memory|[Cc]annot allocate memory|Test failed to allocate', 'ERROR_OUT_OF_MEMORY'),
    ('Checking consistency of input data against itself', 'ERROR_INCONSISTENT_INPUT'),
)
_INPUT_SOURCES = re.compile(r'm_(chkinp|invars[012]|ingeo(bld)?|inkpts|dtset)\.F90')
_CRASH = re.compile(r'(Fortran runtime error: .*|Program received signal .*|.*[Ss]egmentation fault.*)')


def define_exit_codes(spec: CalcJobProcessSpec) -> None:
    """Add all exit codes to the specification of the calculation."""
    for label, (status, message) in EXIT_CODES.items():
        spec.exit_code(status, label, message=message, invalidates_cache=label in TRANSIENT)


def classify_message(message: str, source: str = '') -> str | None:
    """Return the label of the exit code for a message of ABINIT or of the runtime, or None if it is not known.

    Args:
        message: the text.
        source: the source file of ABINIT that wrote it; those that read the input only complain about the input.
    """
    flat = ' '.join(message.split())
    label = next((label for pattern, label in _PATTERNS if re.search(pattern, flat)), None)
    if label is None and _INPUT_SOURCES.match(source):
        return 'ERROR_INCONSISTENT_INPUT'
    return label


def find_crash(standard_error: str) -> str | None:
    """Return the line of the standard error that tells of a crash, or None."""
    match = _CRASH.search(standard_error)
    return match.group(1).strip() if match else None
