"""Second derivatives of the energy: force constants (``DDB.nc``), dielectric tensor and Born charges (main output).

``DDB.nc`` of ABINIT 9.6 lacks the dielectric tensor, and its Born charges lack the charge of the ions and are in
reduced coordinates; the main output has both in Cartesian coordinates.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from aiida_foundry.common.units import BOHR_TO_ANGSTROM, HARTREE_TO_EV
from aiida_foundry.engines.abinit.parse_raw.netcdf import open_netcdf, read_array

_ROW = re.compile(r'^\s+([123])\s+(\d+)\s+([123])\s+(\d+)\s+([-+.\dE]+|NaN)\s+([-+.\dE]+|NaN)\s*$')


def _rows(text: str, title: str) -> list[tuple[int, int, int, int, float]]:
    """Return (direction, perturbation, direction, perturbation, real part) of the first table below the title."""
    rows: list[tuple[int, int, int, int, float]] = []
    _, _, below = text.partition(title)
    for line in below.splitlines():
        if match := _ROW.match(line):
            *indices, real, _imaginary = match.groups()
            rows.append((*(int(index) for index in indices), float(real)))  # type: ignore[arg-type]
        elif rows and line.strip():
            break
    return rows


def parse_dielectric_tensor(text: str) -> NDArray[np.float64] | None:
    """Return the electronic dielectric tensor (3, 3), Cartesian, or None if the run did not compute it."""
    rows = _rows(text, 'Dielectric tensor, in cartesian coordinates')
    if len(rows) != 9:
        return None
    return np.array([row[-1] for row in rows]).reshape(3, 3)


def parse_born_charges(text: str, number_of_atoms: int) -> NDArray[np.float64] | None:
    """Return the Born effective charges, or None if the run did not compute them.

    Args:
        text: the main output.
        number_of_atoms: in the cell; higher perturbations are fields.

    Returns:
        (atom, direction of the field, direction of the displacement) in units of the elementary charge, Cartesian.
    """
    charges = np.full((number_of_atoms, 3, 3), np.nan)
    rows = _rows(text, 'Effective charges, in cartesian coordinates')
    for first, first_case, second, second_case, value in rows:
        if first_case <= number_of_atoms:
            charges[first_case - 1, second - 1, first - 1] = value
        else:
            charges[second_case - 1, first - 1, second - 1] = value
    return charges if rows else None


def parse_force_constants(content: bytes) -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
    """Return the wavevector and the force constants from the bytes of ``DDB.nc``.

    Derivatives with respect to reduced coordinates become Cartesian with the inverse lattice vectors.

    Returns:
        Wavevector (3,) reduced; force constants (atom, 3, atom, 3) in eV/Å², NaN where not computed.

    Raises:
        UnreadableNetcdfError: the file is truncated or no DDB file.
    """
    with open_netcdf(content) as dataset:
        inverse = np.linalg.inv(read_array(dataset, 'primitive_vectors') * BOHR_TO_ANGSTROM)
        reduced = read_array(dataset, 'second_derivative_of_energy') @ np.array([1, 1j])
        computed = read_array(dataset, 'second_derivative_of_energy_mask') == 1
        wavevector = read_array(dataset, 'q_point_reduced_coord')
    reduced = np.where(computed, reduced, np.nan) * HARTREE_TO_EV
    return wavevector, np.einsum('ia,manb,jb->minj', inverse, reduced, inverse)
