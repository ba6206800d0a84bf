"""Koopmans energies on the mesh, in the layout that all engines of this package share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_foundry.analysis.koopmans.densities import Manifold


@dataclass(frozen=True)
class KoopmansEnergies:
    """Energies in eV, shape ``(nk, bands)``, from the first band on, NaN where there is none.

    Attributes:
        kohn_sham: of the plane-wave code.
        wannier: of the Hamiltonian of the Wannier functions.
        koopmans: of that Hamiltonian with the corrections.
        quasiparticle: `kohn_sham` plus the difference of the two, where the Wannier functions reproduce the state.
        left_out: number of states of the Wannier functions that they do not reproduce.
    """

    kohn_sham: NDArray[np.float64]
    wannier: NDArray[np.float64]
    koopmans: NDArray[np.float64]
    quasiparticle: NDArray[np.float64]
    left_out: int

    def as_arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return the arrays with a spin axis, by their names in the outputs."""
        return {
            'ks_energies': self.kohn_sham[None],
            'wannier_energies': self.wannier[None],
            'koopmans_energies': self.koopmans[None],
            'qp_energies': self.quasiparticle[None],
        }


def corrected_energies(
    energies: ArrayLike, gauge: ArrayLike, corrections: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the eigenvalues of U†εU without and with on-site corrections.

    Args:
        energies: of the Bloch states that the gauge starts from, shape ``(nk, bands)``.
        gauge: from Bloch states to functions, shape ``(nk, bands, functions)``.
        corrections: of each function, in the unit of the energies: -α u/2 if it is occupied, +α u/2 if it is empty,
            where u is the bare integral (N. Colonna et al., J. Chem. Theory Comput. 18, 5435 (2022)).

    Returns:
        Two arrays of shape ``(nk, functions)``, ascending.
    """
    matrices = np.asarray(gauge, dtype=complex)
    hamiltonian = np.swapaxes(matrices.conj(), -1, -2) @ (np.asarray(energies)[:, :, None] * matrices)
    return np.linalg.eigvalsh(hamiltonian), np.linalg.eigvalsh(hamiltonian + np.diag(np.asarray(corrections)))


def koopmans_energies(
    kohn_sham: ArrayLike, manifolds: Sequence[Manifold], corrections: Sequence[ArrayLike], tolerance: float
) -> KoopmansEnergies:
    """Return the energies of all states.

    Args:
        kohn_sham: in eV, shape ``(nk, bands)``.
        manifolds: occupied and empty functions.
        corrections: of the functions of each, in eV.
        tolerance: in eV. A state whose Wannier energy differs by more from the Kohn-Sham one is a mixture made by the
            disentanglement: its correction is not that of a band, and it gets no quasiparticle energy.
    """
    energies = np.asarray(kohn_sham, dtype=float)
    wannier, koopmans, quasiparticle = (np.full_like(energies, np.nan) for _ in range(3))
    for manifold, shifts in zip(manifolds, corrections, strict=True):
        first = manifold.first_band
        bands = slice(first, first + manifold.functions)
        source = energies[:, first : first + manifold.gauge.shape[1]]
        wannier[:, bands], koopmans[:, bands] = corrected_energies(source, manifold.gauge, shifts)
        reproduced = np.abs(wannier[:, bands] - energies[:, bands]) <= tolerance
        shifted = energies[:, bands] + koopmans[:, bands] - wannier[:, bands]
        quasiparticle[:, bands] = np.where(reproduced, shifted, np.nan)
    left_out = int((np.isfinite(wannier) & ~np.isfinite(quasiparticle)).sum())
    return KoopmansEnergies(energies, wannier, koopmans, quasiparticle, left_out)
