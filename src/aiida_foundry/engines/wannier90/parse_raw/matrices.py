"""Gauge matrices and Hamiltonian that Wannier90 writes (``_u.mat``, ``_u_dis.mat``, ``.eig``)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class UnreadableMatrixError(ValueError):
    """A file is truncated or is not what its name says."""


class GaugeMatrices(NamedTuple):
    """Matrices and k-points of a file.

    Attributes:
        kpoints: reduced coordinates, shape ``(nk, 3)``.
        matrices: shape ``(nk, bands, functions)``.
    """

    kpoints: NDArray[np.float64]
    matrices: NDArray[np.complex128]


def parse_gauge(text: str, name: str = 'the file') -> GaugeMatrices:
    """Parse ``_u.mat`` or ``_u_dis.mat``, where the index of the bands runs fastest.

    Args:
        text: content.
        name: of the file, for messages.

    Raises:
        UnreadableMatrixError: truncated, or numbers that are not finite.
    """
    lines = text.split('\n', 2)
    try:
        number, functions, bands = (int(word) for word in lines[1].split())
        values = np.array(lines[2].split(), dtype=float).reshape(number, 3 + 2 * bands * functions)
    except (IndexError, ValueError) as error:
        raise UnreadableMatrixError(f'{name} is truncated or no gauge matrix') from error
    if not np.isfinite(values).all():
        raise UnreadableMatrixError(f'{name} holds numbers that are not finite')
    pairs = values[:, 3:].reshape(number, functions, bands, 2)
    return GaugeMatrices(values[:, :3], np.swapaxes(pairs[..., 0] + 1j * pairs[..., 1], 1, 2))


def render_gauge(gauge: GaugeMatrices, comment: str) -> str:
    """Return the text of ``_u.mat`` or ``_u_dis.mat`` as Wannier90 writes it.

    Args:
        gauge: k-points and matrices.
        comment: the first line.
    """
    number, bands, functions = gauge.matrices.shape
    lines = [comment, f'{number:12d}{functions:12d}{bands:12d}']
    for kpoint, matrix in zip(gauge.kpoints, gauge.matrices, strict=True):
        lines += ['', f'{kpoint[0]:15.10f}{kpoint[1]:+15.10f}{kpoint[2]:+15.10f}']
        lines += [f'{value.real:15.10f}{value.imag:+15.10f}' for value in matrix.T.ravel()]
    return '\n'.join(lines) + '\n'


def parse_eigenvalues(text: str) -> NDArray[np.float64]:
    """Parse ``.eig``: lines of band, k-point, energy in eV.

    Returns:
        Energies, shape ``(nk, bands)``.

    Raises:
        UnreadableMatrixError: truncated.
    """
    try:
        rows = np.array(text.split(), dtype=float).reshape(-1, 3)
        bands, number = int(rows[-1, 0]), int(rows[-1, 1])
        return rows[:, 2].reshape(number, bands)
    except (IndexError, ValueError) as error:
        raise UnreadableMatrixError('the eigenvalues are truncated') from error
