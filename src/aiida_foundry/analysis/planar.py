"""Planar and macroscopic averages of periodic functions, and the electric field in a layer.

Baldereschi, Baroni and Resta, Phys. Rev. Lett. 61, 734 (1988); Colombo, Resta and Baroni, Phys. Rev. B 44, 5572 (1991).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aiida_foundry.common.errors import InputError

FloatArray = NDArray[np.float64]

#: Raise it with every change of a number.
VERSION = 1

MINIMUM_POINTS = 4
"""Points of the grid that a straight line is fitted through, at least: fewer leave no error worth the name."""


class Line(NamedTuple):
    """A straight line value + slope (z − centre), fitted between two heights in Å.

    Args:
        value: at the centre.
        slope: per Å.
        error: standard error of the slope, from the scatter about the line; it measures what is not bulk-like.
        centre: middle of the range, Å.
        start, end: the range, Å.
    """

    value: float
    slope: float
    error: float
    centre: float
    start: float
    end: float

    def at(self, height: float) -> float:
        """Return the value at a height in Å."""
        return self.value + self.slope * (height - self.centre)


def planar_average(grid: FloatArray) -> FloatArray:
    """Return the average (n,) of values (k, m, n) on a grid over the planes spanned by its first two directions."""
    return np.asarray(grid, dtype=float).mean(axis=(0, 1))


def macroscopic_average(profile: FloatArray, length: float, periods: Sequence[float]) -> FloatArray:
    """Average a periodic profile over a sliding window of each period in turn, exactly for its Fourier components.

    One window removes what repeats with its period; two, of the two crystals of an interface, remove both and leave the
    step between them.

    Args:
        profile: (n,) values on an equidistant grid.
        length: of the grid, in Å.
        periods: widths of the windows, in Å.

    Raises:
        InputError: a window that is not positive or wider than the grid.
    """
    if any(not 0 < period <= length for period in periods):
        raise InputError(f'windows of {list(periods)} Å', f'they do not fit into {length:.2f} Å', 'Give shorter ones')
    frequencies = np.fft.rfftfreq(len(profile), 1 / len(profile)) / length
    filters = np.prod([np.sinc(frequencies * period) for period in periods], axis=0)
    return np.fft.irfft(np.fft.rfft(profile) * filters, len(profile))


def bulk_range(bottom: float, top: float, margin: float) -> tuple[float, float]:
    """Return the part of a layer in Å that is farther than a margin from both its ends.

    Raises:
        InputError: nothing is left.
    """
    if top - bottom <= 2 * margin:
        raise InputError(
            f'layer of {top - bottom:.2f} Å',
            f'nothing of it is farther than {margin:.2f} Å from its ends',
            'Thicken it',
        )
    return bottom + margin, top - margin


def fit_line(profile: FloatArray, length: float, start: float, end: float) -> Line:
    """Fit a straight line to a periodic profile.

    Args:
        profile: (n,) values on an equidistant grid from 0 to ``length``, periodic.
        length: of the grid, Å.
        start: lower end of the range, Å.
        end: upper end, Å; the range may reach over the end of the grid.

    Raises:
        InputError: the range holds fewer than `MINIMUM_POINTS` points.
    """
    spacing = length / len(profile)
    index = np.arange(int(np.ceil(start / spacing - 1e-9)), int(np.floor(end / spacing + 1e-9)) + 1)
    if len(index) < MINIMUM_POINTS:
        raise InputError(
            f'range from {start:.2f} to {end:.2f} Å', f'it holds {len(index)} points of the grid', 'Thicken the layer'
        )
    centre = (start + end) / 2
    offsets = index * spacing - centre
    values = profile[index % len(profile)]
    (slope, value), covariance = np.polyfit(offsets, values, 1, cov=True)
    return Line(float(value), float(slope), float(np.sqrt(covariance[0, 0])), centre, float(start), float(end))
