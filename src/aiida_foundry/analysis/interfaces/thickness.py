"""From which thickness on the field of a polar interface closes the gap: the polar catastrophe.

The potential drop over a layer grows with its thickness until the valence band at one of its ends meets the conduction
band at the other and charge crosses over (Nakagawa, Hwang and Muller, Nature Mater. 5, 204 (2006)). All estimates take
rigid bands, bulk dielectric constants and no surface or defect states: they are upper bounds where those exist.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_foundry.analysis.interfaces.charge import FIELD

FloatArray = NDArray[np.float64]


def film_thickness(density: ArrayLike, dielectric_constant: ArrayLike, barrier: ArrayLike) -> FloatArray:
    """Return the critical thickness in Å of a film with a free surface on a thick substrate.

    t = ε₀ ε Δ/(e |σ|), equation 1 of Reinle-Schmitt et al., Nature Commun. 3, 932 (2012): all field is in the film.

    Args:
        density: σ, e/Å².
        dielectric_constant: ε of the film along the normal, of clamped or free ions as the question asks, no unit.
        barrier: Δ, eV: from the valence band of the film to the lowest conduction band at the interface for σ > 0, from
            the highest valence band at the interface to the conduction band of the film for σ < 0.
    """
    with np.errstate(divide='ignore', invalid='ignore'):
        return np.asarray(dielectric_constant) * np.asarray(barrier) / (FIELD * np.abs(density))


def superlattice_thickness(density: ArrayLike, dielectric_constants: ArrayLike, barrier: ArrayLike) -> FloatArray:
    """Return the critical thickness in Å of each layer of a superlattice of two equally thick insulators.

    The potential is periodic, E₁ t + E₂ t = 0, and ε₁E₁ − ε₂E₂ = σ/ε₀, so that both layers have the field
    σ/(ε₀(ε₁ + ε₂)), and t = ε₀ (ε₁ + ε₂) Δ/(e |σ|).

    Args:
        density: (n,) σ, e/Å².
        dielectric_constants: (2, n) of the two crystals along the normal, no unit.
        barrier: (n,) Δ, eV, from the highest valence to the lowest conduction band, as from ``band_barrier``.
    """
    return film_thickness(density, np.asarray(dielectric_constants).sum(axis=0), barrier)


def band_barrier(gaps: ArrayLike, affinities: ArrayLike) -> FloatArray:
    """Return the energy from the highest valence to the lowest conduction band of two crystals, eV.

    With electron affinities the bands are aligned by the vacuum level (Anderson, IBM J. Res. Dev. 4, 283 (1960)). Where
    one is not known the smaller gap is returned: that of a straddling alignment, and an upper bound for any other. Zero
    where the alignment is broken, so that charge crosses over at any thickness.

    Args:
        gaps: (2, n) fundamental gaps, eV.
        affinities: (2, n) electron affinities, eV; NaN where unknown.
    """
    energies = np.asarray(gaps, dtype=float)
    conduction = -np.asarray(affinities, dtype=float)
    aligned = conduction.min(axis=0) - (conduction - energies).max(axis=0)
    return np.where(np.isnan(aligned), energies.min(axis=0), np.maximum(aligned, 0.0))
