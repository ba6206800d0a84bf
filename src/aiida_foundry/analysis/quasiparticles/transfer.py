"""From the k-points of a quasiparticle calculation to those of a Bethe-Salpeter calculation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_foundry.analysis.quasiparticles.extrapolate import EXTRAPOLATIONS, fill
from aiida_foundry.analysis.quasiparticles.states import Quasiparticles
from aiida_foundry.analysis.quasiparticles.symmetry import equivalent_points
from aiida_foundry.common.errors import InputError

FloatArray = NDArray[np.float64]

STAR_TOLERANCE = 1e-3
"""eV by which the Kohn-Sham energies, and the corrections, of equivalent k-points may differ."""

DEGENERACY = 1e-3
"""eV within which states of the target are one multiplet, which must not be split."""

__all__ = ['EXTRAPOLATIONS', 'Transfer', 'transfer']


@dataclass(frozen=True)
class Transfer:
    """Corrections at the k-points and bands of the target.

    Attributes:
        corrections: (k, band) in eV, for the bands of the target, without gaps.
        covered: (k, band), whether the correction was computed; the others are extrapolated.
        report: what was checked and found: see `transfer`.
    """

    corrections: FloatArray
    covered: NDArray[np.bool_]
    report: dict[str, Any]


def transfer(
    source: Quasiparticles,
    kpoints: ArrayLike,
    ks_energies: ArrayLike,
    operations: NDArray[np.int_],
    *,
    occupied: int,
    first_band: int = 1,
    tolerance: float = 0.02,
    extrapolation: str = 'refuse',
) -> Transfer:
    """Carry corrections to other k-points by symmetry and check the assignment by the Kohn-Sham energies of both.

    A k-point takes the mean over all k-points of the source that equal S k + G, S in the point group with time
    reversal. The Kohn-Sham energies of the source, shifted to the zero of the target, must agree with those of the
    target: a valence state that does not is an error (another crystal, permuted k-points), an empty one was not
    reproduced by the source (disentangled Wannier functions) and counts as not covered. States that are degenerate in
    the target get their mean correction, and none if one of them is not covered.

    Args:
        source: corrections of the bands from the first on.
        kpoints: (k, 3) reduced, of the target.
        ks_energies: (k, band) in eV, of the target; bands from `first_band` on, to the last that is needed.
        operations: on reduced k-points, see `symmetry.reciprocal_operations`.
        occupied: number of filled bands of the crystal.
        first_band: index, from 1, of the first band in `ks_energies`.
        tolerance: eV by which the Kohn-Sham energies of source and target may differ.
        extrapolation: for states without correction, one of `EXTRAPOLATIONS`.

    Returns:
        The corrections. The report has ``states``, ``covered``, ``excluded`` (empty states whose Kohn-Sham energies
        differ), ``ks_deviation`` (largest of the states taken), ``ks_star_spread``, ``correction_star_spread``,
        ``multiplet_spread`` (largest of the corrections within a multiplet), ``alignment`` (energy of the target's
        zero in the source), all in eV, ``tolerance``, ``extrapolation`` and the records of `fill`.

    Raises:
        InputError: a k-point that the source lacks, equivalent k-points that differ, Kohn-Sham energies of valence
            states that differ, gaps in coverage that are refused.
    """
    target = np.asarray(ks_energies, dtype=float)
    energies, corrections, spreads = _average_stars(
        source, np.asarray(kpoints, dtype=float), operations, first_band, target
    )
    filled = occupied - first_band + 1
    if not 0 < filled < target.shape[1]:
        raise InputError('bands', f'the window does not hold the band edges of {occupied} bands', 'Take more bands')
    alignment, deviation = _compare(energies, target, filled, tolerance)
    wrong = np.abs(deviation) > tolerance
    corrections = np.where(wrong, np.nan, corrections)
    corrections, multiplet_spread = _keep_multiplets(corrections, target)
    covered = ~np.isnan(corrections)
    complete, records = fill(target, corrections, filled, extrapolation)
    report = {
        'states': int(target.size),
        'covered': int(covered.sum()),
        'excluded': int(wrong.sum()),
        'ks_deviation': float(np.nanmax(np.abs(np.where(covered, deviation, np.nan)))),
        'multiplet_spread': multiplet_spread,
        'alignment': alignment,
        'tolerance': tolerance,
        'extrapolation': extrapolation,
        'extrapolated': records,
        **spreads,
    }
    return Transfer(complete, covered, report)


def _average_stars(
    source: Quasiparticles, kpoints: FloatArray, operations: NDArray[np.int_], first_band: int, target: FloatArray
) -> tuple[FloatArray, FloatArray, dict[str, float]]:
    """Return energies and corrections of the source, (k, band), at the k-points and bands of the target."""
    window = slice(first_band - 1, first_band - 1 + target.shape[1])
    energies, corrections = np.full(target.shape, np.nan), np.full(target.shape, np.nan)
    spreads = {'ks_star_spread': 0.0, 'correction_star_spread': 0.0}
    for index, kpoint in enumerate(kpoints):
        star = equivalent_points(kpoint, source.kpoints, operations)
        if len(star) == 0:
            raise InputError(
                'quasiparticles',
                f'no k-point of theirs is equivalent to {np.round(kpoint, 5).tolist()}',
                'Compute them on the mesh of the Bethe-Salpeter equation, with Γ and without offset',
            )
        for name, values, result in (
            ('ks_star_spread', source.ks_energies, energies),
            ('correction_star_spread', source.corrections, corrections),
        ):
            members = values[star, window]
            result[index, : members.shape[1]] = members.mean(axis=0)
            spreads[name] = max(spreads[name], _spread(members, name, kpoint))
    return energies, corrections, spreads


def _spread(members: FloatArray, name: str, kpoint: FloatArray) -> float:
    """Return by how much equivalent k-points differ; refuse what symmetry forbids."""
    spread = np.ptp(members, axis=0)
    largest = float(spread[np.isfinite(spread)].max(initial=0.0))
    if largest > STAR_TOLERANCE:
        what = 'Kohn-Sham energies' if name.startswith('ks') else 'corrections'
        raise InputError(
            'quasiparticles',
            f'their {what} differ by {largest:.4f} eV (tolerance {STAR_TOLERANCE} eV) between k-points equivalent to '
            f'{np.round(kpoint, 5).tolist()}',
            'Check that k-points and energies are in the same order, and that equivalent Wannier functions have equal '
            'spreads',
        )
    return largest


def _compare(energies: FloatArray, target: FloatArray, filled: int, tolerance: float) -> tuple[float, FloatArray]:
    """Return the energy in the source of the target's zero, and the deviations (k, band) left after that shift."""
    difference = energies - target
    valence = difference[:, :filled]
    if not np.isfinite(valence).any():
        raise InputError('quasiparticles', 'they hold no valence state of the window', 'Compute the valence bands')
    alignment = float(np.nanmedian(valence))
    deviation = difference - alignment
    worst = float(np.nanmax(np.abs(deviation[:, :filled])))
    if worst > tolerance:
        index = np.unravel_index(np.nanargmax(np.abs(deviation[:, :filled])), valence.shape)
        raise InputError(
            'quasiparticles',
            f'their Kohn-Sham energies are not those of the Bethe-Salpeter calculation: a valence state (k-point '
            f'{index[0] + 1}, band {index[1] + 1} of the window) differs by {worst:.4f} eV (tolerance {tolerance} eV)',
            'Use the same structure, functional, pseudopotentials and cutoff; keep k-points and energies in order',
        )
    return alignment, deviation


def _keep_multiplets(corrections: FloatArray, target: FloatArray) -> tuple[FloatArray, float]:
    """Return one correction per degenerate multiplet, NaN if a member has none, and the largest spread in one."""
    result, largest = corrections.copy(), 0.0
    for row, energies in zip(result, target, strict=True):
        order = np.argsort(energies)
        for members in np.split(order, np.flatnonzero(np.diff(energies[order]) > DEGENERACY) + 1):
            largest = max(largest, float(np.nan_to_num(np.ptp(row[members]))))
            row[members] = row[members].mean()
    return result, largest
