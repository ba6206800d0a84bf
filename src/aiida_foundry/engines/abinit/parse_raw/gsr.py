"""Ground-state results (``GSR.nc``)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_foundry.common.units import BOHR_TO_ANGSTROM, HARTREE_TO_EV
from aiida_foundry.engines.abinit.parse_raw.netcdf import open_netcdf, read_array, read_scalar


@dataclass(frozen=True)
class GroundState:
    """Results of a run that solves the Kohn-Sham equations.

    Args:
        energy: total energy in eV; at fixed potential that of the run which made the density.
        fermi_energy: in eV; the highest occupied energy of an insulator with fixed occupations.
        number_of_electrons: in the cell.
        kpoints: (k, 3) reduced.
        weights: (k,), sum 1.
        eigenvalues: (spin, k, band) in eV, NaN beyond the bands of a k-point.
        occupations: (spin, k, band), electrons per state.
        forces: (atom, 3) in eV/Å.
        stress: (3, 3) in eV/Å³.
        cell: (3, 3) rows in Å.
        positions: (atom, 3) reduced.
    """

    energy: float
    fermi_energy: float
    number_of_electrons: float
    kpoints: NDArray[np.float64]
    weights: NDArray[np.float64]
    eigenvalues: NDArray[np.float64]
    occupations: NDArray[np.float64]
    forces: NDArray[np.float64]
    stress: NDArray[np.float64]
    cell: NDArray[np.float64]
    positions: NDArray[np.float64]


def _stress_matrix(voigt: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the symmetric matrix of ABINIT's order (1 1), (2 2), (3 3), (3 2), (3 1), (2 1)."""
    xx, yy, zz, yz, xz, xy = voigt
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])


def parse_gsr(content: bytes) -> GroundState:
    """Return the ground state from the bytes of ``GSR.nc``.

    Raises:
        UnreadableNetcdfError: the file is truncated or no GSR file.
    """
    with open_netcdf(content) as dataset:
        states = read_array(dataset, 'number_of_states')
        bands = np.arange(dataset.dimensions['max_number_of_states'].size)
        exists = bands < states[..., np.newaxis]
        stress = read_array(dataset, 'cartesian_stress_tensor') * HARTREE_TO_EV / BOHR_TO_ANGSTROM**3
        return GroundState(
            energy=read_scalar(dataset, 'etotal') * HARTREE_TO_EV,
            fermi_energy=read_scalar(dataset, 'fermi_energy') * HARTREE_TO_EV,
            number_of_electrons=read_scalar(dataset, 'nelect'),
            kpoints=read_array(dataset, 'reduced_coordinates_of_kpoints'),
            weights=read_array(dataset, 'kpoint_weights'),
            eigenvalues=np.where(exists, read_array(dataset, 'eigenvalues') * HARTREE_TO_EV, np.nan),
            occupations=np.where(exists, read_array(dataset, 'occupations'), np.nan),
            forces=read_array(dataset, 'cartesian_forces') * HARTREE_TO_EV / BOHR_TO_ANGSTROM,
            stress=_stress_matrix(stress),
            cell=read_array(dataset, 'primitive_vectors') * BOHR_TO_ANGSTROM,
            positions=read_array(dataset, 'reduced_atom_positions'),
        )


def check_finite(state: GroundState) -> list[str]:
    """Return the names of the results that hold NaN or infinity where a value belongs."""
    scalars = ('energy', 'fermi_energy', 'number_of_electrons')
    arrays = ('kpoints', 'weights', 'cell', 'positions')
    bad = [name for name in (*scalars, *arrays) if not np.isfinite(getattr(state, name)).all()]
    # States beyond the bands of a k-point have neither energy nor occupation.
    exists = ~(np.isnan(state.eigenvalues) & np.isnan(state.occupations))
    bad += [name for name in ('eigenvalues', 'occupations') if not np.isfinite(getattr(state, name)[exists]).all()]
    return bad


def highest_band_occupation(state: GroundState) -> float:
    """Return the largest occupation, in electrons per state, of the highest band over all k-points and spins."""
    last = (np.isfinite(state.occupations).sum(axis=-1) - 1)[..., np.newaxis]
    return float(np.take_along_axis(state.occupations, last, axis=-1).max())


def describe_occupations(state: GroundState, spinors: bool) -> dict[str, float | bool]:
    """Return what the occupations tell about an insulator.

    Args:
        state: the ground state.
        spinors: whether a state holds one electron without spin polarisation (``nspinor 2``).

    Returns:
        ``highest_occupied_energy`` and ``lowest_unoccupied_energy`` in eV (the latter only if there are empty bands),
        ``has_fractional_occupations``.
    """
    full = 1.0 if spinors or len(state.eigenvalues) == 2 else 2.0
    fraction = state.occupations / full
    occupied, empty = fraction > 0.5, fraction <= 0.5
    result: dict[str, float | bool] = {
        'has_fractional_occupations': bool(((fraction > 1e-3) & (fraction < 1 - 1e-3)).any())
    }
    if occupied.any():
        result['highest_occupied_energy'] = float(state.eigenvalues[occupied].max())
    if empty.any():
        result['lowest_unoccupied_energy'] = float(state.eigenvalues[empty].min())
    return result
