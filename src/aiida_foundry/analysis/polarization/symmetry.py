"""Formal polarizations that the symmetry of a crystal allows.

The formal polarization of an insulator is a lattice of vectors, P + (e/V) R with R any lattice vector. An operation
{W|w} of the space group sends the dipole Σ q r of a cell to W Σ q r + w Σ q; the cell is neutral, so the fractional
translation w drops out and the condition on P is W P ≡ P modulo the lattice, with W integer in a primitive basis
(Vanderbilt, Berry Phases in Electronic Structure Theory, Cambridge 2018, section 4.4).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sympy import ZZ, Matrix  # type: ignore[import-untyped]
from sympy.matrices.normalforms import smith_normal_decomp  # type: ignore[import-untyped]

Fractions = tuple[Fraction, Fraction, Fraction]
Integers = tuple[int, int, int]


class Member(NamedTuple):
    """The member of an allowed set that lies nearest to a polarization.

    Attributes:
        fractions: the member in quanta along the primitive vectors, each in [0, 1). Where continuous directions
            exist it stands for all polarizations that differ from it along them.
        residual: distance of the polarization from the member, continuous directions left out (largest component in
            quanta along the primitive vectors).
    """

    fractions: Fractions
    residual: float


@dataclass(frozen=True)
class AllowedPolarizations:
    """All P with W P ≡ P for every rotation W, in quanta along the primitive lattice vectors.

    The set is {V y}: column j of the unimodular integer matrix V is multiplied by any integer multiple of 1/orders[j],
    or by any real number where orders[j] is 0.

    Args:
        basis: V by rows.
        orders: diagonal of the Smith normal form of the stacked matrices W − 1.
    """

    basis: tuple[Integers, Integers, Integers]
    orders: Integers

    @cached_property
    def discrete(self) -> tuple[Fractions, ...]:
        """Exact members in [0, 1)³, one for each connected component of the set, in ascending order."""
        ranges = [range(order or 1) for order in self.orders]
        return tuple(sorted(self._member(multiples) for multiples in itertools.product(*ranges)))

    @property
    def continuous(self) -> tuple[Integers, ...]:
        """Integer vectors along which symmetry leaves P free; empty in the non-polar groups."""
        columns = zip(*self.basis, strict=True)
        return tuple(_leading_positive(column) for column, order in zip(columns, self.orders, strict=True) if not order)

    @property
    def is_fixed(self) -> bool:
        """Whether symmetry leaves only discrete values: no electronic structure calculation is needed."""
        return all(self.orders)

    def nearest(self, fractions: npt.ArrayLike) -> Member:
        """Return the member nearest to a polarization.

        Args:
            fractions: (3,) polarization in quanta along the primitive vectors.
        """
        basis = np.array(self.basis)
        orders = np.array(self.orders)
        coordinates = np.linalg.solve(basis, np.asarray(fractions, dtype=float))
        multiples = np.rint(coordinates * orders).astype(int)
        # max(orders, 1): the value for a continuous direction is discarded by np.where
        difference = np.where(orders > 0, coordinates - multiples / np.maximum(orders, 1), 0.0)
        return Member(self._member(multiples.tolist()), float(np.abs(basis @ difference).max()))

    def _member(self, multiples: tuple[int, ...] | list[int]) -> Fractions:
        coordinates = [
            Fraction(n, order) if order else Fraction(0) for n, order in zip(multiples, self.orders, strict=True)
        ]
        x, y, z = (sum((v * c for v, c in zip(row, coordinates, strict=True)), Fraction(0)) % 1 for row in self.basis)
        return x, y, z


def allowed_polarizations(rotations: npt.ArrayLike) -> AllowedPolarizations:
    """Solve (W − 1) P ∈ Z³ for all rotations exactly, by the Smith normal form of the stacked matrices.

    With U M V = D the condition M P ∈ Zⁿ becomes D y ∈ Zⁿ for P = V y.

    Args:
        rotations: (n, 3, 3) integer matrices acting on columns of fractional coordinates of a primitive basis.
    """
    conditions = np.asarray(rotations, dtype=int) - np.eye(3, dtype=int)
    rows = np.unique(conditions.reshape(-1, 3), axis=0)
    return _solve(tuple(map(tuple, rows.tolist())))


@lru_cache(maxsize=4096)
def _solve(rows: tuple[Integers, ...]) -> AllowedPolarizations:
    # zero rows change nothing and make the matrix at least 3 × 3, so that the diagonal has three entries
    padded = [*rows, *([(0, 0, 0)] * 3)]
    normal_form, _, right = smith_normal_decomp(Matrix(padded), domain=ZZ)
    orders = _integers(abs(normal_form[i, i]) for i in range(3))
    first, second, third = (_integers(right.row(i)) for i in range(3))
    return AllowedPolarizations((first, second, third), orders)


def _integers(values: Iterable[Any]) -> Integers:
    x, y, z = (int(value) for value in values)
    return x, y, z


def _leading_positive(vector: tuple[int, ...]) -> Integers:
    sign = 1 if next(component for component in vector if component) > 0 else -1
    return _integers(sign * component for component in vector)
