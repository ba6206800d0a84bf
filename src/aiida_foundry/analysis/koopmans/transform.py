"""Fourier transforms between a sphere of plane waves and the real-space grid, by matrix products.

A sphere fills about a sixteenth of the box of the grid, so that most of a fast Fourier transform of the box is work on
zeros. One product with a small matrix per axis touches only the indices of the sphere, and for the small grids of unit
cells a matrix product is several times as fast per operation. Batches are the last index.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Precision = Literal['complex64', 'complex128']


@lru_cache(maxsize=256)
def _waves(points: int, first: int, number: int, precision: Precision) -> NDArray[np.complexfloating]:
    """Return exp(2πi g x / points) for `number` indices g from `first` on, shape ``(points, number)``."""
    return np.exp(2j * np.pi / points * np.outer(np.arange(points), first + np.arange(number))).astype(precision)


class SphereTransform:
    """Transforms of functions with the plane waves of one k-point.

    Args:
        miller: indices of the plane waves, shape ``(waves, 3)``.
        grid: points along the three axes.
        precision: of the arrays that are transformed and of the results.
    """

    def __init__(
        self, miller: NDArray[np.int64], grid: tuple[int, int, int], precision: Precision = 'complex128'
    ) -> None:
        self._grid, self._precision = grid, precision
        first = miller.min(axis=0)
        self._extent = [int(n) for n in miller.max(axis=0) - first + 1]
        self._position = np.ravel_multi_index(tuple((miller - first).T), self._extent)
        self._matrices = [
            _waves(n, int(start), extent, precision) for n, start, extent in zip(grid, first, self._extent, strict=True)
        ]

    def to_grid(self, coefficients: NDArray[np.complexfloating]) -> NDArray[np.complexfloating]:
        """Return Σ_G c(G) exp(iGr), shape ``(points, batch)``, from coefficients of shape ``(waves, batch)``."""
        first, second, third = self._extent
        n1, n2, n3 = self._grid
        batch = coefficients.shape[1]
        cube = np.zeros((first * second * third, batch), dtype=self._precision)
        cube[self._position] = coefficients
        cube = np.matmul(self._matrices[2], cube.reshape(first * second, third, batch))
        cube = np.matmul(self._matrices[1], cube.reshape(first, second, n3 * batch))
        return (self._matrices[0] @ cube.reshape(first, n2 * n3 * batch)).reshape(n1 * n2 * n3, batch)

    def to_sphere(self, values: NDArray[np.complexfloating]) -> NDArray[np.complexfloating]:
        """Return the coefficients ``(waves, batch)`` of a function on the grid, shape ``(points, batch)``."""
        first, second, third = self._extent
        n1, n2, n3 = self._grid
        batch = values.shape[1]
        cube = self._matrices[0].conj().T @ values.reshape(n1, n2 * n3 * batch)
        cube = np.matmul(self._matrices[1].conj().T, cube.reshape(first, n2, n3 * batch))
        cube = np.matmul(self._matrices[2].conj().T, cube.reshape(first * second, n3, batch))
        return cube.reshape(first * second * third, batch)[self._position] / float(n1 * n2 * n3)
