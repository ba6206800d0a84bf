"""Quasiparticle corrections as ABINIT's Bethe-Salpeter equation reads them (``bs_calctype 2``)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

VERSION = 1

#: ABINIT opens a file of exactly this name in its working directory.
QUASIPARTICLE_FILE = '__in.gw__'


def render(kpoints: ArrayLike, ks_energies: ArrayLike, corrections: ArrayLike, first_band: int = 1) -> str:
    """Return the text of the file: per k-point the bands with energy, correction and imaginary part in eV.

    Only the corrections are used. ABINIT 9.6 refuses an imaginary part that is not zero, and goes on with a warning if
    k-points of the wavefunctions are missing or bands are not listed.

    Args:
        kpoints: (k, 3) reduced, those of the wavefunctions.
        ks_energies: (k, band) in eV, all bands of the electron-hole pairs.
        corrections: (k, band) in eV.
        first_band: index, from 1, of the first band in the arrays.

    Raises:
        ValueError: shapes that do not fit or values that are not finite.
    """
    points, energies, shifts = (np.asarray(values, dtype=float) for values in (kpoints, ks_energies, corrections))
    if energies.shape != shifts.shape or len(points) != len(energies):
        raise ValueError(f'{points.shape} k-points, {energies.shape} energies and {shifts.shape} corrections differ')
    if not (np.isfinite(energies).all() and np.isfinite(shifts).all()):
        raise ValueError('some energies or corrections are not finite')
    lines = [f'{len(points)} 1']
    for point, row, shift in zip(points, energies, shifts, strict=True):
        lines.append(' '.join(f'{x:.10f}' for x in point))
        lines.append(str(len(row)))
        lines += [
            f'{band} {energy + change:.10f} {change:.10f} 0.0'
            for band, (energy, change) in enumerate(zip(row, shift, strict=True), start=first_band)
        ]
    return '\n'.join(lines) + '\n'
