"""From Berry phases along the lattice vectors to the formal polarization, and what symmetry says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import spglib

from aiida_foundry.analysis import gaps
from aiida_foundry.analysis.crystal import Cell
from aiida_foundry.analysis.polarization.crystal import MOMENT_TOLERANCE
from aiida_foundry.analysis.polarization.formal import COULOMB_PER_SQUARE_METRE
from aiida_foundry.analysis.polarization.strings import average_phase
from aiida_foundry.analysis.polarization.symmetry import AllowedPolarizations, allowed_polarizations

FloatArray = npt.NDArray[np.float64]

VERSION = 1
"""Raise it with every change of a number below or in `strings`: it is an input of the calcfunctions."""

SYMPREC = 1e-5
"""Å within which an operation counts as a symmetry: pw.x and ABINIT ask for the same."""

MINIMUM_GAP = 1e-3
"""eV at or below which bands count as metallic, as in `gaps.find_gap`."""


@dataclass(frozen=True)
class Constraints:
    """What the symmetry of a crystal says of the phases along its lattice vectors.

    Args:
        rotations: (n, 3, 3) point operations on columns of fractional coordinates of the cell.
        allowed: the polarizations that they allow, in e along the lattice vectors.
    """

    rotations: npt.NDArray[np.int64]
    allowed: AllowedPolarizations

    @cached_property
    def sources(self) -> tuple[tuple[int, int], ...]:
        """For each direction another one, or itself, and a sign: its phase is that of the other times the sign.

        W P ≡ P for an operation W whose row j has a single entry ±1 at i says that phase j is ±phase i.
        """
        found = []
        for direction in range(3):
            choices = {
                (int(np.flatnonzero(row)[0]), int(row.sum()))
                for row in self.rotations[:, direction]
                if np.count_nonzero(row) == 1
            }
            source = min(index for index, _ in choices)
            found.append((source, 1 if (source, 1) in choices else -1))
        return tuple(found)

    def independent(self, wanted: Sequence[int] = (0, 1, 2)) -> tuple[int, ...]:
        """Return the directions whose phases determine those wanted."""
        return tuple(sorted({self.sources[direction][0] for direction in wanted}))

    @property
    def continuous(self) -> tuple[int, ...]:
        """Directions along which symmetry leaves the phase free."""
        return tuple(direction for direction in range(3) if not self.is_fixed(direction))

    def is_fixed(self, direction: int) -> bool:
        """Whether symmetry leaves only discrete values of this phase."""
        return not any(vector[direction] for vector in self.allowed.continuous)

    def distance(self, direction: int, phases: npt.ArrayLike) -> float:
        """Return how far a fixed phase is from the nearest allowed one, in e.

        Args:
            direction: one whose phase is fixed.
            phases: (3,) total phases in e; of these only that of the direction must be known.
        """
        phase = np.asarray(phases, dtype=float)[direction]
        values = np.array([float(member[direction]) for member in self.allowed.discrete])
        return float(np.abs(wrap(phase - values, 1)).min())


def find_constraints(cell: Cell, moments: npt.ArrayLike | None = None) -> Constraints:
    """Return what the symmetry of a cell, primitive or not, says of its phases.

    Args:
        cell: the crystal.
        moments: (n,) collinear moments in μ_B; operations that change one do not count.
    """
    values = np.zeros(len(cell.numbers)) if moments is None else np.asarray(moments, dtype=float)
    kinds = np.stack([cell.numbers, np.rint(values / MOMENT_TOLERANCE)], axis=1)
    labels = np.unique(kinds, axis=0, return_inverse=True)[1].reshape(-1) + 1
    symmetry = spglib.get_symmetry((cell.lattice, cell.positions, labels), symprec=SYMPREC)
    rotations = np.eye(3, dtype=int)[None] if symmetry is None else np.unique(symmetry['rotations'], axis=0)
    return Constraints(rotations, allowed_polarizations(rotations))


def electronic_phase(weights: npt.ArrayLike, phases: npt.ArrayLike) -> float:
    """Return the electronic phase from those of the strings, in e: modulo 2 for one spin channel, 1 for two.

    Args:
        weights: (strings,) or (spins, strings).
        phases: (spins, strings) phase of one electron per band, divided by 2π; one channel holds electron pairs.

    Raises:
        InputError: the strings have no unambiguous mean.
    """
    channels = np.atleast_2d(np.asarray(phases, dtype=float))
    shares = np.broadcast_to(np.asarray(weights, dtype=float), channels.shape)
    means = [average_phase(channel, share) for channel, share in zip(channels, shares, strict=True)]
    return 2 * means[0] if len(means) == 1 else sum(means)


def ionic_phases(positions: npt.ArrayLike, valences: npt.ArrayLike) -> FloatArray:
    """Return Σ Z x along the lattice vectors, shape (3,), in e.

    Args:
        positions: (n, 3) fractional positions.
        valences: (n,) charges of the pseudo-ions in e.
    """
    phases: FloatArray = np.asarray(valences, dtype=float) @ np.asarray(positions, dtype=float)
    return phases


def wrap(phases: npt.ArrayLike, modulus: int) -> FloatArray:
    """Return phases in (−modulus/2, modulus/2]; 1e-9 above the lower end counts as the upper one."""
    values = np.asarray(phases, dtype=float)
    wrapped: FloatArray = values - modulus * np.ceil(values / modulus - 0.5 - 1e-9)
    return wrapped


def formal_record(
    cell: Cell, valences: npt.ArrayLike, electronic: Mapping[int, float], modulus: int, constraints: Constraints
) -> dict[str, Any]:
    """Return the formal polarization of a crystal as plain numbers.

    Args:
        cell: the crystal.
        valences: (n,) charges of the pseudo-ions in e.
        electronic: electronic phases in e of the independent directions, or of some of them.
        modulus: of the total phases, 1 or 2, in e.
        constraints: of the crystal.

    Returns:
        ``phases``, ``electronic`` and ``ionic`` (3,) in e along the lattice vectors; ``modulus`` in e; ``fractions``
        (3,) of the quanta; ``quanta`` (3, 3) by rows and ``cartesian`` (3,) in C/m²; ``symmetry``: what it allows in
        e, ``continuous`` directions, and ``residual``: the distance of the phases from that in e. What needs a phase
        that was not computed is None.
    """
    ionic = ionic_phases(cell.positions, valences)
    phases = wrap(total_phases(ionic, electronic, constraints), modulus)
    quanta = modulus * cell.lattice / abs(np.linalg.det(cell.lattice)) * COULOMB_PER_SQUARE_METRE
    record = {
        'phases': _known(phases),
        'electronic': _known(wrap(phases - ionic, modulus)),
        'ionic': wrap(ionic, modulus).tolist(),
        'modulus': modulus,
        'fractions': _known(phases / modulus),
        'quanta': quanta.tolist(),
        'cartesian': None,
        'symmetry': {
            'allowed': [[str(fraction) for fraction in member] for member in constraints.allowed.discrete],
            'continuous': [list(vector) for vector in constraints.allowed.continuous],
        },
    }
    if np.isfinite(phases).all():
        nearest = constraints.allowed.nearest(phases)
        record['cartesian'] = (phases / modulus @ quanta).tolist()
        record['symmetry']['nearest'] = [str(fraction) for fraction in nearest.fractions]
        record['symmetry']['residual'] = nearest.residual
    return record


def total_phases(ionic: npt.ArrayLike, electronic: Mapping[int, float], constraints: Constraints) -> FloatArray:
    """Return the total phases in e, shape (3,), NaN where neither they nor equivalent ones were computed.

    Args:
        ionic: (3,) ionic phases in e.
        electronic: electronic phases in e by independent direction.
        constraints: of the crystal.
    """
    ions = np.asarray(ionic, dtype=float)
    return np.array([sign * (electronic.get(i, np.nan) + ions[i]) for i, sign in constraints.sources])


def _known(values: FloatArray) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]


def insulating_gap(bands: Sequence[npt.ArrayLike], occupied: Sequence[int]) -> dict[str, float]:
    """Return direct and indirect gap in eV of bands that are filled or empty in each spin channel.

    Args:
        bands: sets of eigenvalues in one potential, in eV, each (spins, k-points, bands) or (k-points, bands) in
            ascending order; the first has empty bands, further sets may have them.
        occupied: number of filled bands of each channel.

    Raises:
        MetallicBandsError: the gap, over all sets and both channels, does not exceed 1 meV.
        ValueError: the arrays do not fit together.
    """
    tops, bottoms, vertical = [], [], []
    for entry in bands:
        channels = np.asarray(entry, dtype=float)
        channels = channels[None] if channels.ndim == 2 else channels
        for channel, filled in zip(channels, occupied, strict=True):
            tops.append(channel[:, :filled].max(initial=-np.inf))
            if channel.shape[1] > filled:
                bottoms.append(channel[:, filled].min())
                vertical.append((channel[:, filled] - channel[:, :filled].max(axis=1, initial=-np.inf)).min())
    top, bottom, direct = max(tops), min(bottoms), min(vertical)
    if min(bottom - top, direct) <= MINIMUM_GAP:
        raise gaps.MetallicBandsError(
            f'the valence maximum is at {top:.3f} eV, the conduction minimum at {bottom:.3f} eV'
        )
    return {'direct': float(direct), 'indirect': float(bottom - top)}
