"""How far two superlattices may differ and still count as matching.

The strain between two cells with Gram matrices X and Y is measured by the principal logarithmic (Hencky) strains
½ ln λ, with λ the eigenvalues of X⁻¹Y. Exchanging the two cells changes only the sign of all strains, which neither the
engineering nor the Green–Lagrange strain does. It is also the measure in which reduction is exact: |½ ln λ| is half the
sum of the change of log area and the hyperbolic distance of the two unit-area forms, and in a reflection group no image
of a point is nearer to another point of the same chamber than the one inside. So no other pair of bases of two
superlattices is less strained than the two reduced ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numba import njit

from aiida_foundry.analysis.matching.lattices import FloatArray, area
from aiida_foundry.common.errors import InputError

#: Beyond it linear elasticity has nothing to say, and every pair of lattices matches.
LARGEST_STRAIN = 0.25
#: The angles between the vectors of a reduced basis, in radians.
REDUCED_ANGLES = (np.pi / 3, np.pi / 2)
#: The criteria, as compiled code tells them apart.
_STRAIN, _LENGTH_ANGLE = 0, 1


class Limit(Protocol):
    """A criterion, with the bounds that whatever meets it keeps: they size the bins of the lookup."""

    @property
    def criterion(self) -> tuple[int, FloatArray]:
        """Which criterion `meets` applies, and its numbers."""

    @property
    def log_length(self) -> float:
        """Bound on the difference of the logarithms of corresponding lengths."""

    @property
    def angle(self) -> float:
        """Bound on the difference of the angles between the basis vectors, in radians."""

    @property
    def strain(self) -> float:
        """Bound on the largest principal logarithmic strain."""

    def coordinates(self, form: FloatArray) -> FloatArray:
        """Return what `accepts` compares, (m, n), of cells with the Gram forms (n, 3) in Å²."""


def accepts(limit: Limit, film: FloatArray, substrate: FloatArray) -> np.ndarray:
    """Tell which pairs of cells with the coordinates (m, n) meet a criterion: a boolean array (n,)."""
    return _accepted(*limit.criterion, np.ascontiguousarray(film), np.ascontiguousarray(substrate))


@njit(cache=True)
def _accepted(
    kind: int, numbers: FloatArray, film: FloatArray, substrate: FloatArray
) -> np.ndarray:  # pragma: no cover
    result = np.empty(film.shape[1], dtype=np.bool_)
    for pair in range(film.shape[1]):
        result[pair] = meets(kind, numbers, film, pair, substrate, pair)
    return result


@njit(cache=True)
def meets(
    kind: int, numbers: FloatArray, film: FloatArray, i: int, substrate: FloatArray, j: int
) -> bool:  # pragma: no cover
    """Tell whether column i of the coordinates (m, n) of films and column j of substrates meet a criterion."""
    if kind == _STRAIN:
        left = 2 * numbers[0] - abs(film[0, i] - substrate[0, j])
        if left < 0:
            return False
        aa, bb, ab = (film[1, i] - substrate[1, j], film[2, i] - substrate[2, j], film[3, i] - substrate[3, j])
        # cosh(d) − 1 as in `_excess`, compared with cosh(left) − 1
        return bool(0.5 * (ab * ab - aa * bb) <= 2 * np.sinh(0.5 * left) ** 2)
    first, second, angle = substrate[0, j] / film[0, i], substrate[1, j] / film[1, i], substrate[2, j] / film[2, i]
    return bool(abs(first - 1) <= numbers[0] and abs(second - 1) <= numbers[1] and abs(angle - 1) <= numbers[2])


def strain_coordinates(form: FloatArray) -> FloatArray:
    """Return the log area and the three elements of the unit-area form, (4, n), of Gram forms (n, 3) in Å²."""
    areas = area(form)
    return np.stack([np.log(areas), *(form / areas[..., None]).T])


def largest_strain(film: FloatArray, substrate: FloatArray) -> FloatArray:
    """Return the largest absolute principal logarithmic strain (n,) between cells with `strain_coordinates` (4, n)."""
    excess = _excess(film, substrate)
    shear = np.log1p(excess + np.sqrt(excess * (excess + 2)))
    return 0.5 * (np.abs(film[0] - substrate[0]) + shear)


def _excess(film: FloatArray, substrate: FloatArray) -> FloatArray:
    """Return cosh(d) − 1, d the hyperbolic distance of unit-area forms x, y, as −½ det(x − y): no cancellation."""
    aa, bb, ab = film[1:] - substrate[1:]
    return np.maximum(0.5 * (ab * ab - aa * bb), 0.0)


@dataclass(frozen=True)
class StrainLimit:
    """Every principal logarithmic strain is at most ``strain`` in magnitude: symmetric, free of the choice of basis."""

    strain: float

    def __post_init__(self) -> None:
        _check('strain', self.strain)

    @property
    def log_length(self) -> float:
        """No length changes by more than the largest principal strain."""
        return self.strain

    @cached_property
    def angle(self) -> float:
        """Stretches by exp(±s) turn a vector by at most 2 arctan(exp s) − π/2, and two vectors in opposite senses."""
        return float(4 * np.arctan(np.exp(self.strain)) - np.pi)

    def coordinates(self, form: FloatArray) -> FloatArray:
        """Return the log area and the unit-area form, (4, n)."""
        return strain_coordinates(form)

    @property
    def criterion(self) -> tuple[int, FloatArray]:
        """The strain, compared without a logarithm per pair."""
        return _STRAIN, np.array([self.strain])


@dataclass(frozen=True)
class LengthAngleLimit:
    """The criterion of A. Zur and T. C. McGill, J. Appl. Phys. 55, 378 (1984), as pymatgen's ZSLGenerator has it.

    Both lengths of the substrate's reduced superlattice within a fraction ``length`` of the film's, the angle between
    them within a fraction ``angle_ratio`` of the film's. It depends on the order of the two crystals.
    """

    length: float = 0.03
    angle_ratio: float = 0.01

    def __post_init__(self) -> None:
        _check('length', self.length)
        _check('angle', self.angle_ratio)

    @property
    def log_length(self) -> float:
        """A shrinking vector changes its logarithm by more than a growing one."""
        return -float(np.log(1 - self.length))

    @property
    def angle(self) -> float:
        """No angle of a reduced basis is larger than π/2."""
        return self.angle_ratio * REDUCED_ANGLES[1]

    @cached_property
    def strain(self) -> float:
        """The worst corner of the lengths and angles allowed, for the reduced angles from π/3 to π/2."""
        angles = np.linspace(*REDUCED_ANGLES, 61)
        ratios = 1 + self.length * np.array([-1, 1])
        film = _coordinates(angles, 1.0, 1.0)
        corners = [
            largest_strain(film, _coordinates(angles * (1 + sign * self.angle_ratio), p, q)).max()
            for sign in (-1, 1)
            for p in ratios
            for q in ratios
        ]
        return float(max(corners)) * (1 + 1e-3)

    def coordinates(self, form: FloatArray) -> FloatArray:
        """Return the two lengths and the angle between them, (3, n)."""
        return np.stack([*np.sqrt(form[:, :2]).T, cell_angle(form)])

    @property
    def criterion(self) -> tuple[int, FloatArray]:
        """The lengths and the angle."""
        return _LENGTH_ANGLE, np.array([self.length, self.length, self.angle_ratio])


def cell_angle(form: FloatArray) -> FloatArray:
    """Return the angles in radians between the vectors of bases with the Gram forms (..., 3)."""
    return np.arctan2(area(form), form[..., 2])


def _coordinates(angles: FloatArray, first: float, second: float) -> FloatArray:
    columns = [np.full_like(angles, first**2), np.full_like(angles, second**2), first * second * np.cos(angles)]
    return strain_coordinates(np.stack(columns, axis=-1))


def _check(name: str, value: float) -> None:
    if not 0 < value <= LARGEST_STRAIN:
        raise InputError(f'limit on the {name}: {value}', f'it is not in (0, {LARGEST_STRAIN}]', 'Try 0.03.')
