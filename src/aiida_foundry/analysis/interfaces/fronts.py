"""Pareto fronts of candidates: the more charge, the less strain and the fewer atoms, the better."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: Differences below these are no difference: e/Å², strain. Far below what structures and polarizations are known to.
CHARGE_STEP = 1e-6
STRAIN_STEP = 1e-5


def pareto_fronts(density: FloatArray, strain: FloatArray, atoms: IntArray, wanted: int) -> IntArray:
    """Number the candidates by the front that they lie on: 1 for those that no other surpasses, and so on.

    A candidate is surpassed by one with at least the charge, at most the strain and at most the atoms, and not equal in
    all three. The second front is the first of what remains without the first (N. Srinivas and K. Deb, Evol. Comput.
    2, 221 (1994)).

    Args:
        density: (n,) magnitude of the interface charge, e/Å².
        strain: (n,) largest principal strain.
        atoms: (n,) atoms of the superlattice.
        wanted: fronts are numbered until at least so many candidates have one; the others get 0.
    """
    steps = _steps(density, strain, atoms)
    order = np.lexsort((steps[:, 2], steps[:, 1], steps[:, 0]))
    sizes, rank = np.unique(steps[:, 2], return_inverse=True)
    fronts = np.zeros(len(steps), dtype=np.int64)
    remaining, number = order, 0
    while len(remaining) and len(order) - len(remaining) < wanted:
        number += 1
        surpassed = _surpassed(steps[remaining], rank[remaining], len(sizes))
        fronts[remaining[~surpassed]] = number
        remaining = remaining[surpassed]
    return fronts


def unsurpassed(group: IntArray, density: FloatArray, strain: FloatArray, atoms: IntArray) -> IntArray:
    """Return the rows that no other of their group surpasses, see ``pareto_fronts``; of equal rows the first.

    Args:
        group: (n,) labels.
        density: as for ``pareto_fronts``, and so the other two.
        strain: (n,).
        atoms: (n,).
    """
    steps = _steps(density, strain, atoms)
    order = np.lexsort((*steps.T[::-1], group))
    return np.sort(order[_alone(group[order], steps[order])])


def _steps(density: FloatArray, strain: FloatArray, atoms: IntArray) -> IntArray:
    """Return the three as integers, the less the better."""
    columns = [-np.rint(density / CHARGE_STEP), np.rint(strain / STRAIN_STEP), np.asarray(atoms, dtype=float)]
    return np.column_stack(columns).astype(np.int64)


@njit(cache=True)
def _alone(group: IntArray, steps: IntArray) -> NDArray[np.bool_]:  # pragma: no cover
    """Tell which rows, sorted by group and columns, no earlier one of their group equals or surpasses."""
    result = np.ones(len(steps), dtype=np.bool_)
    for row in range(len(steps)):
        earlier = row - 1
        while earlier >= 0 and group[earlier] == group[row] and result[row]:
            if result[earlier] and steps[earlier, 1] <= steps[row, 1] and steps[earlier, 2] <= steps[row, 2]:
                result[row] = False
            earlier -= 1
    return result


@njit(cache=True)
def _surpassed(steps: IntArray, rank: IntArray, sizes: int) -> NDArray[np.bool_]:  # pragma: no cover
    """Tell which rows, sorted by columns, an earlier one surpasses: Fenwick tree of the least strain up to a size."""
    infinite = np.iinfo(np.int64).max
    least = np.full(sizes + 1, infinite)
    result = np.zeros(len(steps), dtype=np.bool_)
    for row in range(len(steps)):
        if row and (steps[row] == steps[row - 1]).all():
            result[row] = result[row - 1]
            continue
        strain = steps[row, 1]
        place = rank[row] + 1
        found = infinite
        while place > 0:
            found = min(found, least[place])
            place -= place & -place
        result[row] = found <= strain
        place = rank[row] + 1
        while place <= sizes:
            least[place] = min(least[place], strain)
            place += place & -place
    return result
