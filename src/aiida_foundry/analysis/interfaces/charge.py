"""Bound charge at the interface of two insulators, σ = (P₁ − P₂)·n̂.

With formal polarizations on one convention, the charge at a coherent insulating interface is the difference of the two
projections, modulo the charges that a choice of terminations moves (Vanderbilt and King-Smith, PRB 48, 4442 (1993);
Stengel and Vanderbilt, PRB 80, 241103 (2009)). Each P·n̂ is a fraction f of e per primitive surface cell plus any
integer; a superlattice cell of m primitive cells of one crystal and n of the other carries m (f₁ + i) − n (f₂ + j)
elementary charges, with integers i and j that belong to the terminations. Vacancies and adatoms aside these are the
same in every primitive cell, so that the charge is known modulo gcd(m, n), not modulo 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.constants import elementary_charge, epsilon_0

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: Electron charges; a fraction closer to a whole number is one. Exact fractions differ from it by rounding only.
ROUNDING = 1e-9
#: e/ε₀ in V Å: the field in V/Å behind a sheet of 1 e/Å² in vacuum.
FIELD: float = elementary_charge / epsilon_0 * 1e10


def interface_charge(
    first: ArrayLike, second: ArrayLike, first_multiple: ArrayLike, second_multiple: ArrayLike
) -> FloatArray:
    """Return the charge of least magnitude, e per superlattice cell, shape (n,); NaN where a fraction is NaN.

    Each crystal is taken on one of the two branches of P·n̂ nearest to zero: the terminations whose surface charge is
    less than one electron per primitive cell. Where two charges are of equal magnitude the positive one is returned;
    both exist, at interfaces with different terminations.

    Args:
        first: (n,) P·n̂ of the crystal that n̂ points out of, in e per primitive surface cell, modulo 1.
        second: (n,) the same of the crystal that n̂ points into.
        first_multiple: (n,) primitive surface cells of the first crystal in the superlattice cell.
        second_multiple: (n,) the same of the second.
    """
    charges = np.stack(
        [
            np.multiply(first_multiple, one) - np.multiply(second_multiple, other)
            for one in _branches(first)
            for other in _branches(second)
        ]
    )
    # Rounding must not decide between a charge and its opposite.
    order = np.abs(charges) - ROUNDING * (charges > 0)
    return np.take_along_axis(charges, order.argmin(axis=0)[None], axis=0)[0]


def charge_quantum(first_multiple: ArrayLike, second_multiple: ArrayLike) -> IntArray:
    """Return what the charge is known modulo, e per superlattice cell: gcd(m, n), of terminations without vacancies."""
    return np.gcd(first_multiple, second_multiple)


def _branches(fraction: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return the two branches nearest to zero; zero itself stands alone."""
    value = np.asarray(fraction, dtype=float) % 1.0
    value = np.where(np.minimum(value, 1.0 - value) < ROUNDING, 0.0, value)
    return value, np.where(value > 0, value - 1.0, value)
