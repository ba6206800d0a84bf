"""Which bands become Wannier functions together, and how: blocks, windows, parameters of the trial projections."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import curve_fit
from scipy.special import erfc

VERSION = 1

MARGIN = 0.01
"""Distance in eV kept between a window and the states it must not cut; eigenvalues are converged much better."""


@dataclass(frozen=True)
class EmptyManifold:
    """Energies in eV that choose the empty functions.

    Attributes:
        frozen_maximum: states below are kept as they are.
        projection_centre: μ of the weight ½ erfc((ε - μ)/σ) of the trial projections.
        projection_width: σ of that weight.
        limited_by: what sets `frozen_maximum`: ``'projectability'`` or ``'number of functions'``.
    """

    frozen_maximum: float
    projection_centre: float
    projection_width: float
    limited_by: str


def isolated_blocks(eigenvalues: ArrayLike, last: int, minimum_gap: float) -> list[tuple[int, int]]:
    """Split the bands up to `last` where a gap separates them at all k-points.

    Semicore and valence bands in one block may be mixed by the spread minimisation, which has many minima then.

    Args:
        eigenvalues: energies in eV, shape ``(nk, bands)``, ascending.
        last: the last band, from 1.
        minimum_gap: gap in eV that separates blocks.

    Returns:
        First and last band of each block, from 1 and inclusive.

    Raises:
        ValueError: if there are fewer bands.
    """
    energies = np.asarray(eigenvalues, dtype=float)
    if energies.shape[1] < last:
        raise ValueError(f'{energies.shape[1]} bands do not hold {last}')
    lowest, highest = energies.min(axis=0), energies.max(axis=0)
    ends = [band for band in range(1, last) if lowest[band] - highest[band - 1] > minimum_gap]
    starts = [1, *(end + 1 for end in ends)]
    return list(zip(starts, [*ends, last], strict=True))


def empty_manifold(
    eigenvalues: ArrayLike, projectability: ArrayLike, occupied: int, functions: int, threshold: float
) -> EmptyManifold:
    """Choose windows and projections of the empty functions.

    The frozen window ends below the first state whose projectability on atomic orbitals is under the threshold, and
    below the band ``occupied + functions + 1`` at every k-point, because it may hold no more states than functions.
    The weight of the trial projections follows from a fit of ½ erfc((ε - μ)/σ) to the projectabilities, shifted down
    by 3σ (V. Vitale et al., npj Comput. Mater. 6, 66 (2020)).

    Args:
        eigenvalues: energies in eV, shape ``(nk, bands)``, from the first band, ascending.
        projectability: weight of each state on all atomic orbitals, same shape, between 0 and 1.
        occupied: number of occupied bands.
        functions: number of empty functions.
        threshold: least projectability of a state that is kept as it is.

    Raises:
        ValueError: if the shapes differ or the bands do not reach beyond the functions.
    """
    energies, weights = np.asarray(eigenvalues, dtype=float), np.asarray(projectability, dtype=float)
    if energies.shape != weights.shape:
        raise ValueError(f'energies of shape {energies.shape} and projectabilities of shape {weights.shape} differ')
    if energies.shape[1] <= occupied + functions:
        raise ValueError(f'{energies.shape[1]} bands do not reach beyond {occupied} filled and {functions} empty ones')
    empty, share = energies[:, occupied:], weights[:, occupied:]
    by_number = float(empty[:, functions].min()) - MARGIN
    foreign = empty[share < threshold]
    by_projectability = float(foreign.min()) - MARGIN if len(foreign) else np.inf
    centre, width = _fit_weight(energies.ravel(), weights.ravel())
    return EmptyManifold(
        frozen_maximum=min(by_number, by_projectability),
        projection_centre=centre - 3 * width,
        projection_width=width,
        limited_by='projectability' if by_projectability < by_number else 'number of functions',
    )


def _fit_weight(energies: NDArray[np.float64], weights: NDArray[np.float64]) -> tuple[float, float]:
    """Return μ and σ of the fit of ½ erfc((ε - μ)/σ); the width stays between 0.1 eV and the range of the energies."""
    low, high = float(energies.min()), float(energies.max())
    span = max(high - low, 1.0)
    guess = (float(np.average(energies, weights=weights + 1e-6)), 0.25 * span)
    bounds = ([low - span, 0.1], [high + span, 2 * span])
    (centre, width), _ = curve_fit(
        lambda x, mu, sigma: 0.5 * erfc((x - mu) / sigma), energies, weights, p0=guess, bounds=bounds
    )
    return float(centre), float(width)
