"""Interpolated bands of Wannier90 (``_band.dat``, ``_band.kpt``)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aiida_foundry.engines.wannier90.parse_raw.matrices import UnreadableMatrixError


def parse_bands(energies: str, kpoints: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Parse the bands on the path.

    Args:
        energies: content of ``_band.dat``: one block of (length, energy in eV) per band.
        kpoints: content of ``_band.kpt``: their number, then reduced coordinates and weight.

    Returns:
        k-points, shape ``(nk, 3)``, and energies in eV, shape ``(nk, functions)``.

    Raises:
        UnreadableMatrixError: truncated, not of one path, or numbers that are not finite.
    """
    try:
        number, *points = kpoints.split()
        path = np.array(points, dtype=float).reshape(int(number), 4)[:, :3]
        bands = np.array(energies.split(), dtype=float).reshape(-1, int(number), 2)[..., 1]
    except ValueError as error:
        raise UnreadableMatrixError('the interpolated bands are truncated') from error
    if not (np.isfinite(path).all() and np.isfinite(bands).all()):
        raise UnreadableMatrixError('the interpolated bands hold numbers that are not finite')
    return path, bands.T
