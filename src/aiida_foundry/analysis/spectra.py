"""Dielectric functions: from transitions to spectra, from directions to the tensor, from spectra to peaks."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_foundry.common.errors import InputError

VERSION = 1

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


def dielectric_function(
    energies: ArrayLike, strengths: ArrayLike, frequencies: ArrayLike, broadening: float
) -> ComplexArray:
    """Return the dielectric function of transitions, resonant and antiresonant, with any broadening.

    ε(ω) = 1 + Σ f [1/(E − ω − iη) + 1/(E + ω + iη)] (G. Onida, L. Reining and A. Rubio, Rev. Mod. Phys. 74, 601
    (2002), Eq. 5.9 with the antiresonant part).

    Args:
        energies: (t,) in eV.
        strengths: (..., t), the residues f in eV, e.g. one row per direction.
        frequencies: (w,) in eV.
        broadening: η in eV, half width at half maximum of each line.

    Returns:
        (..., w), no unit.
    """
    e, f, w = (np.asarray(values, dtype=float) for values in (energies, strengths, frequencies))
    z = w[:, np.newaxis] + 1j * broadening
    return np.asarray(1 + f @ (1 / (e - z) + 1 / (e + z)).T)


def dielectric_tensor(directions: ArrayLike, values: ArrayLike) -> ComplexArray:
    """Return the symmetric tensor whose longitudinal components q̂·ε·q̂ are given.

    Args:
        directions: (q, 3) Cartesian, of any length; at least six, whose products span the symmetric tensors.
        values: (q, w).

    Returns:
        (w, 3, 3).

    Raises:
        InputError: if the directions do not determine the tensor.
    """
    q = np.asarray(directions, dtype=float)
    q = q / np.linalg.norm(q, axis=1, keepdims=True)
    rows, columns = np.triu_indices(3)
    design = q[:, rows] * q[:, columns] * np.where(rows == columns, 1, 2)
    if np.linalg.matrix_rank(design, tol=1e-6) < 6:
        raise InputError('directions', f'these {len(q)} do not determine the dielectric tensor', 'Give six independent')
    components = np.linalg.lstsq(design.astype(complex), np.asarray(values), rcond=None)[0]
    tensor = np.empty((components.shape[1], 3, 3), dtype=complex)
    tensor[:, rows, columns] = tensor[:, columns, rows] = components.T
    return tensor


def average(tensor: ArrayLike) -> ComplexArray:
    """Return the average of a tensor (..., 3, 3) over all directions: a third of its trace."""
    return np.asarray(np.trace(np.asarray(tensor), axis1=-2, axis2=-1) / 3)


def peaks(frequencies: ArrayLike, spectrum: ArrayLike, prominence: float = 0.05) -> tuple[FloatArray, FloatArray]:
    """Return positions and heights of the peaks of a spectrum, refined by a parabola through three points.

    Args:
        frequencies: (w,) equidistant.
        spectrum: (w,), e.g. Im ε.
        prominence: as a fraction of the highest value; smaller peaks are left out.
    """
    from scipy.signal import find_peaks  # takes a second to import, of every command that shows a spectrum

    x, y = np.asarray(frequencies, dtype=float), np.asarray(spectrum, dtype=float)
    index, _ = find_peaks(y, prominence=prominence * y.max())
    before, at, after = y[index - 1], y[index], y[index + 1]
    shift = 0.5 * (before - after) / (before - 2 * at + after)
    return x[index] + shift * (x[1] - x[0]), at - 0.25 * (before - after) * shift
