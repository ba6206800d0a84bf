"""What a Bethe-Salpeter calculation says about a crystal: one summary, whatever the engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_foundry.analysis import excitons, spectra

VERSION = 1

NUMBER_OF_MULTIPLETS = 12
"""Multiplets in the summary; the arrays hold all."""


def direct_gap(energies: ArrayLike, occupied: int) -> float:
    """Return the smallest vertical transition energy in eV of bands (k, band), the first `occupied` of them filled."""
    bands = np.asarray(energies, dtype=float)
    return float((bands[:, occupied:].min(axis=1) - bands[:, :occupied].max(axis=1)).min())


def tensor_of(functions: ArrayLike, directions: ArrayLike) -> NDArray[np.complex128]:
    """Return the dielectric tensor (w, 3, 3) of functions (q, w) along Cartesian directions (q, 3)."""
    return spectra.dielectric_tensor(directions, functions)


def summarise(
    frequencies: ArrayLike,
    directions: ArrayLike,
    functions: Mapping[str, ArrayLike],
    gaps: Mapping[str, float],
    states: Mapping[str, ArrayLike] | None,
) -> dict[str, Any]:
    """Return the summary of spectra and excitons.

    Args:
        frequencies: (w,) in eV, from 0.
        directions: (q, 3) Cartesian.
        functions: dielectric functions (q, w) by name; ``excitonic`` among them.
        gaps: direct gaps in eV, ``kohn_sham`` and ``quasiparticle``.
        states: ``energies`` (n) in eV and, if known, ``strengths`` (n, q) in eV; None after a Haydock recursion.

    Returns:
        ``direct_gap``; ``static`` and ``peaks`` (positions in eV, heights of Im ε) of the average of each function;
        ``anisotropy`` (largest relative deviation of the principal static constants from their mean); and with states
        ``lowest``, ``lowest_bright`` (energy, binding energy, degeneracy, strength), ``multiplets``, ``dark`` (how many
        of these are).
    """
    tensors = {name: spectra.dielectric_tensor(directions, values) for name, values in functions.items()}
    summary: dict[str, Any] = {'direct_gap': dict(gaps), 'units': 'eV', 'static': {}, 'peaks': {}}
    for name, tensor in tensors.items():
        mean = spectra.average(tensor)
        positions, heights = spectra.peaks(frequencies, mean.imag)
        summary['static'][name] = float(mean[0].real)
        summary['peaks'][name] = {'energies': positions.tolist(), 'heights': heights.tolist()}
    principal = np.linalg.eigvalsh(tensors['excitonic'][0].real)
    summary['anisotropy'] = float(np.abs(principal / principal.mean() - 1).max())
    if states is not None:
        summary.update(_exciton_summary(states, directions, gaps['quasiparticle']))
    return summary


def mean_strengths(strengths: ArrayLike, directions: ArrayLike) -> NDArray[np.float64]:
    """Return oscillator strengths (n) averaged over all directions, from those (n, q) along directions (q, 3)."""
    tensor = spectra.dielectric_tensor(directions, np.asarray(strengths).T)
    return np.asarray(spectra.average(tensor).real)


def _exciton_summary(states: Mapping[str, ArrayLike], directions: ArrayLike, gap: float) -> dict[str, Any]:
    energies = np.asarray(states['energies'], dtype=float)
    if 'strengths' not in states:
        return {'lowest': {'energy': float(energies.min()), 'binding_energy': gap - float(energies.min())}}
    groups = excitons.multiplets(energies, mean_strengths(states['strengths'], directions), gap)
    bright = next((group for group in groups if group.bright), None)
    shown = groups[:NUMBER_OF_MULTIPLETS]
    summary = {
        'lowest': excitons.as_records(groups[:1])[0],
        'multiplets': excitons.as_records(shown),
        'dark': sum(not group.bright for group in shown),
    }
    return summary if bright is None else {**summary, 'lowest_bright': excitons.as_records([bright])[0]}
