"""Which superlattices of two tables match: a hash join on the shape of the reduced cell."""

from __future__ import annotations

import numpy as np
from numba import njit

from aiida_foundry.analysis.matching.lattices import FloatArray, IntArray
from aiida_foundry.analysis.matching.limits import Limit, cell_angle, meets

#: The most bins of the length of a, and of the angle. Wider bins than the limit lose nothing.
_MOST_BINS = np.array([[2048], [64]])
#: Relative margin of bins and ranges over the limit: rounding.
_MARGIN = 1e-9


class Lookup:
    """Superlattices binned by log a and the angle, and sorted by log b within each bin, to be asked for matches.

    Bins are as wide as the limit allows both to differ, so that what matches lies in the same or a neighbouring bin,
    within a range of log b that bisection finds. Nothing within the limit is missed.

    Args:
        forms: (n, 3) reduced Gram forms in Å² of the superlattices that are looked up.
        limit: the criterion.

    Attributes:
        order: (n,) the superlattices in the order of their bins and of log b.
    """

    def __init__(self, forms: FloatArray, limit: Limit) -> None:
        self.limit = limit
        shapes = _shapes(forms)
        binned = shapes[:2]
        self._origin = binned.min(axis=1, keepdims=True, initial=np.inf if len(forms) else 0)
        span = binned.max(axis=1, keepdims=True, initial=-np.inf if len(forms) else 0) - self._origin
        least = np.array([[limit.log_length], [limit.angle]]) * (1 + _MARGIN)
        self._width = np.maximum(least, span / _MOST_BINS)
        self._bins = tuple(int(number) + 1 for number in (span / self._width)[:, 0])
        row, column = ((binned - self._origin) / self._width).astype(np.int64)
        cell = row * self._bins[1] + column
        self.order = np.lexsort((shapes[2], cell))
        counts = np.bincount(cell, minlength=self._bins[0] * self._bins[1])
        self._start = np.concatenate([[0], np.cumsum(counts)])
        self._log_b = shapes[2, self.order]
        self._coordinates = limit.coordinates(forms).take(self.order, axis=1)

    def matches(self, forms: FloatArray) -> IntArray:
        """Find the matches of film superlattices with the (substrate) superlattices of this lookup.

        Args:
            forms: (m, 3) reduced Gram forms in Å² of the film.

        Returns:
            Indices (2, k) into the film's superlattices, in their order, and into those of this lookup.
        """
        shapes = _shapes(forms)
        places = np.floor((shapes[:2] - self._origin) / self._width).astype(np.int64)
        reach = self.limit.log_length * (1 + _MARGIN)
        table = (self._bins, self._start, self._log_b, self._coordinates)
        found = _find(table, places, shapes[2], reach, *self.limit.criterion, self.limit.coordinates(forms))
        return np.stack([found[0], self.order[found[1]]])


def _shapes(forms: FloatArray) -> FloatArray:
    """Return log a, the angle and log b (3, n) of cells with the Gram forms (n, 3)."""
    return np.stack([0.5 * np.log(forms[:, 0]), cell_angle(forms), 0.5 * np.log(forms[:, 1])])


@njit(cache=True, inline='always')
def _first(values: FloatArray, start: int, stop: int, least: float) -> int:  # pragma: no cover
    """Return the first place from ``start`` to ``stop`` in sorted values that holds at least ``least``."""
    while start < stop:
        middle = (start + stop) // 2
        if values[middle] < least:
            start = middle + 1
        else:
            stop = middle
    return start


@njit(cache=True)
def _find(
    table: tuple, places: IntArray, log_b: FloatArray, reach: float, kind: int, numbers: FloatArray, film: FloatArray
) -> IntArray:  # pragma: no cover
    """Return pairs (2, k) of a film superlattice and a place in the table that meet the criterion.

    Args:
        table: numbers of bins, first place of each, log b (n,) and coordinates (m, n), sorted as in `Lookup`.
        places: (2, f) bins of the film's superlattices.
        log_b: (f,) of the film's superlattices.
        reach: bound on the difference of log b.
        kind: see `limits.meets`, and so ``numbers``.
        numbers: of the criterion.
        film: (m, f) coordinates of the film's superlattices.
    """
    (rows, columns), start, lengths, substrate = table
    found = np.empty((2, max(16, len(log_b))), dtype=np.int64)
    count = 0
    for i in range(len(log_b)):
        for row in range(max(0, places[0, i] - 1), min(rows, places[0, i] + 2)):
            for column in range(max(0, places[1, i] - 1), min(columns, places[1, i] + 2)):
                cell = row * columns + column
                last = start[cell + 1]
                j = _first(lengths, start[cell], last, log_b[i] - reach)
                while j < last and lengths[j] <= log_b[i] + reach:
                    if meets(kind, numbers, film, i, substrate, j):
                        if count == found.shape[1]:
                            larger = np.empty((2, 2 * count), dtype=np.int64)
                            larger[:, :count] = found
                            found = larger
                        found[0, count] = i
                        found[1, count] = j
                        count += 1
                    j += 1
    return found[:, :count]
