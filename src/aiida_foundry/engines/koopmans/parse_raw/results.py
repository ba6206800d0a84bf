"""Report and arrays of ``aiida-foundry-ki``."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
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


#: What the report of a finished run holds, and of which type.
REPORT: dict[str, type | tuple[type, ...]] = {
    'completed': bool,
    'version': str,
    'wall_time_seconds': (int, float),
    'cpu_time_seconds': (int, float),
    'peak_memory_mb': (int, float),
    'threads': int,
}
RESULTS: dict[str, type | tuple[type, ...]] = {
    'functional': str,
    'settings': dict,
    'occupied_bands': int,
    'bands': int,
    'mesh': list,
    'wave_vectors': dict,
    'alpha': list,
    'head_correction_ev': (int, float),
    'disentangled_states_left_out': int,
}


class UnreadableResultsError(ValueError):
    """A file is truncated or lacks something."""


def parse_report(content: bytes) -> dict[str, Any]:
    """Parse ``aiida.ki.json``.

    Raises:
        UnreadableResultsError: not JSON, or not such a report.
    """
    try:
        report: dict[str, Any] = json.loads(content, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise UnreadableResultsError(f'the report is damaged ({error})') from error
    if not isinstance(report, dict):
        raise UnreadableResultsError('the report is damaged (it is no mapping)')
    wanted = REPORT | (RESULTS if report.get('completed') is True else {})
    if missing := [name for name, kind in wanted.items() if not isinstance(report.get(name), kind)]:
        raise UnreadableResultsError(f'the report lacks {", ".join(missing)}')
    return report


def _refuse_constant(name: str) -> float:
    raise ValueError(f'{name} is no number')


def parse_arrays(content: bytes) -> dict[str, NDArray[Any]]:
    """Parse ``aiida.ki.npz``.

    Raises:
        UnreadableResultsError: truncated, or an array is missing.
    """
    try:
        with np.load(io.BytesIO(content)) as file:
            return {name: file[name] for name in (*QUASIPARTICLES, *SCREENING)}
    except (OSError, ValueError, EOFError, KeyError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise UnreadableResultsError(f'the arrays are truncated or incomplete ({error})') from error


def not_finite(arrays: dict[str, NDArray[Any]]) -> list[str]:
    """Return the names of arrays with values that are not finite, where NaN does not mean "not covered"."""
    whole = ('kpoints', 'ks_energies', *SCREENING)
    bad = [name for name in whole if not np.isfinite(arrays[name]).all()]
    covered = np.isfinite(arrays['wannier_energies'])
    if (covered != np.isfinite(arrays['koopmans_energies'])).any() or not covered.any():
        bad.append('koopmans_energies')
    return bad
