"""Wannier functions from their gauge matrices: bands on the mesh, unitarity, distance to the Kohn-Sham bands."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

VERSION = 1


def isometry_error(matrices: ArrayLike) -> float:
    """Return the largest element of ``|U†U - 1|`` over all k-points.

    Args:
        matrices: gauge matrices, shape ``(nk, bands, functions)``; square for isolated bands.
    """
    gauge = np.asarray(matrices, dtype=complex)
    overlap = np.swapaxes(gauge.conj(), -1, -2) @ gauge
    return float(np.abs(overlap - np.eye(gauge.shape[-1])).max())


def total_gauge(rotation: ArrayLike, disentanglement: ArrayLike | None) -> NDArray[np.complex128]:
    """Return the matrix from Bloch states to Wannier functions, shape ``(nk, bands, functions)``.

    Args:
        rotation: U of the spread minimisation, ``(nk, functions, functions)``.
        disentanglement: U_dis of the subspace selection, ``(nk, bands, functions)``; None for isolated bands.

    Raises:
        ValueError: if the shapes do not fit together.
    """
    gauge = np.asarray(rotation, dtype=complex)
    if disentanglement is None:
        return gauge
    subspace = np.asarray(disentanglement, dtype=complex)
    if subspace.shape[0] != gauge.shape[0] or subspace.shape[2] != gauge.shape[1]:
        raise ValueError(f'matrices of shapes {subspace.shape} and {gauge.shape} do not belong together')
    return subspace @ gauge


def wannier_energies(eigenvalues: ArrayLike, gauge: ArrayLike) -> NDArray[np.float64]:
    """Return the eigenvalues of ``U†εU``: the bands of the Wannier functions at the k-points of the mesh.

    Args:
        eigenvalues: Kohn-Sham energies, shape ``(nk, bands)``.
        gauge: see `total_gauge`, shape ``(nk, bands, functions)``.

    Returns:
        Energies in ascending order, shape ``(nk, functions)``, in the unit of the eigenvalues.

    Raises:
        ValueError: if the shapes do not fit together.
    """
    energies, matrices = np.asarray(eigenvalues, dtype=float), np.asarray(gauge, dtype=complex)
    if energies.shape != matrices.shape[:2]:
        raise ValueError(f'energies of shape {energies.shape} do not fit gauge matrices of shape {matrices.shape}')
    hamiltonian = np.swapaxes(matrices.conj(), -1, -2) @ (energies[:, :, np.newaxis] * matrices)
    return np.linalg.eigvalsh((hamiltonian + np.swapaxes(hamiltonian.conj(), -1, -2)) / 2)


def band_distance(kohn_sham: ArrayLike, wannier: ArrayLike, limit: float, smearing: float = 0.1) -> float:
    """Return the average distance η of two sets of bands up to an energy.

    η² = Σ f (ε - ε')² / Σ f, with f = √(f(ε) f(ε')) of Fermi functions at `limit` (G. Prandini et al., npj Comput.
    Mater. 4, 72 (2018); V. Vitale et al., npj Comput. Mater. 6, 66 (2020)).

    Args:
        kohn_sham: energies in eV, shape ``(nk, functions)``, ascending.
        wannier: energies in eV of the same bands.
        limit: states above count no more, eV.
        smearing: width of the Fermi function, eV.

    Returns:
        η in eV; infinite where no state lies below the limit, because nothing was compared.

    Raises:
        ValueError: if the shapes differ.
    """
    reference, other = np.asarray(kohn_sham, dtype=float), np.asarray(wannier, dtype=float)
    if reference.shape != other.shape:
        raise ValueError(f'bands of shapes {reference.shape} and {other.shape} cannot be compared')
    weight = np.sqrt(_fermi(reference, limit, smearing) * _fermi(other, limit, smearing))
    if weight.sum() < 1e-6:
        return float('inf')
    return float(np.sqrt((weight * (reference - other) ** 2).sum() / weight.sum()))


def _fermi(energies: NDArray[np.float64], level: float, width: float) -> NDArray[np.float64]:
    return 0.5 * (1.0 - np.tanh((energies - level) / (2.0 * width)))
