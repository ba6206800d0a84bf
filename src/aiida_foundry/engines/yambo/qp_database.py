"""Yambo's databases of k-points (``ns.db1``, read) and of quasiparticle corrections (``ndb.QP``, written).

Yambo 5.2 applies E = E_KS + QP_E − QP_Eo, so that the energy zero drops out, and drops a database without
``QP_DB_kind`` silently. The k-points of a database must be those of ``ns.db1``: Yambo does not check energies.
"""

from __future__ import annotations

from dataclasses import dataclass

import netCDF4
import numpy as np
from numpy.typing import ArrayLike, NDArray

from aiida_foundry.common.errors import InputError
from aiida_foundry.common.units import HARTREE_TO_EV
from aiida_foundry.engines.yambo.parse_raw.netcdf import read_variables

FloatArray = NDArray[np.float64]

_TEXT_LENGTH = 100
_SAME_POINT = 1e-4  # Yambo stores k-points in single precision


class UnreadableSetupError(ValueError):
    """``ns.db1`` is truncated, lacks what is needed, or holds values that are no numbers."""


@dataclass(frozen=True)
class Setup:
    """What Yambo knows of a ground state after its setup.

    Attributes:
        kpoints: (k, 3) reduced, irreducible.
        ks_energies: (k, band) in eV.
        yambo_kpoints: (3, k) as they stand in the file: Cartesian, in units of 2π over `lattice_parameter`.
        lattice_parameter: (3,) in bohr.
        version: (3,) of Yambo.
        revision: of Yambo.
        serial: number that ties the databases of a run together.
        multiplicities: (k,) number of points of the full mesh that each k-point stands for.
        volume: of the cell in bohr³.
    """

    kpoints: FloatArray
    ks_energies: FloatArray
    yambo_kpoints: FloatArray
    lattice_parameter: FloatArray
    version: FloatArray
    revision: float
    serial: float
    multiplicities: NDArray[np.int_]
    volume: float


def parse_setup(content: bytes) -> Setup:
    """Return the k-points and energies in the bytes of ``ns.db1``.

    Raises:
        InputError: spin-polarised.
        UnreadableSetupError: truncated, no such file, or with values that are no numbers.
    """
    names = ('DIMENSIONS', 'K-POINTS', 'EIGENVALUES', 'LATTICE_PARAMETER', 'LATTICE_VECTORS', 'SYMMETRY')
    values = read_variables(content, 'ns.db1', names, UnreadableSetupError)
    wrong = [name for name, array in values.items() if not np.isfinite(array).all()]
    if wrong:
        raise UnreadableSetupError(f'`ns.db1`: values that are no numbers in {", ".join(wrong)}')
    if len(values['EIGENVALUES']) != 1:
        raise InputError('`ns.db1`', 'it is spin-polarised', 'Only one spin channel is supported')
    cartesian = values['K-POINTS'].T / values['LATTICE_PARAMETER']
    lattice, dimensions = values['LATTICE_VECTORS'], values['DIMENSIONS']
    stars = np.einsum('sij,kj->ksi', values['SYMMETRY'], cartesian) @ lattice
    return Setup(
        kpoints=cartesian @ lattice,
        ks_energies=values['EIGENVALUES'][0] * HARTREE_TO_EV,
        yambo_kpoints=values['K-POINTS'],
        lattice_parameter=values['LATTICE_PARAMETER'],
        version=dimensions[1:4],
        revision=float(dimensions[4]),
        serial=float(dimensions[0]),
        multiplicities=np.array([_number_of_points(star) for star in stars]),
        volume=float(abs(np.linalg.det(lattice))),
    )


def _number_of_points(star: FloatArray) -> int:
    """Return how many of the points (n, 3), in reduced coordinates, differ by more than a reciprocal lattice vector."""
    difference = star[:, np.newaxis] - star[np.newaxis]
    same = (np.abs(difference - np.rint(difference)) < _SAME_POINT).all(axis=-1)
    return len(np.unique(same.argmax(axis=1)))


def write_database(setup: Setup, corrections: ArrayLike, first_band: int = 1) -> bytes:
    """Return the bytes of an ``ndb.QP`` that adds corrections to the Kohn-Sham energies.

    Args:
        setup: of the run that will read it.
        corrections: (k, band) in eV for all k-points of the setup.
        first_band: index, from 1, of the first band in `corrections`.

    Raises:
        InputError: shapes that do not fit, or values that are not finite.
    """
    shifts = np.asarray(corrections, dtype=float)
    points, bands = len(setup.kpoints), shifts.shape[-1]
    last = first_band + bands - 1
    if shifts.shape != (points, bands) or last > setup.ks_energies.shape[1] or not np.isfinite(shifts).all():
        raise InputError(
            'quasiparticles',
            f'corrections of shape {shifts.shape} from band {first_band} on do not fit {points} k-points and '
            f'{setup.ks_energies.shape[1]} bands, or are not finite',
            'Transfer them to the k-points of this `ns.db1` first',
        )
    kohn_sham = setup.ks_energies[:, first_band - 1 : last].ravel() / HARTREE_TO_EV
    number = kohn_sham.size
    band, point = np.tile(np.arange(first_band, last + 1), points), np.repeat(np.arange(1, points + 1), bands)
    with_imaginary = np.zeros((2, number, 2))
    with_imaginary[0, :, 0] = kohn_sham + shifts.ravel() / HARTREE_TO_EV
    with_imaginary[1, :, 0] = 1
    return _write(
        {
            'QP_DB_kind': np.zeros(1),
            'HEAD_VERSION': setup.version,
            'HEAD_REVISION': np.array([setup.revision]),
            'SERIAL_NUMBER': np.array([setup.serial]),
            'SPIN_VARS': np.ones(2),
            'HEAD_D_LATT': setup.lattice_parameter,
            'CUTOFF': np.array([list('none'.ljust(_TEXT_LENGTH))], dtype='S1'),
            'TEMPERATURES': np.zeros(2),
            'PARS': np.array([bands, points, number, 0, -1, -1]),
            'QP_table': np.stack([band, band, point]),
            'QP_kpts': setup.yambo_kpoints,
            'QP_E': with_imaginary[0],
            'QP_Eo': kohn_sham,
            'QP_Z': with_imaginary[1],
        }
    )


def _write(variables: dict[str, NDArray[np.float64]]) -> bytes:
    """Return a netCDF file: dimensions named after their length, numbers in single precision, as Yambo writes them."""
    dataset = netCDF4.Dataset('ndb.QP', mode='w', format='NETCDF4', memory=1)
    for name, values in variables.items():
        dimensions = [f'D_{length:010d}' for length in values.shape]
        for dimension, length in zip(dimensions, values.shape, strict=True):
            if dimension not in dataset.dimensions:
                dataset.createDimension(dimension, length)
        kind = 'S1' if values.dtype.kind == 'S' else 'f4'
        dataset.createVariable(name, kind, dimensions)[...] = values
    return bytes(dataset.close())
