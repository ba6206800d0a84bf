"""Which superlattices of two tables match: a hash join on the shape of the reduced cell."""

from __future__ import annotations

import itertools

import numpy as np

from aiida_foundry.analysis.matching.lattices import FloatArray, IntArray
from aiida_foundry.analysis.matching.limits import Limit, cell_angle

#: Candidate pairs tested at once: keeps them in the cache, and memory bounded.
CHUNK = 200_000


class Lookup:
    """Superlattices binned by (log a, log b), and sorted by angle within each bin, to be asked for matches.

    Bins are as wide as the limit allows lengths to differ, so that what matches lies in the same or a neighbouring
    bin, within a range of angles that bisection finds. Nothing within the limit is missed.

    Args:
        forms: (n, 3) reduced Gram forms in Å² of the superlattices that are looked up.
        limit: the criterion.

    Attributes:
        order: (n,) the superlattices in the order of their bins and angles.
    """

    def __init__(self, forms: FloatArray, limit: Limit) -> None:
        self.limit = limit
        bins, angle = self._bins(forms)
        self._lowest = bins.min(axis=0, initial=0) - 1
        self._columns = int(bins[:, 1].max(initial=0) - self._lowest[1]) + 2
        key = self._key(self._cell(bins), angle)
        self.order = np.argsort(key, kind='stable')
        self._keys = key[self.order]
        self._coordinates = limit.coordinates(forms)[:, self.order]

    def matches(self, forms: FloatArray) -> IntArray:
        """Find the matches of film superlattices with the (substrate) superlattices of this lookup.

        Args:
            forms: (m, 3) reduced Gram forms in Å² of the film.

        Returns:
            Indices (2, k) into the film's superlattices, in their order, and into those of this lookup.
        """
        coordinates = self.limit.coordinates(forms)
        first, last = self._ranges(forms)
        total = np.cumsum((last - first).sum(axis=0))
        found = [np.empty((2, 0), dtype=np.int64)]
        start = 0
        while start < len(forms):
            done = total[start - 1] if start else 0
            stop = max(start + 1, int(np.searchsorted(total, done + CHUNK, side='right')))
            rows = np.arange(start, stop)
            found.append(self._tested(coordinates, rows, first[:, start:stop], last[:, start:stop]))
            start = stop
        return np.concatenate(found, axis=1)

    def _bins(self, forms: FloatArray) -> tuple[IntArray, FloatArray]:
        width = self.limit.log_length * (1 + 1e-9)
        return np.floor(0.5 * np.log(forms[:, :2]) / width).astype(np.int64), cell_angle(forms)

    def _cell(self, bins: IntArray) -> IntArray:
        """Return the number of each bin; −1 for those that no superlattice of this lookup can be in."""
        row, column = (bins - self._lowest).T
        return np.where((row >= 0) & (column >= 0) & (column < self._columns), row * self._columns + column, -1)

    def _key(self, cell: IntArray, angle: FloatArray) -> FloatArray:
        """Return one number per superlattice, ordered by bin and by angle (which is below 2) within the bin."""
        return 4.0 * cell + angle

    def _ranges(self, forms: FloatArray) -> tuple[IntArray, IntArray]:
        """Return where the candidates of each film superlattice begin and end in each of nine bins, two (9, m)."""
        bins, angle = self._bins(forms)
        # bisection of sorted queries stays in the cache
        order = np.argsort(self._key(self._cell(bins), angle))
        bins, angle = bins[order], angle[order]
        reach = self.limit.angle * (1 + 1e-9)
        edges = np.empty((2, 9, len(forms)), dtype=np.int64)
        for number, step in enumerate(itertools.product((-1, 0, 1), repeat=2)):
            cell = self._cell(bins + np.array(step))
            edges[0, number, order] = np.searchsorted(self._keys, self._key(cell, angle - reach), side='left')
            edges[1, number, order] = np.searchsorted(self._keys, self._key(cell, angle + reach), side='right')
        return edges[0], edges[1]

    def _tested(self, coordinates: FloatArray, rows: IntArray, first: IntArray, last: IntArray) -> IntArray:
        counts = (last - first).T.ravel()
        film = np.repeat(np.repeat(rows, len(first)), counts)
        offset = np.repeat(first.T.ravel() - (np.cumsum(counts) - counts), counts)
        place = np.arange(len(film)) + offset
        accepted = self.limit.accepts(coordinates.take(film, axis=1), self._coordinates.take(place, axis=1))
        return np.stack([film[accepted], self.order[place[accepted]]])
