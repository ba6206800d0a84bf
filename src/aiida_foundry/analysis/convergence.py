"""Convergence of a result with a parameter: when to stop, and what the result would be in the limit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

VERSION = 1


@dataclass(frozen=True)
class Limit:
    """A result extrapolated to the limit of its parameter.

    Attributes:
        value: in the unit of the results.
        error: how far the fits through the other points lie from it, at most.
        slope: coefficient of x^-power.
        power: of the leading error.
    """

    value: float
    error: float
    slope: float
    power: float


def is_converged(values: ArrayLike, tolerance: float, *, repeats: int = 2) -> bool:
    """Tell whether the last changes were all within the tolerance.

    One small change may be a coincidence (even and odd meshes alternate, levels cross): `repeats` in a row are asked
    for.

    Args:
        values: results for a parameter of growing quality, in order.
        tolerance: of each change, in the unit of the values.
        repeats: number of changes that must be within it.
    """
    changes = np.abs(np.diff(np.asarray(values, dtype=float)))
    return len(changes) >= repeats and bool((changes[-repeats:] <= tolerance).all())


def extrapolate(parameters: ArrayLike, values: ArrayLike, power: float = 1.0) -> Limit:
    """Extrapolate results to an infinite parameter by y = y∞ + a x^-power through the two finest points.

    The pair before them and the fit through all points tell the error: both differ where the next order matters, or
    where the results scatter.

    The power is that of the leading error: 1 for the number of bands in sums over states, 1 for the number of k-points
    along a direction where the error is that of an integrable 1/q², 3/2 for a cutoff in energy of a dielectric matrix.

    Args:
        parameters: (n,) positive, growing.
        values: (n,), n ≥ 3.
        power: of the leading error.

    Raises:
        ValueError: fewer than three points, or parameters that are not positive and growing.
    """
    x, y = np.asarray(parameters, dtype=float), np.asarray(values, dtype=float)
    if len(x) < 3 or len(x) != len(y):
        raise ValueError(f'{len(x)} parameters and {len(y)} values: an error estimate needs three of each')
    if x[0] <= 0 or (np.diff(x) <= 0).any():
        raise ValueError(f'the parameters {x.tolist()} are not positive and growing')
    slope, limit = np.polyfit(x[-2:] ** -power, y[-2:], 1)
    others = [np.polyfit(x[part] ** -power, y[part], 1)[1] for part in (slice(-3, -1), slice(None))]
    error = max(abs(limit - other) for other in others)
    return Limit(value=float(limit), error=float(error), slope=float(slope), power=power)
