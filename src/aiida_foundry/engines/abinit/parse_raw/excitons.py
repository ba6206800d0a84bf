"""Excitons of a Bethe-Salpeter run: eigenstates (``BSEIG``), oscillator strengths (``EXC_OST``), remarks in the log."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_foundry.common.units import HARTREE_TO_EV
from aiida_foundry.engines.abinit.parse_raw.netcdf import open_netcdf, read_array, read_scalar

_MARKER = 4  # bytes before and after each record of an unformatted Fortran file that hold its length
_COMPLEX = 16
_LINE = 7  # numbers in a line of `EXC_OST`
_DIRECT_GAP = re.compile(r'=== QP band structure ===\s+>>>> For spin\s+1\s+Minimum direct gap =\s+([-\d.]+)')
_HEAD_FACTOR = re.compile(r'integrate q->0 : numerical BZ geometry factor =\s+([\d.]+)')
_MISSING_POINT = re.compile(r'not found in the GW file|Found less k-points than that required')
_HAYDOCK = re.compile(r'Haydock algorithm did not converge within.*')


class UnreadableExcitonsError(Exception):
    """The file is truncated or not what it should be."""


@dataclass(frozen=True)
class Eigenstates:
    """Eigenstates of the Bethe-Salpeter Hamiltonian.

    Args:
        energies: (n,) in eV.
        amplitudes: (n, t) of the electron-hole pairs: k-points of the whole mesh outermost, those equivalent to the
            first irreducible one first, then valence, then conduction bands; normalised. Without the Tamm-Dancoff
            approximation the antiresonant pairs follow.
    """

    energies: NDArray[np.float64]
    amplitudes: NDArray[np.complex128]


@dataclass(frozen=True)
class Remarks:
    """What the log says of a Bethe-Salpeter run, None where it does not.

    Args:
        direct_gap: smallest vertical quasiparticle energy in eV, to four decimals.
        head_factor: factor c of the head of W, whose mean over the cell of the mesh around Γ is
            c / ε · 4π Ω^(1/3) / (2π)³ hartree, Ω = (2π)³ / (V N) (V cell, N k-points).
        missing_corrections: whether k-points had no correction; ABINIT then leaves them uncorrected.
        haydock_failure: the message if the recursion did not converge.
    """

    direct_gap: float | None
    head_factor: float | None
    missing_corrections: bool
    haydock_failure: str | None


def parse_eigenstates(content: bytes, *, coupling: bool = False) -> Eigenstates:
    """Return the eigenstates, lowest first, from the bytes of ``BSEIG``.

    Args:
        content: the file.
        coupling: whether resonant and antiresonant pairs are coupled: each state then has a partner of opposite
            energy, which is left out.

    Raises:
        UnreadableExcitonsError: truncated, or not such a file.
    """
    records = _records(content)
    try:
        next(records)
        size, number = np.frombuffer(next(records), dtype='<i4')
        energies = np.frombuffer(next(records), dtype='<c16').real * HARTREE_TO_EV
        rows = [np.frombuffer(next(records), dtype='<c16') for _ in range(number)]
    except (StopIteration, ValueError) as error:
        raise UnreadableExcitonsError('it ends early') from error
    if len(energies) != number or any(len(row) != size for row in rows):
        raise UnreadableExcitonsError(f'it does not hold {number} states of {size} pairs')
    order = np.argsort(energies, kind='stable')
    if coupling:
        order = order[energies[order] > 0]
    amplitudes = np.array([rows[index] for index in order])
    return Eigenstates(energies[order], amplitudes / np.linalg.norm(amplitudes, axis=1, keepdims=True))


def _records(content: bytes) -> Iterator[bytes]:
    """Iterate over the records of an unformatted sequential Fortran file."""
    position = 0
    while position + _MARKER <= len(content):
        length = int.from_bytes(content[position : position + _MARKER], 'little')
        start, position = position + _MARKER, position + 2 * _MARKER + length
        if position > len(content):
            return
        yield content[start : start + length]


def parse_strengths(text: str, directions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the oscillator strengths (n, q) from the text of ``EXC_OST``, states in the order of their energies.

    They are |Σ A v|² in atomic units; the dielectric function has residues 8π / (V N) times them (in hartree).

    ABINIT writes the first number of each line with the format of the energy, which goes up to 9999.9999. Strengths
    there are taken from a repetition of the direction, if there is one.

    Args:
        text: the file.
        directions: (q, 3).

    Raises:
        UnreadableExcitonsError: the number of values does not fit, one is not a number, or did not fit its format.
    """
    rows = [line for line in text.splitlines() if not line.lstrip().startswith('#')]
    try:
        values = np.array([float('nan' if '*' in token else token) for line in rows for token in line.split()])
    except ValueError as error:
        raise UnreadableExcitonsError(str(error)) from error
    columns = 1 + 2 * len(directions)
    if len(values) == 0 or len(values) % columns:
        raise UnreadableExcitonsError(f'{len(values)} values are no table of {columns} columns')
    strengths = values.reshape(-1, columns)[:, 1::2]
    short = np.arange(1, columns, 2) % _LINE == 0
    for index in np.flatnonzero(short):
        same = np.flatnonzero(np.all(np.isclose(directions, directions[index]), axis=1) & ~short)
        if len(same):
            strengths[:, index] = strengths[:, same[0]]
        elif np.isnan(strengths[:, index]).any():
            message = (
                f'a strength of direction {index + 1} is too large for its format; give a direction before it twice'
            )
            raise UnreadableExcitonsError(message)
    return strengths


def parse_remarks(log: str) -> Remarks:
    """Return what the log says of a Bethe-Salpeter run."""
    gap, factor, failure = _DIRECT_GAP.search(log), _HEAD_FACTOR.search(log), _HAYDOCK.search(log)
    return Remarks(
        direct_gap=float(gap.group(1)) if gap else None,
        head_factor=float(factor.group(1)) if factor else None,
        missing_corrections=bool(_MISSING_POINT.search(log)),
        haydock_failure=failure.group(0) if failure else None,
    )


@dataclass(frozen=True)
class Pairs:
    """The electron-hole pairs of a run.

    Args:
        first_band: lowest band of the window, from 1.
        last_band: highest band.
        occupied: number of filled bands.
        volume: of the cell in bohr³.
        kpoints: (k, 3) irreducible, reduced.
        multiplicities: (k,), how many points of the whole mesh are equivalent to each.
    """

    first_band: int
    last_band: int
    occupied: int
    volume: float
    kpoints: NDArray[np.float64]
    multiplicities: NDArray[np.int_]

    def indices(self) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
        """Return the irreducible k-point (t,) and the bands (t, 2: valence, conduction; from the first) of each."""
        valence = np.arange(self.occupied - self.first_band + 1)
        conduction = np.arange(len(valence), self.last_band - self.first_band + 1)
        star = np.repeat(np.arange(len(self.kpoints)), self.multiplicities)
        point, hole, electron = np.meshgrid(star, valence, conduction, indexing='ij')
        return point.ravel(), np.stack([hole.ravel(), electron.ravel()], axis=1)

    @property
    def residue(self) -> float:
        """Return the factor between oscillator strengths and residues of the dielectric function, in eV."""
        return float(8 * np.pi / (self.volume * self.multiplicities.sum()) * HARTREE_TO_EV)


def parse_pairs(content: bytes) -> Pairs:
    """Return which pairs a run without spin polarisation had, from the bytes of ``MDF.nc``.

    Raises:
        UnreadableNetcdfError: the file is truncated or no MDF file.
    """
    with open_netcdf(content) as dataset:
        points = round(read_scalar(dataset, 'nkbz'))
        return Pairs(
            first_band=int(read_array(dataset, 'lomo_spin')[0]),
            last_band=int(read_array(dataset, 'humo_spin')[0]),
            occupied=round(read_scalar(dataset, 'nelect') / 2),
            volume=abs(float(np.linalg.det(read_array(dataset, 'primitive_vectors')))),
            kpoints=read_array(dataset, 'reduced_coordinates_of_kpoints'),
            multiplicities=np.rint(read_array(dataset, 'kpoint_weights') * points).astype(int),
        )
