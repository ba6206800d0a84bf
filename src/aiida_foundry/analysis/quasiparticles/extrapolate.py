"""Corrections of states that a calculation did not cover, from those that it did."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_foundry.common.errors import InputError

EXTRAPOLATIONS = ('refuse', 'scissor', 'linear')
"""What to do with states without correction: refuse them; give them the mean correction of the states on their side of
the gap; or the straight line in the Kohn-Sham energy through these (what Yambo does unasked)."""

MINIMUM_ENERGY_RANGE = 0.1
"""eV that the covered states must span for a straight line."""


def fill(
    energies: NDArray[np.float64], corrections: NDArray[np.float64], occupied: int, method: str
) -> tuple[NDArray[np.float64], dict[str, Any]]:
    """Fill the gaps in the corrections, on each side of the band gap by itself.

    Args:
        energies: (k, band), Kohn-Sham energies in eV.
        corrections: (k, band) in eV, NaN where there is none.
        occupied: number of filled bands among the columns.
        method: one of `EXTRAPOLATIONS`.

    Returns:
        Corrections without gaps, and for each side (``valence``, ``conduction``) that had gaps a record with the number
        of states ``extrapolated`` and ``covered``, the ``rms`` deviation in eV of the covered corrections from the
        fit, and ``slope`` and ``intercept`` of the fit, correction = slope · energy + intercept (eV).

    Raises:
        InputError: gaps that are refused, or that the covered states cannot fill.
    """
    missing = np.isnan(corrections)
    if method not in EXTRAPOLATIONS:
        raise InputError(f'extrapolation `{method}`', 'it is unknown', f'Known are {", ".join(EXTRAPOLATIONS)}')
    if missing.any() and method == 'refuse':
        bands = np.flatnonzero(missing.any(axis=0)) + 1
        raise InputError(
            'quasiparticles',
            f'{missing.sum()} of {missing.size} states of the Bethe-Salpeter bands have no correction '
            f'(bands {bands.tolist()}, from the first of the window)',
            'Compute them, take fewer bands, or choose the extrapolation `scissor` or `linear`',
        )
    filled, records = corrections.copy(), {}
    for side, columns in (('valence', slice(0, occupied)), ('conduction', slice(occupied, None))):
        if missing[:, columns].any():
            filled[:, columns], records[side] = _fill_side(energies[:, columns], corrections[:, columns], side, method)
    return filled, records


def _fill_side(
    energies: NDArray[np.float64], corrections: NDArray[np.float64], side: str, method: str
) -> tuple[NDArray[np.float64], dict[str, Any]]:
    covered = ~np.isnan(corrections)
    x, y = energies[covered], corrections[covered]
    if len(x) == 0 or (method == 'linear' and np.ptp(x) < MINIMUM_ENERGY_RANGE):
        raise InputError(
            'quasiparticles',
            f'{len(x)} corrected {side} states are too few for the extrapolation `{method}`',
            'Compute more of them',
        )
    slope, intercept = np.polyfit(x, y, 1) if method == 'linear' else (0.0, y.mean())
    fit = slope * energies + intercept
    record = {
        'extrapolated': int((~covered).sum()),
        'covered': int(covered.sum()),
        'rms': float(np.sqrt(np.mean((y - fit[covered]) ** 2))),
        'slope': float(slope),
        'intercept': float(intercept),
    }
    return np.where(covered, corrections, fit), record
