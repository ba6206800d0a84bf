"""Bound charge that a formal polarization puts on the surfaces of a crystal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd

import numpy as np
import numpy.typing as npt

from aiida_foundry.analysis.polarization.formal import FormalPolarization, Quantum
from aiida_foundry.common.errors import InputError

#: Denominators of primitive vectors on a conventional or supercell that Miller indices are cleared of.
LARGEST_DENOMINATOR = 1000


@dataclass(frozen=True)
class SurfaceCharge:
    """P·n̂ of one family of planes, in charge per primitive surface cell.

    With primitive vectors a_i, coprime primitive indices h and n̂ = G/|G|, G·a_i = h_i, the volume is V = area/|G|, so
    that P·n̂ = (quantum e/area) Σ fractions_i h_i: it is defined modulo one quantum per primitive surface cell, whatever
    the surface (Vanderbilt and King-Smith, PRB 48, 4442 (1993), equation 16).

    Args:
        fraction: P·n̂ in [0, 1) of the quantum; None where a continuous direction has a component along n̂.
        area: primitive surface cell, Å².
        miller: coprime indices on the primitive vectors.
        quantum: in e.
    """

    fraction: Fraction | None
    area: float
    miller: tuple[int, int, int]
    quantum: Quantum

    @property
    def density_quantum(self) -> float:
        """The quantum of P·n̂, e/Å²."""
        return self.quantum / self.area

    @property
    def density(self) -> float:
        """The branch of P·n̂ nearest to zero, e/Å².

        Raises:
            InputError: the crystal is polar along n̂.
        """
        if self.fraction is None:
            raise InputError(f'surface {self.miller}', 'the crystal is polar along its normal', 'Compute P with DFT.')
        nearest = self.fraction - 1 if self.fraction > Fraction(1, 2) else self.fraction
        return float(nearest) * self.density_quantum


def surface_charge(polarization: FormalPolarization, miller: Sequence[int]) -> SurfaceCharge:
    """Project a formal polarization on the normal of a plane.

    Args:
        polarization: formal polarization of the crystal.
        miller: integer indices on the lattice vectors of the structure that it was computed for; the normal is that
            of the reciprocal vector, so that opposite indices give opposite charges.

    Raises:
        InputError: the indices are all zero.
    """
    if not any(miller):
        raise InputError(f'Miller indices {tuple(miller)}', 'they define no plane', 'Give at least one non-zero index.')
    crystal = polarization.crystal
    indices = primitive_indices(crystal.basis, miller)
    reciprocal = np.linalg.solve(crystal.lattice, np.array(indices, dtype=float))
    area = abs(np.linalg.det(crystal.lattice)) * float(np.linalg.norm(reciprocal))
    return SurfaceCharge(_fraction(polarization, indices), area, indices, polarization.quantum)


def primitive_indices(basis: npt.NDArray[np.float64], miller: Sequence[int]) -> tuple[int, int, int]:
    """Return coprime Miller indices on primitive vectors.

    Args:
        basis: (3, 3) primitive vectors by rows on the lattice vectors that the indices belong to.
        miller: (3,) integer indices.
    """
    rational = [Fraction(value).limit_denominator(LARGEST_DENOMINATOR) for value in basis @ np.asarray(miller)]
    common = np.lcm.reduce([value.denominator for value in rational])
    integers = [int(value * int(common)) for value in rational]
    h, k, l = (value // gcd(*integers) for value in integers)  # noqa: E741
    return h, k, l


def _fraction(polarization: FormalPolarization, indices: tuple[int, int, int]) -> Fraction | None:
    if any(np.dot(direction, indices) for direction in polarization.allowed.continuous):
        return None
    return sum((p * h for p, h in zip(polarization.member, indices, strict=True)), Fraction(0)) % 1
