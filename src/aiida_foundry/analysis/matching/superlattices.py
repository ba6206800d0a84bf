"""The superlattices of many surface lattices, in one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aiida_foundry.analysis.matching.lattices import (
    FloatArray,
    IntArray,
    area,
    hermite_normal_forms,
    reduced_superlattices,
)
from aiida_foundry.common.errors import InputError

#: Relative steps within which two reduced superlattices of one face count as of one shape.
_SHAPE = 1e-7


@dataclass(frozen=True, eq=False)
class Superlattices:
    """Rows of a table: superlattices, grouped by the surface lattice that they belong to, by increasing area.

    Args:
        lattice: (n,) index of the surface lattice.
        multiple: (n,) area in primitive surface cells.
        form: (n, 3) reduced Gram forms in Å² (see `lattices`).
        matrix: (n, 2, 2) rows of the reduced basis on the primitive surface vectors. Determinant −1 times the area
            multiple: the reduced basis is left-handed.
    """

    lattice: IntArray
    multiple: IntArray
    form: FloatArray
    matrix: IntArray

    def __len__(self) -> int:
        return len(self.lattice)

    def take(self, rows: IntArray) -> Superlattices:
        """Return some rows."""
        return Superlattices(self.lattice[rows], self.multiple[rows], self.form[rows], self.matrix[rows])


def superlattices(forms: Sequence[FloatArray] | FloatArray, max_area: float) -> Superlattices:
    """Enumerate the superlattices of surface lattices up to an area.

    Args:
        forms: Gram forms (n, 3) in Å² of the primitive surface cells.
        max_area: largest area of a superlattice, Å².

    Raises:
        InputError: the area is not positive and finite.
    """
    if not 0 < max_area < np.inf:
        raise InputError(f'largest area {max_area}', 'it is not a positive number of Å²', 'Try 200.')
    primitive = np.asarray(forms, dtype=float).reshape(-1, 3)
    # An area multiple that reaches the limit exactly counts, whatever the rounding of the area.
    multiples = np.floor(max_area / area(primitive) * (1 + 1e-12)).astype(np.int64)
    sublattices = hermite_normal_forms(max(1, int(multiples.max(initial=0))))
    index = sublattices[:, 0, 0] * sublattices[:, 1, 1]
    counts = np.searchsorted(index, multiples, side='right')
    lattice = np.repeat(np.arange(len(primitive)), counts)
    row = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return Superlattices(lattice, index[row], *reduced_superlattices(primitive, counts, sublattices))


def distinct_shapes(table: Superlattices) -> Superlattices:
    """Keep one superlattice of each shape per surface lattice: those that a symmetry of the lattice relates agree."""
    lengths = np.sqrt(table.form[:, :2])
    cosine = table.form[:, 2] / (lengths[:, 0] * lengths[:, 1])
    shape = np.rint(np.column_stack([np.log(lengths), cosine]) / _SHAPE).astype(np.int64)
    order = np.lexsort((*shape.T, table.multiple, table.lattice))
    keys = np.column_stack([table.lattice, table.multiple, shape])[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = (keys[1:] != keys[:-1]).any(axis=1)
    return table.take(np.sort(order[new]))
