"""Report and arrays of ``aiida-foundry-ki``."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

QUASIPARTICLES = ('kpoints', 'ks_energies', 'qp_energies', 'wannier_energies', 'koopmans_energies')
SCREENING = (
    'alpha',
    'occupied',
    'representative',
    'self_hartree',
    'bare',
    'screened',
    'self_hartree_q',
    'bare_q',
    'screened_q',
)


class UnreadableResultsError(ValueError):
    """A file is truncated or lacks something."""


def parse_report(content: bytes) -> dict[str, Any]:
    """Parse ``aiida.ki.json``.

    Raises:
        UnreadableResultsError: not JSON, or not such a report.
    """
    try:
        report: dict[str, Any] = json.loads(content)
    except ValueError as error:
        raise UnreadableResultsError(f'the report is truncated ({error})') from error
    if 'completed' not in report:
        raise UnreadableResultsError('the report does not say whether the run finished')
    return report


def parse_arrays(content: bytes) -> dict[str, NDArray[Any]]:
    """Parse ``aiida.ki.npz``.

    Raises:
        UnreadableResultsError: truncated, or an array is missing.
    """
    try:
        with np.load(io.BytesIO(content)) as file:
            return {name: file[name] for name in (*QUASIPARTICLES, *SCREENING)}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise UnreadableResultsError(f'the arrays are truncated or incomplete ({error})') from error


def not_finite(arrays: dict[str, NDArray[Any]]) -> list[str]:
    """Return the names of arrays with values that are not finite, where NaN does not mean "not covered"."""
    whole = ('kpoints', 'ks_energies', *SCREENING)
    bad = [name for name in whole if not np.isfinite(arrays[name]).all()]
    covered = np.isfinite(arrays['wannier_energies'])
    if (covered != np.isfinite(arrays['koopmans_energies'])).any() or not covered.any():
        bad.append('koopmans_energies')
    return bad
