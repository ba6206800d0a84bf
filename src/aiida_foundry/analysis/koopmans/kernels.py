"""Interaction kernels of a perturbation with one wave vector: Hartree, exchange-correlation, and the head."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.special import erfc

from aiida_foundry.analysis.koopmans import functional as xc
from aiida_foundry.analysis.koopmans.states import BlochStates, Mesh


class Kernels:
    """Kernels for the charge, v_H + f_c, and for the spin, f_m, as operators on the grid.

    Args:
        states: give cell, mesh and grid.
        density: of valence and core electrons in bohr⁻³ on the grid, shape ``grid``.
        functional: ``lda``, ``pbe`` or ``pbesol``.
        workers: threads of the Fourier transforms.
    """

    def __init__(self, states: BlochStates, density: NDArray[np.float64], functional: str, workers: int = 1) -> None:
        self._states = states
        self._workers = workers
        self._factors: dict[int, NDArray[np.float64]] = {}
        self._local = functional == 'lda'
        self._gradient = self._to_real(1j * (states.box @ states.reciprocal) * self._to_waves(density)[..., None]).real
        squared = (self._gradient**2).sum(axis=-1)
        self._charge, self._spin = xc.coefficients(functional, density, squared)

    def hartree(self, density: NDArray[np.complex128], q: int) -> NDArray[np.complex128]:
        """Return the Hartree potential in Ry of densities of wave vector q, shape ``(points, batch)``.

        The component q + G = 0 is left out; see `head_correction`.
        """
        return self._multiply(density, self.coulomb(q))

    def hartree_norm(self, density: NDArray[np.complex128], q: int) -> float:
        """Return the sum over the grid of δn* v_H δn for one density of wave vector q, shape ``(points,)``."""
        waves = self._to_waves(density.reshape(self._states.grid))
        return float(density.size * (self.coulomb(q) * (waves.real**2 + waves.imag**2)).sum())

    def coulomb(self, q: int) -> NDArray[np.float64]:
        """Return the Coulomb interaction in Ry bohr³ at q + G, shape ``grid``, see `coulomb`."""
        if q not in self._factors:
            squared = (self._states.wave_vectors(q) ** 2).sum(axis=-1)
            self._factors[q] = coulomb(squared, 4 * self._states.wave_cutoff)
        return self._factors[q]

    def charge(self, density: NDArray[np.complex128], q: int) -> NDArray[np.complex128]:
        """Return f_c δn in Ry, shape ``(points, batch)``."""
        return self._apply(self._charge, density, q)

    def spin(self, density: NDArray[np.complex128], q: int) -> NDArray[np.complex128]:
        """Return f_m δm in Ry, shape ``(points, batch)``."""
        return self._apply(self._spin, density, q)

    def filtered(self, values: NDArray[np.complex128], factor: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Return values ``(points, batch)`` whose Fourier components are multiplied by a factor of shape ``grid``."""
        return self._multiply(values, factor)

    def _apply(self, c: xc.KernelCoefficients, density: NDArray[np.complex128], q: int) -> NDArray[np.complex128]:
        """Return the second variation: c.nn δn + 2 c.ns ∇n·∇δn - ∇·[2 c.s ∇δn + (2 c.ns δn + 4 c.ss ∇n·∇δn) ∇n]."""
        flat = (c.nn + c.zz).reshape(-1, 1) * density
        if self._local:
            return flat
        vectors = self._states.gradient_vectors(q)
        result = np.empty_like(density)
        for column in range(density.shape[1]):
            change = density[:, column].reshape(self._states.grid)
            slope = self._to_real(1j * vectors * self._to_waves(change)[..., None])
            along = (self._gradient * slope).sum(axis=-1)
            flow = 2 * c.s[..., None] * slope + (2 * c.ns * change + 4 * c.ss * along)[..., None] * self._gradient
            divergence = self._to_real((1j * vectors * self._to_waves(flow)).sum(axis=-1))
            result[:, column] = flat[:, column] + (2 * c.ns * along - divergence).ravel()
        return result

    def _multiply(self, values: NDArray[np.complex128], factor: NDArray[np.float64]) -> NDArray[np.complex128]:
        waves = self._to_waves(values.reshape(*self._states.grid, -1)) * factor[..., None]
        return self._to_real(waves).reshape(values.shape)

    def _to_waves(self, values: NDArray) -> NDArray[np.complex128]:
        return scipy.fft.fftn(values, axes=(0, 1, 2), norm='forward', workers=self._workers)

    def _to_real(self, waves: NDArray) -> NDArray[np.complex128]:
        return scipy.fft.ifftn(waves, axes=(0, 1, 2), norm='forward', workers=self._workers)


def coulomb(squared: NDArray[np.float64], cutoff: float) -> NDArray[np.float64]:
    """Return 8π/Q² in Ry bohr³ for squares of wave vectors up to a cutoff (Ry); zero beyond it and at Q = 0."""
    inside = (squared > 1e-10) & (squared <= cutoff)
    return np.where(inside, 8 * np.pi / np.where(inside, squared, 1.0), 0.0)


def head_correction(lattice: NDArray[np.float64], mesh: Mesh, dielectric_constant: float = 1.0) -> float:
    """Return the energy in Ry by which the interaction without its component Q = 0 is too small for one electron.

    F. Gygi and A. Baldereschi, Phys. Rev. B 34, 4405 (1986): the mean of 8π/(εQ²) over the cell of the reciprocal
    lattice around Q = 0. It equals the energy of a point charge in the periodic images of the supercell of the mesh
    and their neutralising background, e² v_M/(εL), and is evaluated as such by Ewald's sum, which converges for cells
    of every shape.

    Args:
        lattice: rows in bohr.
        mesh: its divisions make the supercell.
        dielectric_constant: ε∞ for the screened interaction, 1 for the bare one.
    """
    supercell = lattice * np.array(mesh.divisions)[:, None]
    volume = abs(np.linalg.det(supercell))
    reciprocal = 2 * np.pi * np.linalg.inv(supercell).T
    width = np.sqrt(np.pi) / volume ** (1 / 3)
    waves = (_lattice_points(reciprocal, 14 * width) ** 2).sum(axis=-1)
    distances = np.sqrt((_lattice_points(supercell, 7 / width) ** 2).sum(axis=-1))
    long_range = 4 * np.pi / volume * (np.exp(-waves / (4 * width**2)) / waves).sum()
    short_range = (erfc(width * distances) / distances).sum()
    madelung = long_range + short_range - 2 * width / np.sqrt(np.pi) - np.pi / (volume * width**2)
    return float(-2 * madelung / dielectric_constant)


def _lattice_points(vectors: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
    """Return the points of a lattice within a radius, without the origin."""
    heights = 1 / np.linalg.norm(np.linalg.inv(vectors), axis=0)
    counts = [int(np.ceil(radius / height)) for height in heights]
    axes: Sequence[NDArray[np.int64]] = [np.arange(-n, n + 1) for n in counts]
    points = np.stack(np.meshgrid(*axes, indexing='ij'), axis=-1).reshape(-1, 3) @ vectors
    lengths = np.linalg.norm(points, axis=1)
    return points[(lengths > 1e-8) & (lengths <= radius)]
