"""Koopmans eigenvalues from the corrections of Wannier functions."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def corrected_energies(
    energies: ArrayLike, gauge: ArrayLike, corrections: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the eigenvalues of U†εU without and with on-site corrections.

    Args:
        energies: of the Bloch states that the gauge starts from, shape ``(nk, bands)``.
        gauge: from Bloch states to functions, shape ``(nk, bands, functions)``.
        corrections: of each function, in the unit of the energies: -α u/2 if it is occupied, +α u/2 if it is empty,
            where u is the bare integral (N. Colonna et al., J. Chem. Theory Comput. 18, 5435 (2022), equation 8).

    Returns:
        Two arrays of shape ``(nk, functions)``, ascending.
    """
    matrices = np.asarray(gauge, dtype=complex)
    hamiltonian = np.swapaxes(matrices.conj(), -1, -2) @ (np.asarray(energies)[:, :, None] * matrices)
    return np.linalg.eigvalsh(hamiltonian), np.linalg.eigvalsh(hamiltonian + np.diag(np.asarray(corrections)))
