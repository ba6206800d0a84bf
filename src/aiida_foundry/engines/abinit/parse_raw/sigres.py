"""Self-energy results (``SIGRES.nc``).

ABINIT writes the energies of this file in eV, without a unit attribute; only ``eigenvalues`` is in hartree.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import netCDF4
import numpy as np
from numpy.typing import NDArray

from aiida_foundry.common.units import HARTREE_TO_EV
from aiida_foundry.engines.abinit.parse_raw.netcdf import UnreadableNetcdfError, open_netcdf, read_array

_MATCH = 1e-5
_SELF_CONSISTENT = 10  # gwcalctyp from here on updates the energies, from 20 on the wavefunctions too


@dataclass(frozen=True)
class Quasiparticles:
    """Quasiparticle energies and the parts of the self-energy.

    Bands start with the first of the crystal and end with the last that was computed at any k-point; NaN marks
    states that were not computed. In a self-consistent run the quasiparticle energies are those that the next iteration
    starts from, so that their imaginary part is zero: with updated energies (``gwcalctyp`` ≥ 10) E = ε + Re⟨Σ(ε) − vxc⟩
    without Z, which has no effect once E = ε; with updated wavefunctions (≥ 20) the eigenvalues of the Hermitian
    quasiparticle Hamiltonian, and the matrix elements are in the basis of the previous iteration.

    Args:
        kpoints: (k, 3) reduced.
        weights: (k,) of the irreducible k-points.
        band_range: (k, 2) first and last band, counted from 1.
        ks_energies: (spin, k, band), Kohn-Sham energies in eV, in every iteration of a self-consistent run.
        starting_energies: (spin, k, band) in eV, Kohn-Sham or those of the previous iteration.
        qp_energies: (spin, k, band), real part in eV.
        qp_energies_imag: (spin, k, band), imaginary part in eV.
        renormalization: (spin, k, band), real part of Z.
        exchange: (spin, k, band), exchange self-energy in eV.
        correlation: (spin, k, band), real part of the correlation self-energy at the starting energy in eV.
        vxc: (spin, k, band), exchange-correlation potential in eV.
    """

    kpoints: NDArray[np.float64]
    weights: NDArray[np.float64]
    band_range: NDArray[np.int64]
    ks_energies: NDArray[np.float64]
    starting_energies: NDArray[np.float64]
    qp_energies: NDArray[np.float64]
    qp_energies_imag: NDArray[np.float64]
    renormalization: NDArray[np.float64]
    exchange: NDArray[np.float64]
    correlation: NDArray[np.float64]
    vxc: NDArray[np.float64]


def _indices(kpoints: NDArray[np.float64], irreducible: NDArray[np.float64]) -> list[int]:
    """Return for each k-point its index among the irreducible ones, equal up to a reciprocal lattice vector."""
    difference = kpoints[:, np.newaxis] - irreducible[np.newaxis]
    matches = (np.abs(difference - np.round(difference)) < _MATCH).all(axis=-1)
    if not (matches.sum(axis=1) == 1).all():
        raise UnreadableNetcdfError('k-points of the self-energy are not among the irreducible ones')
    return [int(index) for index in matches.argmax(axis=1)]


def _spread(values: NDArray[np.float64], first: int, bands: int) -> NDArray[np.float64]:
    """Put (…, band) values whose first band is ``first`` (from 1) on an axis of all bands."""
    result = np.full((*values.shape[:-1], bands), np.nan)
    result[..., first - 1 : first - 1 + values.shape[-1]] = values[..., : bands - first + 1]
    return result


def _first_band(dataset: netCDF4.Dataset) -> int:
    """Return the first band of the matrix elements, which ABINIT stores as the length of a dimension."""
    return int(dataset.dimensions['b1gw'].size)


def _quasiparticle_energies(dataset: netCDF4.Dataset) -> NDArray[np.complex128]:
    """Return (spin, k, band) energies in eV: those that the next iteration starts from in a self-consistent run.

    There ``egw`` holds first-order energies of the states of the previous iteration, with Z, neither final nor sorted.
    """
    if int(read_array(dataset, 'gwcalctyp')) >= _SELF_CONSISTENT:
        return read_array(dataset, 'en_qp_diago').astype(np.complex128)
    return read_array(dataset, 'egw') @ np.array([1, 1j])


def parse_sigres(content: bytes) -> Quasiparticles:
    """Return the quasiparticles from the bytes of ``SIGRES.nc``.

    Raises:
        UnreadableNetcdfError: the file is truncated or no SIGRES file.
    """
    with open_netcdf(content) as dataset:
        kpoints = read_array(dataset, 'kptgw')
        index = _indices(kpoints, read_array(dataset, 'reduced_coordinates_of_kpoints'))
        lowest = read_array(dataset, 'minbnd').astype(int)
        highest = read_array(dataset, 'maxbnd').astype(int)
        bands, first = int(highest.max()), _first_band(dataset)
        number = np.arange(1, bands + 1)
        computed = (number >= lowest[..., np.newaxis]) & (number <= highest[..., np.newaxis])
        spins = len(computed)

        def elements(name: str, part: int | None = None) -> NDArray[np.float64]:
            values = read_array(dataset, name)[:spins, index]
            return np.where(computed, _spread(values if part is None else values[..., part], first, bands), np.nan)

        def states(values: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.where(computed, values[:, index, :bands], np.nan)

        energies = _quasiparticle_energies(dataset)
        return Quasiparticles(
            kpoints=kpoints,
            weights=read_array(dataset, 'kpoint_weights')[index],
            band_range=np.stack([lowest.min(axis=0), highest.max(axis=0)], axis=-1),
            ks_energies=states(read_array(dataset, 'eigenvalues') * HARTREE_TO_EV),
            starting_energies=states(read_array(dataset, 'e0')),
            qp_energies=states(energies.real),
            qp_energies_imag=states(energies.imag),
            renormalization=elements('ze0', 0),
            exchange=elements('sigxme'),
            correlation=elements('sigcmee0', 0),
            vxc=elements('vxcme'),
        )


def check_finite(quasiparticles: Quasiparticles) -> list[str]:
    """Return the names of the results that hold NaN or infinity in a computed state."""
    lowest, highest = quasiparticles.band_range.T
    number = np.arange(1, quasiparticles.ks_energies.shape[-1] + 1)
    inside = (number >= lowest[:, np.newaxis]) & (number <= highest[:, np.newaxis])
    names = [entry.name for entry in fields(quasiparticles)][3:]
    return [name for name in names if not np.isfinite(getattr(quasiparticles, name)[:, inside]).all()]
