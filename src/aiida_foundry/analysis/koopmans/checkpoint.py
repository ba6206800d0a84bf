"""Integrals of wave vectors that are done, on disk: each is there as a whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class Checkpoint:
    """A folder with one file per wave vector.

    Args:
        folder: where; it is created.
        key: hash of what the integrals depend on. Files with another key are of another calculation, and not used.
    """

    def __init__(self, folder: Path, key: str) -> None:
        folder.mkdir(exist_ok=True)
        self._folder, self._key = folder, key
        self._values: dict[tuple[int, int], NDArray[np.float64]] = {}
        for path in sorted(folder.glob('q*.npz')):
            self._read(path)

    def _read(self, path: Path) -> None:
        with np.load(path) as content:
            if str(content['key']) != self._key:
                return
            q = int(content['q'])
            for position, values in zip(content['positions'], content['values'], strict=True):
                self._values[q, int(position)] = values

    def holds(self, q: int, positions: Sequence[int]) -> bool:
        """Tell whether the integrals of all these functions at a wave vector are there."""
        return all((q, position) in self._values for position in positions)

    def write(self, q: int, positions: Sequence[int], values: NDArray[np.float64]) -> None:
        """Keep integrals, shape ``(functions, 2)``, in memory and on disk."""
        temporary = self._folder / f'q{q:05d}.tmp'
        with temporary.open('wb') as handle:
            np.savez(handle, key=self._key, q=q, positions=np.array(positions), values=values)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(self._folder / f'q{q:05d}.npz')
        for position, row in zip(positions, values, strict=True):
            self._values[q, position] = row

    def value(self, q: int, position: int) -> NDArray[np.float64]:
        """Return the bare and the screened integral of a function at a wave vector."""
        return self._values[q, position]
