"""Numbers that carry their first and second derivatives with respect to two variables."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Jet(NamedTuple):
    """Value and derivatives of a function of x and y; each is an array, or a scalar."""

    value: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    xx: NDArray[np.float64]
    xy: NDArray[np.float64]
    yy: NDArray[np.float64]

    def plus(self, other: Jet) -> Jet:
        """Return the sum."""
        return Jet(*(a + b for a, b in zip(self, other, strict=True)))

    def times(self, other: Jet) -> Jet:
        """Return the product."""
        f, g = self, other
        return Jet(
            f.value * g.value,
            f.x * g.value + f.value * g.x,
            f.y * g.value + f.value * g.y,
            f.xx * g.value + 2 * f.x * g.x + f.value * g.xx,
            f.xy * g.value + f.x * g.y + f.y * g.x + f.value * g.xy,
            f.yy * g.value + 2 * f.y * g.y + f.value * g.yy,
        )

    def scaled(self, factor: float) -> Jet:
        """Return the product with a number."""
        return Jet(*(factor * a for a in self))

    def shifted(self, number: float) -> Jet:
        """Return the sum with a number."""
        return self._replace(value=self.value + number)

    def power(self, exponent: float) -> Jet:
        """Return ``self**exponent`` of a positive function."""
        p, f = exponent, self.value
        return self._through(f**p, p * f ** (p - 1), p * (p - 1) * f ** (p - 2))

    def log(self) -> Jet:
        """Return the natural logarithm of a positive function."""
        return self._through(np.log(self.value), 1 / self.value, -1 / self.value**2)

    def exp(self) -> Jet:
        """Return the exponential."""
        value = np.exp(self.value)
        return self._through(value, value, value)

    def _through(self, value: NDArray, first: NDArray, second: NDArray) -> Jet:
        """Return a function of this function, from its value and its two derivatives."""
        return Jet(
            value,
            first * self.x,
            first * self.y,
            second * self.x**2 + first * self.xx,
            second * self.x * self.y + first * self.xy,
            second * self.y**2 + first * self.yy,
        )


def variables(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[Jet, Jet]:
    """Return x and y as functions of themselves."""
    zero, one = np.zeros_like(x), np.ones_like(x)
    return Jet(x, one, zero, zero, zero, zero), Jet(y, zero, one, zero, zero, zero)
