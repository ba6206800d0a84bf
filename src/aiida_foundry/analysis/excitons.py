"""Excitons: multiplets, which of them light can make, and of which electrons and holes they consist."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_foundry.common.units import HARTREE_TO_EV

VERSION = 1

DARK_FRACTION = 1e-3
"""A multiplet is dark if its oscillator strength is below this fraction of the strongest one's."""


@dataclass(frozen=True)
class Multiplet:
    """Excitons of one energy.

    Attributes:
        energy: mean in eV.
        spread: largest minus smallest energy in eV: what the code breaks of the symmetry.
        degeneracy: number of states.
        strength: oscillator strength, the sum of the residues of ε in eV, averaged over directions.
        bright: whether light can make it.
        binding_energy: direct gap minus energy in eV.
    """

    energy: float
    spread: float
    degeneracy: int
    strength: float
    bright: bool
    binding_energy: float


def multiplets(
    energies: ArrayLike, strengths: ArrayLike, direct_gap: float, *, tolerance: float = 5e-4
) -> list[Multiplet]:
    """Group excitons into multiplets, lowest first.

    Args:
        energies: (n,) in eV, all or the lowest ones.
        strengths: (n,), residues of ε in eV, averaged over directions.
        direct_gap: smallest vertical transition energy without interaction, in eV.
        tolerance: eV between neighbouring energies of one multiplet.
    """
    order = np.argsort(energies)
    e, f = np.asarray(energies, dtype=float)[order], np.asarray(strengths, dtype=float)[order]
    groups = np.split(np.arange(len(e)), np.flatnonzero(np.diff(e) > tolerance) + 1)
    totals = [float(f[group].sum()) for group in groups]
    return [
        Multiplet(
            energy=float(e[group].mean()),
            spread=float(np.ptp(e[group])),
            degeneracy=len(group),
            strength=total,
            bright=total > DARK_FRACTION * max(totals),
            binding_energy=direct_gap - float(e[group].mean()),
        )
        for group, total in zip(groups, totals, strict=True)
    ]


def as_records(excitons: list[Multiplet]) -> list[dict[str, Any]]:
    """Return multiplets as plain dictionaries."""
    return [asdict(exciton) for exciton in excitons]


def composition(
    amplitudes: ArrayLike, kpoints: ArrayLike, bands: ArrayLike, shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Return the weight of each band at each k-point in an exciton, or in a multiplet.

    Args:
        amplitudes: (t,) of one exciton or (n, t) of a multiplet, complex, each normalised. Beyond the Tamm-Dancoff
            approximation 2t, the antiresonant pairs behind the resonant ones; both count for their bands.
        kpoints: (t,) index of the k-point of each transition, from 0.
        bands: (t, 2) indices of the valence and of the conduction band of each transition, from 0.
        shape: numbers of k-points and of bands.

    Returns:
        (k, band): holes add up to 1 over the valence bands, electrons to 1 over the conduction bands.
    """
    probability = np.abs(np.atleast_2d(amplitudes)) ** 2
    weight = probability.mean(axis=0).reshape(-1, len(np.asarray(kpoints))).sum(axis=0)
    result = np.zeros(shape)
    for band in np.asarray(bands).T:
        np.add.at(result, (np.asarray(kpoints), band), weight)
    return result


def head_difference(first: tuple[float, float], second: tuple[float, float], volume: float, kpoints: int) -> float:
    """Return by how much exciton energies of two codes differ because they treat the limit q → 0 of W differently.

    Each code replaces the diverging head of the screened interaction by its mean over the cell of the mesh around Γ,
    c / ε · 4π Ω_q^(1/3) / (2π)³ hartree with Ω_q = (2π)³ / (V N_k), which shifts all exciton energies alike.

    Args:
        first: factor c and dielectric constant ε of one code.
        second: those of the other.
        volume: of the cell in bohr³.
        kpoints: number of points of the mesh.

    Returns:
        Energies of the second minus those of the first, in eV.
    """
    (c1, epsilon1), (c2, epsilon2) = first, second
    omega = (2 * np.pi) ** 3 / (volume * kpoints)
    return float((c1 / epsilon1 - c2 / epsilon2) * 4 * np.pi * np.cbrt(omega) / (2 * np.pi) ** 3 * HARTREE_TO_EV)
