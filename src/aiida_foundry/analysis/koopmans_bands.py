"""Koopmans corrections of Wannier bands as corrections of Kohn-Sham bands."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

VERSION = 1


def match_points(wanted: ArrayLike, given: ArrayLike, tolerance: float = 1e-4) -> NDArray[np.intp]:
    """Return the index in `given` of each point of `wanted`, up to a reciprocal lattice vector.

    Args:
        wanted: reduced coordinates, shape ``(nk, 3)``.
        given: reduced coordinates of the same points in any order.
        tolerance: difference of coordinates that counts as none.

    Raises:
        ValueError: if a point is missing.
    """
    first, second = np.asarray(wanted, dtype=float), np.asarray(given, dtype=float)
    difference = first[:, np.newaxis] - second[np.newaxis]
    distance = np.abs(difference - np.round(difference)).max(axis=-1)
    if (distance.min(axis=1) > tolerance).any():
        missing = first[int(distance.min(axis=1).argmax())]
        raise ValueError(f'the k-point {missing.tolist()} is not among the {len(second)} given')
    return distance.argmin(axis=1)


def assign_corrections(
    kohn_sham: ArrayLike, wannier: ArrayLike, koopmans: ArrayLike, tolerance: float
) -> NDArray[np.float64]:
    """Return corrected Kohn-Sham energies where Wannier bands follow the Kohn-Sham bands.

    Functions and bands are both ordered by energy, so that function n belongs to band n. The difference of Koopmans and
    Wannier band is added to the Kohn-Sham energy: a Wannier band may be off by the disentanglement.

    Args:
        kohn_sham: energies in eV, shape ``(nk, bands)``, from the first band.
        wannier: bands of all functions, occupied and empty, shape ``(nk, functions)``.
        koopmans: corrected bands, same shape.
        tolerance: distance in eV between Wannier and Kohn-Sham band up to which they are the same.

    Returns:
        Energies in eV, shape ``(nk, bands)``, NaN where there is no function or it is further away.

    Raises:
        ValueError: if there are more functions than bands, or the shapes differ.
    """
    energies, before, after = (np.asarray(array, dtype=float) for array in (kohn_sham, wannier, koopmans))
    if before.shape != after.shape or len(before) != len(energies) or before.shape[1] > energies.shape[1]:
        raise ValueError(f'bands of shapes {energies.shape}, {before.shape} and {after.shape} do not fit together')
    corrected = np.full(energies.shape, np.nan)
    functions = before.shape[1]
    follows = np.abs(before - energies[:, :functions]) <= tolerance
    corrected[:, :functions][follows] = (energies[:, :functions] + after - before)[follows]
    return corrected


def complete_lowest_empty_band(kohn_sham: ArrayLike, quasiparticle: ArrayLike, occupied: int) -> NDArray[np.float64]:
    """Return energies whose lowest empty band has one at every k-point, if its minimum and the direct gap are certain.

    A state that the functions miss gets the mean correction of the empty states that they do not miss.

    Args:
        kohn_sham: eV, shape ``(nk, nband)``.
        quasiparticle: the same states, NaN where the functions miss them.
        occupied: number of filled bands.

    Raises:
        ValueError: a state that was completed might be the conduction minimum, or have the direct gap: it is not above
            these by more than the corrections of empty states differ.
    """
    before, after = np.asarray(kohn_sham, dtype=float), np.array(quasiparticle, dtype=float)
    lowest = after[:, occupied]
    missed = np.isnan(lowest)
    if not missed.any() or missed.all():
        return after
    corrections = (after - before)[:, occupied:]
    lowest[missed] = before[missed, occupied] + np.nanmean(corrections)
    margin = np.nanmax(corrections) - np.nanmin(corrections)
    for energies, name in ((lowest, 'conduction minimum'), (lowest - after[:, :occupied].max(axis=1), 'direct gap')):
        if energies[missed].min() <= energies[~missed].min() + margin:
            raise ValueError(f'the {name} may be at a state of band {occupied + 1} that they miss')
    return after


def group_equivalent(blocks: Sequence[ArrayLike], tolerance: float) -> list[int]:
    """Return for each function the first of its group: the same manifold, and spreads within a tolerance.

    Args:
        blocks: spreads in Å² of the functions of each manifold.
        tolerance: difference in Å² of spreads that count as equal.

    Returns:
        Numbers from 1, counted through all manifolds.
    """
    representatives: list[int] = []
    for block in blocks:
        start, spreads = len(representatives), np.asarray(block, dtype=float)
        for index, spread in enumerate(spreads):
            earlier = np.flatnonzero(np.abs(spreads[:index] - spread) <= tolerance)
            representatives.append(representatives[start + int(earlier[0])] if len(earlier) else start + index + 1)
    return representatives
