"""Quasiparticle databases (``ndb.QP``): those of a GW run, and checks of those that a Bethe-Salpeter run is to read."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from aiida_foundry.common.units import HARTREE_TO_EV
from aiida_foundry.engines.yambo.parse_raw.consistency import band_gaps
from aiida_foundry.engines.yambo.parse_raw.netcdf import read_variables, whole_numbers
from aiida_foundry.engines.yambo.qp_database import Setup

FloatArray = NDArray[np.float64]

SAME_POINT = 1e-4
"""2π over the lattice parameter within which k-points are the same; Yambo stores them in single precision."""

SAME_ENERGY = 1e-3
"""eV within which Kohn-Sham energies are the same: those of one run differ by its single precision (7e-5 eV)."""


class UnreadableDatabaseError(ValueError):
    """The database is truncated, lacks what Yambo needs, or is of other states."""


@dataclass(frozen=True)
class Database:
    """States of a quasiparticle database.

    Attributes:
        bands: (n,) from 1.
        points: (n,) index from 0 into `kpoints`.
        kpoints: (k, 3) in the units of ``ns.db1``.
        ks_energies: (n,) in eV, from a zero of their own.
        qp_energies: (n,) in eV, from the same.
        renormalization: (n,) Z.
    """

    bands: NDArray[np.int_]
    points: NDArray[np.int_]
    kpoints: FloatArray
    ks_energies: FloatArray
    qp_energies: FloatArray
    renormalization: FloatArray


def parse_database(content: bytes) -> Database:
    """Return the states in the bytes of ``ndb.QP``.

    Raises:
        UnreadableDatabaseError: truncated, or without the variables; without ``QP_DB_kind`` Yambo drops it silently.
    """
    names = ('QP_DB_kind', 'QP_table', 'QP_kpts', 'QP_E', 'QP_Eo', 'QP_Z')
    values = read_variables(content, 'ndb.QP', names, UnreadableDatabaseError)
    table = whole_numbers(values['QP_table'])
    if table is None or not np.isfinite(values['QP_kpts']).all():
        raise UnreadableDatabaseError('its table of states or its k-points hold no numbers')
    if table.min() < 1 or table[-1].max() > values['QP_kpts'].shape[1]:
        raise UnreadableDatabaseError('its table names k-points that are not in it')
    return Database(
        bands=table[0],
        points=table[-1] - 1,
        kpoints=values['QP_kpts'].T,
        ks_energies=values['QP_Eo'] * HARTREE_TO_EV,
        qp_energies=values['QP_E'][:, 0] * HARTREE_TO_EV,
        renormalization=values['QP_Z'][:, 0],
    )


def find_points(database: Database, setup: Setup) -> NDArray[np.int_]:
    """Return for each k-point of the database its index in the setup, from 0, or -1."""
    distance = np.abs(database.kpoints[:, np.newaxis] - setup.yambo_kpoints.T[np.newaxis]).max(axis=-1)
    return np.where(distance.min(axis=1) < SAME_POINT, distance.argmin(axis=1), -1)


def find_problem(database: Database, setup: Setup, bands: tuple[int, int]) -> tuple[str, str] | None:
    """Return what is wrong with a database that a run is to read: label of the exit code and message; None if nothing.

    Args:
        database: that is to be read.
        setup: of the run.
        bands: first and last band of the electron-hole pairs, from 1.
    """
    if not np.isfinite([database.ks_energies, database.qp_energies]).all():
        return 'ERROR_NOT_A_NUMBER', 'the quasiparticle database holds NaN or infinity'
    index = find_points(database, setup)
    missing = sorted(set(range(len(setup.kpoints))) - set(index.tolist()))
    if missing:
        points = ', '.join(str(number + 1) for number in missing)
        return 'ERROR_QUASIPARTICLES_INTERPOLATED', f'k-points {points} of `ns.db1` are not in the database'
    known = database.bands <= setup.ks_energies.shape[1]
    if not known.any():
        return 'ERROR_QUASIPARTICLES_INCOMPLETE', f'it has no band up to {setup.ks_energies.shape[1]}'
    points, columns = index[database.points][known], database.bands[known] - 1
    difference = database.ks_energies[known] - setup.ks_energies[points, columns]
    deviation = np.abs(difference - np.median(difference))
    if deviation.max() > SAME_ENERGY:
        worst = int(deviation.argmax())
        where = f'k-point {points[worst] + 1}, band {columns[worst] + 1}'
        message = f'Kohn-Sham energies differ by up to {deviation.max():.4f} eV ({where})'
        return 'ERROR_QUASIPARTICLES_OTHER_STATES', message
    covered = set(zip(points.tolist(), database.bands[known].tolist(), strict=True))
    wanted = {(point, band) for point in range(len(setup.kpoints)) for band in range(bands[0], bands[1] + 1)}
    if wanted - covered:
        lacking = sorted({band for _, band in wanted - covered})
        return (
            'ERROR_QUASIPARTICLES_INCOMPLETE',
            f'{len(wanted - covered)} of {len(wanted)} states are not in the database (bands {lacking})',
        )
    return None


def fill(database: Database, setup: Setup) -> dict[str, FloatArray]:
    """Return the arrays of the output `output_quasiparticles`.

    Returns:
        ``kpoints`` (k, 3) reduced; ``ks_energies``, ``qp_energies`` in eV and ``renormalization``, (1, k, band), bands
        from the first, NaN where not computed (the Kohn-Sham energies are there for all these bands).

    Raises:
        UnreadableDatabaseError: states that the setup does not have.
    """
    index = find_points(database, setup)
    if index.min() < 0 or database.bands.max() > setup.ks_energies.shape[1]:
        raise UnreadableDatabaseError('it has k-points or bands that `ns.db1` does not have')
    shape = (len(setup.kpoints), int(database.bands.max()))
    energies = setup.ks_energies[:, : shape[1]]
    qp, z = np.full(shape, np.nan), np.full(shape, np.nan)
    where = index[database.points], database.bands - 1
    qp[where] = energies[where] + database.qp_energies - database.ks_energies
    z[where] = database.renormalization
    names = ('ks_energies', 'qp_energies', 'renormalization')
    arrays = {name: values[np.newaxis] for name, values in zip(names, (energies, qp, z), strict=True)}
    return {'kpoints': setup.kpoints, **arrays}


def intended_gaps(database: Database, setup: Setup, filled: int) -> tuple[float, float]:
    """Return direct and indirect gap in eV of the energies that the database makes of those of the setup.

    Bands are those of the Kohn-Sham energies: corrections that change the order of degenerate bands do not matter.
    """
    known = database.bands <= setup.ks_energies.shape[1]
    names = ('bands', 'points', 'ks_energies', 'qp_energies', 'renormalization')
    part = replace(database, **{name: getattr(database, name)[known] for name in names})
    return band_gaps(fill(part, setup)['qp_energies'][0], filled)
