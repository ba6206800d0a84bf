"""Exit codes of a Wannier90 calculation, and the messages of Wannier90 that lead to each."""

from __future__ import annotations

import re

from aiida.engine import CalcJobProcessSpec

EXIT_CODES: dict[str, tuple[int, str]] = {
    'ERROR_OUTPUT_MISSING': (301, 'The main output of Wannier90 was not retrieved or is empty.'),
    'ERROR_OUTPUT_INCOMPLETE': (302, 'Wannier90 stopped without a message before it was finished: it was killed.'),
    'ERROR_UNREADABLE_INPUT': (310, 'Wannier90 refuses its input: {message}'),
    'ERROR_MISSING_OVERLAPS': (311, 'A file of pw2wannier90 is missing or does not fit: {message}'),
    'ERROR_WINDOWS': (312, 'The windows of the disentanglement do not fit the bands: {message}'),
    'ERROR_MESH': (313, 'The mesh has no complete set of neighbours: {message}'),
    'ERROR_TRIAL_PROJECTIONS': (314, 'The trial projections are linearly dependent: {message}'),
    'ERROR_OUT_OF_WALLTIME': (320, 'The scheduler killed Wannier90 because the walltime was over.'),
    'ERROR_NNKP_MISSING': (330, 'Wannier90 finished, but wrote no list of neighbours (`.nnkp`).'),
    'ERROR_MATRICES_MISSING': (331, 'Wannier90 finished, but its matrices are missing: {message}'),
    'ERROR_MATRICES_UNREADABLE': (332, 'A file of Wannier90 is truncated or unreadable: {message}'),
    'ERROR_GAUGE_NOT_UNITARY': (333, 'The gauge matrices are not unitary: {message}'),
    'ERROR_NOT_A_NUMBER': (334, 'Centres or spreads are no numbers.'),
    'ERROR_FILES_DAMAGED': (335, 'Files are not what the job wrote, by their checksums: {message}'),
    'ERROR_OUTPUT_INCONSISTENT': (336, 'The outputs contradict each other or the input: {message}'),
    'ERROR_DISENTANGLEMENT_NOT_CONVERGED': (340, 'The subspace selection did not converge: {message}'),
    'ERROR_SPREAD_NOT_CONVERGED': (341, 'The spread minimisation did not converge: {message}'),
    'ERROR_WANNIER90': (350, 'Wannier90 stopped with an error: {message}'),
}

#: Failures that may not come back when the same inputs run again: AiiDA's caching must not return them.
TRANSIENT = (
    'ERROR_OUTPUT_MISSING',
    'ERROR_OUTPUT_INCOMPLETE',
    'ERROR_OUT_OF_WALLTIME',
    'ERROR_MATRICES_MISSING',
    'ERROR_MATRICES_UNREADABLE',
    'ERROR_FILES_DAMAGED',
    'ERROR_OUTPUT_INCONSISTENT',
)

# First match wins.
_PATTERNS = (
    (r'dis_windows|dis_froz|dis_win|disentanglement window|More states in the frozen window', 'ERROR_WINDOWS'),
    (r'kmesh|B1 condition|shells?\b', 'ERROR_MESH'),
    (r'\.eig|has not the right number|\.(mmn|amn)\b', 'ERROR_MISSING_OVERLAPS'),
    (r'GESVD|unitarity|dis_project', 'ERROR_TRIAL_PROJECTIONS'),
    (r'param_|keyword|block|must be|recogni[sz]ed|You must specify|input file', 'ERROR_UNREADABLE_INPUT'),
)


def define_exit_codes(spec: CalcJobProcessSpec) -> None:
    """Add all exit codes to the specification of the calculation."""
    for label, (status, message) in EXIT_CODES.items():
        spec.exit_code(status, label, message=message, invalidates_cache=label in TRANSIENT)


def classify_message(message: str) -> str:
    """Return the label of the exit code for a message with which Wannier90 stopped."""
    return next((label for pattern, label in _PATTERNS if re.search(pattern, message)), 'ERROR_WANNIER90')
