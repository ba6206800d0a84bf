"""Quasiparticle energies on a set of k-points, and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_foundry.common.errors import InputError

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Quasiparticles:
    """Kohn-Sham energies and corrections of the states of one calculation.

    Attributes:
        kpoints: (k, 3) reduced.
        ks_energies: (k, band) in eV, from the first band of the crystal on; NaN where the calculation has none.
        corrections: (k, band), quasiparticle minus Kohn-Sham energy in eV, both of this calculation; NaN where it has
            none. The difference is what may be carried to another code: energy zeros drop out, and so does the error
            of states that a Wannier interpolation does not reproduce.
    """

    kpoints: FloatArray
    ks_energies: FloatArray
    corrections: FloatArray

    @classmethod
    def from_arrays(cls, kpoints: ArrayLike, ks_energies: ArrayLike, qp_energies: ArrayLike) -> Quasiparticles:
        """Return the corrections in the arrays that the engines have as output.

        Args:
            kpoints: (k, 3) reduced.
            ks_energies: (1, k, band) or (k, band) in eV.
            qp_energies: of the same shape, in eV, NaN where not computed.

        Raises:
            InputError: spin-polarised, or shapes that do not fit.
        """
        points, before, after = (np.asarray(values, dtype=float) for values in (kpoints, ks_energies, qp_energies))
        before, after = (_without_spin(values) for values in (before, after))
        if points.ndim != 2 or points.shape[1] != 3 or before.shape != after.shape or len(points) != len(before):
            raise InputError(
                'quasiparticles',
                f'k-points {points.shape}, Kohn-Sham {before.shape} and quasiparticle energies {after.shape} do not '
                'belong together',
                'Give arrays of one calculation: (k, 3), (1, k, band), (1, k, band)',
            )
        if not np.isfinite(after - before).any():
            raise InputError('quasiparticles', 'they hold no energy', 'Give a calculation that computed some')
        return cls(points, before, after - before)


def _without_spin(energies: FloatArray) -> FloatArray:
    if energies.ndim == 3 and len(energies) != 1:
        raise InputError('quasiparticles', 'they are spin-polarised', 'Only one spin channel is supported')
    return energies[0] if energies.ndim == 3 else energies


def scissor(kpoints: ArrayLike, ks_energies: ArrayLike, occupied: int, shift: float) -> Quasiparticles:
    """Return the corrections that move all empty states up by `shift` eV.

    Args:
        kpoints: (k, 3) reduced.
        ks_energies: (k, band) in eV.
        occupied: number of filled bands.
        shift: in eV.
    """
    energies = np.asarray(ks_energies, dtype=float)
    empty = np.arange(energies.shape[1]) >= occupied
    return Quasiparticles(np.asarray(kpoints, dtype=float), energies, np.where(empty, shift, 0.0) + 0.0 * energies)
