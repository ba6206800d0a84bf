"""Dyson equation of the screening, solved variationally in a Krylov space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from aiida_foundry.common.errors import InputError

Operator = Callable[[NDArray[np.complex128]], NDArray[np.complex128]]


@dataclass
class Channel:
    """A channel, charge or spin, of the Dyson equation (1 + 2KS) Ṽ = V, for several V of one wave vector.

    With S the (positive) independent response, S + 2SKS is Hermitian, and the screening energy ⟨SV|Ṽ⟩ is the maximum of
    2 Re⟨SV|x⟩ - ⟨x|S + 2SKS|x⟩: an error of x enters in second order. So a few vectors are enough; all functions of
    this wave vector share them.

    Attributes:
        potentials: V on the grid, shape ``(points, functions)``.
        kernel: applies K.
        precondition: roughly applies the inverse of 1 + 2KS, to residuals.
        dependent: eigenvalue, relative to the diagonal, below which a direction is noise: above the error of S.
        energies: ⟨SV|Ṽ⟩ per point of the grid in the space so far, shape ``(functions,)``.
        changes: of these in the last step.
    """

    potentials: NDArray[np.complex128]
    kernel: Operator
    precondition: Operator
    dependent: float = 1e-10
    energies: NDArray[np.float64] = field(init=False)
    changes: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        points, functions = self.potentials.shape
        self._vectors = np.empty((points, 0), dtype=complex)
        self._images = np.empty((points, 0), dtype=complex)
        self._kernels = np.empty((points, 0), dtype=complex)
        self._residuals = self.potentials
        self.energies = np.zeros(functions)
        self.changes = np.full(functions, np.inf)

    def next_vectors(self, tolerance: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Return directions for the functions whose energy still changes by more than a tolerance."""
        active = self._residuals[:, self.changes > tolerance]
        if active.shape[1] == 0:
            return active
        directions = active if self._vectors.shape[1] == 0 else self.precondition(active)
        return directions / np.linalg.norm(directions, axis=0)

    def extend(self, vectors: NDArray[np.complex128], images: NDArray[np.complex128]) -> None:
        """Add vectors and their images under S to the space, and solve in it."""
        if vectors.shape[1] == 0:
            return
        self._vectors = np.hstack([self._vectors, vectors])
        self._images = np.hstack([self._images, images])
        self._kernels = np.hstack([self._kernels, self.kernel(images)])
        points = len(self._vectors)
        metric = self._vectors.conj().T @ self._images / points
        matrix = metric + 2 * self._images.conj().T @ self._kernels / points
        right = self._images.conj().T @ self.potentials / points
        solution = _solve(matrix, right, self.dependent)
        energies = (right.conj() * solution).sum(axis=0).real
        self.changes = np.abs(energies - self.energies)
        self.energies = energies
        self._residuals = self.potentials - self._vectors @ solution - 2 * self._kernels @ solution


def _solve(matrix: NDArray[np.complex128], right: NDArray[np.complex128], dependent: float) -> NDArray[np.complex128]:
    """Solve with the Hermitian part of a matrix, leaving out directions that are linearly dependent.

    Raises:
        InputError: the matrix is not positive: the density is not stable against this perturbation.
    """
    hermitian = (matrix + matrix.conj().T) / 2
    scale = 1 / np.sqrt(np.abs(np.diag(hermitian)))
    values, vectors = np.linalg.eigh(hermitian * scale[:, None] * scale[None, :])
    if values[0] < -max(1e-6, dependent):
        raise InputError(
            'screening', f'the response has a negative eigenvalue ({values[0]:.3g})', 'The ground state is not stable'
        )
    keep = values > dependent
    projected = vectors[:, keep].conj().T @ (right * scale[:, None])
    return scale[:, None] * (vectors[:, keep] @ (projected / values[keep, None]))


def solve_channels(
    response: Operator, channels: list[Channel], tolerance: float, iterations: int = 30
) -> list[NDArray[np.float64]]:
    """Solve all channels, with one call of the independent response per step.

    Args:
        response: applies S to potentials of shape ``(points, batch)``.
        channels: to be solved.
        tolerance: relative change of an energy in a step below which it is converged. The energies converge by a
            factor of ten or more per step, so that the error is smaller than that.
        iterations: the most steps.

    Returns:
        The screening energy ⟨SV|Ṽ⟩ per point of the grid, for each channel and function.

    Raises:
        InputError: not converged.
    """
    for _ in range(iterations):
        blocks = [channel.next_vectors(tolerance * np.abs(channel.energies)) for channel in channels]
        if not any(block.shape[1] for block in blocks):
            return [channel.energies for channel in channels]
        images = response(np.hstack(blocks))
        ends = np.cumsum([block.shape[1] for block in blocks])[:-1]
        for channel, block, image in zip(channels, blocks, np.split(images, ends, axis=1), strict=True):
            channel.extend(block, image)
    raise InputError('screening', f'not converged in {iterations} steps', 'Loosen the tolerance')
