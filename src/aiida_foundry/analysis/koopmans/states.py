"""Bloch states on a full mesh of k-points, and what else a Koopmans calculation takes from the ground state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_foundry.common.errors import InputError

_SAME_POINT = 1e-5
"""Tolerance of reduced coordinates; pw.x writes about 15 digits, of Cartesian coordinates."""


@dataclass(frozen=True)
class Mesh:
    """A full mesh of k-points through Γ; every difference of two of its points is one of them.

    Attributes:
        divisions: numbers of points along the reciprocal vectors.
        points: the k-points times the divisions, whole numbers, shape ``(nk, 3)``.
    """

    divisions: tuple[int, int, int]
    points: NDArray[np.int64]

    @cached_property
    def _index(self) -> NDArray[np.int64]:
        index = np.full(self.divisions, -1, dtype=np.int64)
        index[tuple((self.points % self.divisions).T)] = np.arange(len(self.points))
        return index

    @property
    def reduced(self) -> NDArray[np.float64]:
        """Return the reduced coordinates, shape ``(nk, 3)``."""
        return self.points / np.array(self.divisions, dtype=float)

    def find(self, points: ArrayLike) -> NDArray[np.int64]:
        """Return the indices of points, given as whole numbers times the divisions, modulo reciprocal vectors."""
        return self._index[tuple(np.moveaxis(np.asarray(points) % self.divisions, -1, 0))]

    def add(self, k: int, q: int) -> tuple[int, NDArray[np.int64]]:
        """Return the index k' and the reciprocal vector G with ``k + q = k' + G``."""
        total = self.points[k] + self.points[q]
        index = int(self.find(total))
        return index, (total - self.points[index]) // self.divisions


def mesh_of(kpoints: ArrayLike) -> Mesh:
    """Recognise a full mesh through Γ.

    Args:
        kpoints: reduced coordinates, shape ``(nk, 3)``, in any order and any cell of the reciprocal lattice.

    Raises:
        InputError: the points are not a full mesh, or it does not hold Γ.
    """
    points = np.asarray(kpoints, dtype=float)
    divisions = [_count(points[:, axis]) for axis in range(3)]
    whole = np.rint(points * divisions).astype(np.int64)
    folded = {tuple(point) for point in (whole % divisions)}
    complete = len(points) == len(folded) == np.prod(divisions)
    if not complete or np.abs(points * divisions - whole).max() > _SAME_POINT * max(divisions):
        raise InputError(
            'k-points',
            f'{len(points)} points are not a full mesh through Γ',
            'Compute all points of a Γ-centred mesh: `nosym` and `noinv` true, a list in the order of Wannier90',
        )
    return Mesh((divisions[0], divisions[1], divisions[2]), whole)


def _count(coordinates: NDArray[np.float64]) -> int:
    """Return the number of different coordinates modulo 1."""
    folded = np.sort(np.mod(coordinates + _SAME_POINT, 1.0))
    return 1 + int((np.diff(folded) > 2 * _SAME_POINT).sum())


@dataclass(frozen=True)
class BlochStates:
    """Kohn-Sham states of a spin-degenerate insulator.

    Attributes:
        lattice: rows are lattice vectors in bohr.
        mesh: the k-points.
        grid: points of the real-space grid along the lattice vectors; it holds products of two states exactly.
        energies: in Ry, shape ``(nk, bands)``.
        miller: indices of the plane waves of each k-point, each of shape ``(waves, 3)``.
        coefficients: of each k-point, shape ``(bands, waves)``, normalised.
        occupied: number of occupied bands.
        wave_cutoff: cutoff of the wavefunctions in Ry.
    """

    lattice: NDArray[np.float64]
    mesh: Mesh
    grid: tuple[int, int, int]
    energies: NDArray[np.float64]
    miller: Sequence[NDArray[np.int64]]
    coefficients: Sequence[NDArray[np.complex128]]
    occupied: int
    wave_cutoff: float

    @cached_property
    def volume(self) -> float:
        """Return the volume of the cell in bohr³."""
        return float(abs(np.linalg.det(self.lattice)))

    @cached_property
    def reciprocal(self) -> NDArray[np.float64]:
        """Return the reciprocal lattice, rows in 1/bohr, with the factor 2π."""
        return 2 * np.pi * np.linalg.inv(self.lattice).T

    @cached_property
    def box(self) -> NDArray[np.int64]:
        """Return the Miller indices of the grid in the order of a fast Fourier transform, shape ``(*grid, 3)``."""
        axes = [np.rint(np.fft.fftfreq(n) * n).astype(np.int64) for n in self.grid]
        return np.stack(np.meshgrid(*axes, indexing='ij'), axis=-1)

    @cached_property
    def fractions(self) -> NDArray[np.float64]:
        """Return the reduced coordinates of the points of the grid, shape ``(points, 3)``."""
        return np.moveaxis(np.indices(self.grid), 0, -1).reshape(-1, 3) / np.array(self.grid)

    def wave_vectors(self, q: int) -> NDArray[np.float64]:
        """Return q + G on the grid in 1/bohr, shape ``(*grid, 3)``; q is the number of a point of the mesh.

        G runs over the cell of the grid around -q, so that ``-(q + G)`` belongs to -q.
        """
        return self._centred(q) @ self.reciprocal

    def gradient_vectors(self, q: int) -> NDArray[np.float64]:
        """Return q + G for derivatives: zero along an axis on whose edge it lies, where its sign is arbitrary."""
        centred = self._centred(q)
        edge = np.abs(2 * np.abs(centred) - self.grid) < 1e-9
        return np.where(edge, 0.0, centred) @ self.reciprocal

    def _centred(self, q: int) -> NDArray[np.float64]:
        """Return the reduced coordinates of q + G, between minus and plus half the grid."""
        vectors = self.box + self.mesh.reduced[q]
        return vectors - np.array(self.grid) * np.rint(vectors / self.grid)

    def require_gap(self) -> None:
        """Refuse a metal.

        Raises:
            InputError: the occupied and the empty bands overlap on the mesh, or there are no empty bands.
        """
        if self.energies.shape[1] <= self.occupied:
            raise InputError('bands', 'there are no empty bands', 'Compute more bands')
        gap = self.energies[:, self.occupied :].min() - self.energies[:, : self.occupied].max()
        if gap <= 0:
            raise InputError(
                'bands', f'occupied and empty bands overlap by {-gap:.4f} Ry: a metal', 'Koopmans needs an insulator'
            )
