"""Excitons of a diagonalised Bethe-Salpeter Hamiltonian as arrays for the provenance graph."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_foundry.analysis.excitons import composition
from aiida_foundry.engines.abinit.parse_raw.excitons import (
    Eigenstates,
    Pairs,
    UnreadableExcitonsError,
)

DEFAULT_NUMBER = 24
"""Number of the lowest excitons whose composition is kept."""


def exciton_arrays(
    states: Eigenstates, strengths: NDArray[np.float64] | None, pairs: Pairs, number: int
) -> dict[str, Any]:
    """Return the arrays of the output `output_excitons`.

    Args:
        states: all of them.
        strengths: (n, q) in atomic units, of all states; None where ABINIT does not write them.
        pairs: the electron-hole pairs of the run.
        number: of how many states, from the lowest on, the composition is kept.

    Raises:
        UnreadableExcitonsError: the numbers of pairs or of states differ.
    """
    points, bands = pairs.indices()
    parts, rest = divmod(states.amplitudes.shape[1], len(points))
    if parts not in (1, 2) or rest:
        raise UnreadableExcitonsError(f'{states.amplitudes.shape[1]} amplitudes for {len(points)} pairs')
    shape = (len(pairs.kpoints), pairs.last_band - pairs.first_band + 1)
    arrays = {
        'energies': states.energies,
        'weights': np.array([composition(row, points, bands, shape) for row in states.amplitudes[:number]]),
        'kpoints': pairs.kpoints,
        'bands': np.arange(pairs.first_band, pairs.last_band + 1),
    }
    if strengths is None:
        return arrays
    if len(strengths) != len(states.energies):
        raise UnreadableExcitonsError(f'{len(strengths)} oscillator strengths of {len(states.energies)} states')
    return {**arrays, 'strengths': strengths * pairs.residue}
