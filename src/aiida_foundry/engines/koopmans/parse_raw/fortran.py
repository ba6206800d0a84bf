"""Unformatted files of Quantum ESPRESSO: wavefunctions and charge density."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aiida_foundry.common.errors import InputError


class Wavefunctions(NamedTuple):
    """Content of ``wfcN.dat``.

    Attributes:
        kpoint: Cartesian in 1/bohr.
        miller: indices of the plane waves, shape ``(waves, 3)``.
        coefficients: shape ``(bands, waves)``.
    """

    kpoint: NDArray[np.float64]
    miller: NDArray[np.int64]
    coefficients: NDArray[np.complex128]


def _records(path: Path) -> Iterator[bytes]:
    """Yield the records of a sequential file with 4-byte markers.

    Raises:
        InputError: missing, truncated, or not such a file.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        remedy = 'Keep the folder of the nscf run; a pw.x that writes HDF5 is not supported'
        raise InputError(f'file `{path.name}`', f'cannot be read ({error.strerror})', remedy) from error
    position = 0
    while position < len(content):
        length = int.from_bytes(content[position : position + 4], 'little')
        end = position + 4 + length
        if content[end : end + 4] != content[position : position + 4] or end + 4 > len(content):
            raise InputError(f'file `{path.name}`', 'is truncated or not of Quantum ESPRESSO', 'Run pw.x again')
        yield content[position + 4 : end]
        position = end + 4


def read_wavefunctions(path: Path) -> Wavefunctions:
    """Read the states of one k-point.

    Raises:
        InputError: missing, truncated, of half the plane waves (Γ tricks), or of spinors.
    """
    records = _records(path)
    head = next(records)
    kpoint, gamma_only = np.frombuffer(head, '<f8', 3, 4), int.from_bytes(head[32:36], 'little')
    _, waves, components, bands = np.frombuffer(next(records), '<i4')
    if gamma_only or components != 1:
        raise InputError(
            f'file `{path.name}`', 'holds spinors or half of the plane waves', 'Use neither spin-orbit nor Γ tricks'
        )
    next(records)
    miller = np.frombuffer(next(records), '<i4').reshape(waves, 3).astype(np.int64)
    rows = [np.frombuffer(record, '<c16') for record in records]
    if len(rows) != bands or any(len(row) != waves for row in rows):
        raise InputError(f'file `{path.name}`', 'is truncated', 'Run pw.x again')
    return Wavefunctions(kpoint, miller, np.stack(rows))


def read_density(path: Path, grid: tuple[int, int, int]) -> NDArray[np.complex128]:
    """Read the charge density as Fourier components on the box of a grid, in bohr⁻³.

    Raises:
        InputError: missing, truncated, spin-polarised, or with waves that the grid does not hold.
    """
    records = _records(path)
    gamma_only, waves, spins = np.frombuffer(next(records), '<i4')
    if gamma_only or spins != 1:
        raise InputError(f'file `{path.name}`', 'is spin-polarised or of Γ tricks', 'Use nspin = 1 and a full mesh')
    next(records)
    miller = np.frombuffer(next(records), '<i4').reshape(waves, 3)
    components = np.frombuffer(next(records), '<c16')
    if 2 * np.abs(miller).max(axis=0).max() >= 2 * max(grid):
        raise InputError(f'file `{path.name}`', f'does not fit the grid {grid}', 'Take both of the same run')
    box = np.zeros(grid, dtype=complex)
    box[tuple((miller % grid).T)] = components
    return box
