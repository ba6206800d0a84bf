"""Windows of bands that do not cut degenerate multiplets."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from aiida_foundry.common.errors import InputError

DEGENERACY = 0.01
"""eV between neighbouring bands below which a window may not end between them."""


def widen(
    energies: ArrayLike, occupied: int, valence: int, conduction: int, *, degeneracy: float = DEGENERACY
) -> tuple[int, int]:
    """Return the first and the last band (from 1) of the smallest window that cuts no multiplet at any k-point.

    A cut multiplet makes results depend on how the code chose its members, and breaks the symmetry of the crystal: the
    dielectric function of a cubic crystal then depends on direction by several per cent.

    Args:
        energies: (k, band) in eV, from the first band on; the last band cannot be the last of a window, because the
            next one is not known.
        occupied: number of filled bands.
        valence: least number of filled bands in the window.
        conduction: least number of empty bands in it.
        degeneracy: in eV.

    Raises:
        InputError: if no window within the bands avoids a cut.
    """
    gaps = np.diff(np.asarray(energies, dtype=float), axis=1).min(axis=0)
    free = gaps > degeneracy
    first = next((n for n in range(occupied - valence + 1, 0, -1) if n == 1 or free[n - 2]), None)
    last = next((n for n in range(occupied + conduction, len(free) + 1) if free[n - 1]), None)
    if first is None or last is None:
        raise InputError(
            'parameter `conduction_bands`',
            f'each window from band {occupied + conduction} to {len(free)} ends between bands closer than '
            f'{degeneracy} eV at some k-point',
            'Compute more bands, or choose another number of empty bands',
        )
    return first, last
