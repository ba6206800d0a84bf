"""Formal polarization of a crystal by symmetry and ionic charge counting: no electronic structure calculation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from pymatgen.core import Structure
from scipy.constants import elementary_charge

from aiida_foundry.analysis.polarization.crystal import SYMPREC, PrimitiveCrystal, primitive_crystal
from aiida_foundry.analysis.polarization.oxidation import Given, OxidationStates, oxidation_states
from aiida_foundry.analysis.polarization.symmetry import (
    AllowedPolarizations,
    Fractions,
    Member,
    allowed_polarizations,
)
from aiida_foundry.common.errors import InputError

#: C/m² in one e/Å² (CODATA through scipy).
COULOMB_PER_SQUARE_METRE = elementary_charge * 1e20
#: Quanta; members of an allowed set lie at least 1/6 apart, and idealised positions leave rounding errors only.
MEMBERSHIP_TOLERANCE = 1e-3

Quantum = Literal[1, 2]


@dataclass(frozen=True, eq=False)
class FormalPolarization:
    """Formal polarization of an insulator, modulo its quanta.

    Fractions count quanta: P = (quantum e / V) Σ fractions[i] a_i, each fraction modulo 1, with a_i the primitive
    vectors and V their volume.

    Args:
        crystal: the primitive cell.
        allowed: all that symmetry allows.
        member: the ionic member of that set; where continuous directions exist it stands for its whole component.
        point_charges: (3,) fractions of the ionic model, which differ from the member in continuous directions only.
        oxidation: the charges counted.
        unanimous: whether all alternative charges lead to the same member.
        quantum: charge in e that moves by a lattice vector between branches.
    """

    crystal: PrimitiveCrystal
    allowed: AllowedPolarizations
    member: Fractions
    point_charges: npt.NDArray[np.float64]
    oxidation: OxidationStates
    unanimous: bool
    quantum: Quantum

    @property
    def needs_dft(self) -> bool:
        """Whether the crystal is polar, so that symmetry and counting leave a continuous part open."""
        return not self.allowed.is_fixed

    @property
    def quanta(self) -> npt.NDArray[np.float64]:
        """Quanta of polarization along the primitive vectors, by rows, shape (3, 3), in e/Å²."""
        lattice = self.crystal.lattice
        return self.quantum * lattice / abs(np.linalg.det(lattice))

    @property
    def cartesian(self) -> npt.NDArray[np.float64]:
        """The member in the input's Cartesian axes, shape (3,), in e/Å², modulo the rows of ``quanta``."""
        return np.array(self.member, dtype=float) @ self.quanta


def formal_polarization(
    structure: Structure,
    states: Given | None = None,
    moments: Sequence[float] | None = None,
    quantum: Quantum = 1,
    symprec: float = SYMPREC,
) -> FormalPolarization:
    """Return the formal polarizations that symmetry allows, and the ionic one among them.

    The quantum is e R/V. A crystal without spin polarization moves its electrons in pairs: if in addition every
    nucleus is even, all its polarizations agree modulo 2 e R/V for the given atomic positions, and ``quantum=2`` tells
    branches apart that coincide modulo e R/V (rock salt MgO: 0 modulo e, ½ modulo 2e). It then needs states that put
    every pair on one ion: a pair that two atoms share counts as one electron on each modulo e, not modulo 2e.

    Args:
        structure: ordered insulator.
        states: oxidation states by element or by site; by default those that decorate the structure, or a guess.
        moments: collinear moment of each site in μ_B; by default the site property ``magmom``, or none.
        quantum: 1 or 2, in e.
        symprec: distance in Å within which atoms count as symmetric.

    Raises:
        InputError: unusable structure or oxidation states, a quantum of 2e that does not hold, or charges whose
            polarization is not among those that symmetry allows.
    """
    crystal = primitive_crystal(structure, moments, symprec)
    return ionic_polarization(crystal, _decoration(structure) if states is None else states, quantum)


def ionic_polarization(
    crystal: PrimitiveCrystal, states: Given | None = None, quantum: Quantum = 1
) -> FormalPolarization:
    """Return the formal polarization of a crystal in its primitive cell, by counting ionic charges.

    Args:
        crystal: the primitive cell.
        states: oxidation states by element, or by site of the structure that the crystal was made from; by default a
            guess.
        quantum: 1 or 2, in e.

    Raises:
        InputError: as in ``formal_polarization``.
    """
    oxidation = oxidation_states(crystal, states)
    if quantum == 2:
        _check_double_quantum(crystal, oxidation)
    allowed = allowed_polarizations(crystal.rotations)
    fractions = _ionic_fractions(crystal, oxidation.charges) / quantum
    nearest = allowed.nearest(fractions)
    _check_member(crystal, oxidation, allowed, fractions, nearest)
    others = [allowed.nearest(_ionic_fractions(crystal, charges) / quantum) for charges in oxidation.alternatives]
    return FormalPolarization(
        crystal=crystal,
        allowed=allowed,
        member=nearest.fractions,
        point_charges=fractions % 1.0,
        oxidation=oxidation,
        unanimous=all(other.fractions == nearest.fractions for other in others),
        quantum=quantum,
    )


@dataclass(frozen=True)
class Surveyed:
    """What is known of one crystal of a survey.

    Args:
        allowed: the polarizations that its symmetry allows, or None for an unusable structure.
        polarization: the ionic one among them, or None.
        reason: empty, or why there is no polarization.
    """

    allowed: AllowedPolarizations | None
    polarization: FormalPolarization | None
    reason: str = ''


def survey(structures: Iterable[Structure], quantum: Quantum = 1, symprec: float = SYMPREC) -> Iterator[Surveyed]:
    """Yield the polarization of each structure, or the reason for refusing it, lazily and in order.

    Solutions of the symmetry condition are kept by point operations, so that many crystals share few of them.

    Args:
        structures: crystals, with oxidation states and moments as decoration where known.
        quantum: 1 or 2, in e.
        symprec: distance in Å within which atoms count as symmetric.
    """
    for structure in structures:
        yield _surveyed(structure, quantum, symprec)


def _surveyed(structure: Structure, quantum: Quantum, symprec: float) -> Surveyed:
    allowed = None
    try:
        crystal = primitive_crystal(structure, symprec=symprec)
        allowed = allowed_polarizations(crystal.rotations)
        return Surveyed(allowed, ionic_polarization(crystal, _decoration(structure), quantum))
    except InputError as error:
        return Surveyed(allowed, None, str(error))


def _decoration(structure: Structure) -> list[float] | None:
    states = [getattr(site.specie, 'oxi_state', None) for site in structure]
    known = [state for state in states if state is not None]
    return known if len(known) == len(states) else None


def _ionic_fractions(crystal: PrimitiveCrystal, charges: Sequence[int]) -> npt.NDArray[np.float64]:
    """Return Σ q x of the primitive cell, shape (3,): the polarization of the ions in quanta of e."""
    return np.asarray(charges) @ crystal.positions


def _check_double_quantum(crystal: PrimitiveCrystal, oxidation: OxidationStates) -> None:
    obstacles = {
        'its electrons are spin polarized': crystal.is_magnetic,
        'it has nuclei of odd charge': bool(np.any(crystal.numbers % 2)),
        'it has ions of odd charge': any(charge % 2 for charge in oxidation.charges),
        'it has neutral atoms, which share their electron pairs': not all(oxidation.charges),
    }
    found = [obstacle for obstacle, holds in obstacles.items() if holds]
    if found:
        raise InputError(
            f'quantum 2e for {crystal.structure.composition.reduced_formula}',
            f'{found[0]}, so that charges cannot be counted in pairs',
            'Use the quantum e, which always holds.',
        )


def _check_member(
    crystal: PrimitiveCrystal,
    oxidation: OxidationStates,
    allowed: AllowedPolarizations,
    fractions: npt.NDArray[np.float64],
    nearest: Member,
) -> None:
    if nearest.residual > MEMBERSHIP_TOLERANCE:
        members = ', '.join(f'({", ".join(map(str, member))})' for member in allowed.discrete)
        raise InputError(
            f'oxidation states {oxidation}',
            f'their polarization {np.round(fractions, 4).tolist()} is none of those that {crystal.spacegroup} allows: '
            f'{members}',
            'Correct the oxidation states, or symmetrise the structure.',
        )
