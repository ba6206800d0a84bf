"""Exit codes of p2y and Yambo, and the messages that lead to each."""

from __future__ import annotations

import re

from aiida.engine import CalcJobProcessSpec

EXIT_CODES: dict[str, tuple[int, str]] = {
    'ERROR_REPORT_MISSING': (301, 'No report of Yambo was retrieved.'),
    'ERROR_REPORT_INCOMPLETE': (302, 'Yambo stopped without a message before it was finished: it was killed.'),
    'ERROR_INPUT_REFUSED': (311, 'Yambo refuses the input: {message}'),
    'ERROR_DATABASE_UNREADABLE': (312, 'A database is missing, truncated or of another run: {message}'),
    'ERROR_PARALLEL_STRUCTURE': (313, 'Yambo cannot distribute the run over so many processes: {message}'),
    'ERROR_P2Y': (314, 'p2y did not import the states: {message}'),
    'ERROR_OUT_OF_WALLTIME': (320, 'The scheduler killed Yambo because the walltime was over.'),
    'ERROR_OUT_OF_MEMORY': (321, 'The memory did not suffice: {message}'),
    'ERROR_RESULTS_MISSING': (330, 'Yambo finished, but results are missing: {message}'),
    'ERROR_RESULTS_UNREADABLE': (331, 'A file with results is truncated or of another run: {message}'),
    'ERROR_NOT_A_NUMBER': (332, 'Energies or results are no numbers: {message}'),
    'ERROR_QUASIPARTICLES_NOT_READ': (333, 'Yambo could not read the quasiparticle database: {message}'),
    'ERROR_QUASIPARTICLES_NOT_APPLIED': (334, 'Yambo did not apply the quasiparticle database (no section `[K+QP]`).'),
    'ERROR_QUASIPARTICLES_INCOMPLETE': (335, 'The quasiparticle database does not cover all states: {message}'),
    'ERROR_QUASIPARTICLES_INTERPOLATED': (336, 'The quasiparticle database is of other k-points: {message}'),
    'ERROR_QUASIPARTICLES_OTHER_STATES': (337, 'The quasiparticle database is of other states: {message}'),
    'ERROR_OUTPUT_INCONSISTENT': (338, 'The files of the run contradict each other: {message}'),
    'ERROR_FILES_DAMAGED': (339, 'Files are not what the job wrote, by their checksums: {message}'),
    'ERROR_HAYDOCK_NOT_CONVERGED': (340, 'The Haydock recursion did not converge: {message}'),
    'ERROR_YAMBO': (350, 'Yambo stopped with an error: {message}'),
    'ERROR_QUASIPARTICLE_GAP': (
        501,
        'Yambo reports a direct quasiparticle gap of {found:.6f} eV; the database means {wanted:.6f} eV.',
    ),
}

#: Failures that may not come back when the same inputs run again: AiiDA's caching must not return them.
TRANSIENT = (
    'ERROR_REPORT_MISSING',
    'ERROR_REPORT_INCOMPLETE',
    'ERROR_DATABASE_UNREADABLE',
    'ERROR_OUT_OF_WALLTIME',
    'ERROR_OUT_OF_MEMORY',
    'ERROR_RESULTS_UNREADABLE',
    'ERROR_OUTPUT_INCONSISTENT',
    'ERROR_FILES_DAMAGED',
)

# First match wins. Messages are those in the source of Yambo 5.2.4.
_PATTERNS = (
    (r'Allocation of|memory above USER limit', 'ERROR_OUT_OF_MEMORY'),
    (r'parallel structure|PARALLEL|ncpu|CPU/ROLEs|LA_comm|not enough work', 'ERROR_PARALLEL_STRUCTURE'),
    (r'ndb\.QP|QP database', 'ERROR_QUASIPARTICLES_NOT_READ'),
    (r'Not enough states to converge the Fermi Level', 'ERROR_NOT_A_NUMBER'),
    (
        r'NetCDF|NETCDF|Missing all or part of|broken|database not found|Header not correct|Incompatible potential',
        'ERROR_DATABASE_UNREADABLE',
    ),
    (
        r'Too many bands|Run DFT with more bands|accomodate all electrons|not accepted|not implemented|K-grid lattice',
        'ERROR_INPUT_REFUSED',
    ),
)


def define_exit_codes(spec: CalcJobProcessSpec) -> None:
    """Add all exit codes to the specification of a calculation."""
    for label, (status, message) in EXIT_CODES.items():
        spec.exit_code(status, label, message=message, invalidates_cache=label in TRANSIENT)


def classify_message(message: str) -> str:
    """Return the label of the exit code for a message with which Yambo stopped."""
    return next((label for pattern, label in _PATTERNS if re.search(pattern, message)), 'ERROR_YAMBO')
