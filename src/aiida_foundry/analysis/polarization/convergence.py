"""Which Berry phases are converged, and how many points their strings have next."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy.typing as npt

from aiida_foundry.analysis.polarization.berry import Constraints, total_phases, wrap

GROWTH = 1.5
"""Factor between the intervals of successive strings. The error falls with their square: the change from one to the
next is 0.56 of the error before and 1.25 of the error that is left."""


def next_points(points: int) -> int:
    """Return the number of points, both ends included, of the strings after those with ``points``."""
    return 1 + math.ceil(GROWTH * (points - 1))


def phase_errors(
    constraints: Constraints, ionic: npt.ArrayLike, electronic: Mapping[int, float], before: Mapping[int, float]
) -> dict[int, float | None]:
    """Return the estimated error of each phase in e, None where nothing is known of it.

    A phase that symmetry fixes is measured by its distance from the nearest allowed value, any other by its change
    since the last strings; both modulo 1, because the parity of electron pairs is no matter of convergence.

    Args:
        constraints: what symmetry says of the phases.
        ionic: (3,) ionic phases in e.
        electronic: electronic phases in e by independent direction.
        before: the same with fewer points; may lack directions.
    """
    total = total_phases(ionic, electronic, constraints)
    errors: dict[int, float | None] = {}
    for direction, phase in electronic.items():
        if constraints.is_fixed(direction):
            errors[direction] = constraints.distance(direction, total)
        else:
            errors[direction] = abs(float(wrap(phase - before[direction], 1))) if direction in before else None
    return errors
