"""Main output (``.abo``): what the netCDF files lack."""

from __future__ import annotations

import re

_ITERATION = re.compile(r'^ ETOT\s+(\d+)\s', re.MULTILINE)
_END = 'Calculation completed.'
_DIELECTRIC = re.compile(r'dielectric constant( without local fields)? =\s*([-\d.E+*]+|NaN)')


def has_ended(text: str) -> bool:
    """Return whether the text has its end."""
    return _END in text


def count_scf_iterations(text: str) -> int | None:
    """Return the number of iterations of the last self-consistent cycle, or None if there was none."""
    iterations = _ITERATION.findall(text)
    return int(iterations[-1]) if iterations else None


def parse_dielectric_constants(text: str) -> dict[str, float]:
    """Return the macroscopic dielectric constant of a screening run.

    Returns:
        ``with_local_fields`` and ``without_local_fields``; empty if the run did not compute q → 0.
    """
    values = {}
    for without, value in _DIELECTRIC.findall(text):
        try:
            number = float(value)
        except ValueError:  # asterisks where the number did not fit
            number = float('nan')
        values['without_local_fields' if without else 'with_local_fields'] = number
    return values
