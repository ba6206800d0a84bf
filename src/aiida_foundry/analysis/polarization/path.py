"""Paths of structures along which a polarization is followed: matching of sites, reference, images in between."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import spglib
from pymatgen.core import Lattice, Structure
from scipy.optimize import linear_sum_assignment

from aiida_foundry.analysis.crystal import Cell
from aiida_foundry.analysis.polarization.crystal import SYMPREC, primitive_crystal
from aiida_foundry.analysis.polarization.oxidation import Given, oxidation_states
from aiida_foundry.analysis.polarization.symmetry import allowed_polarizations
from aiida_foundry.common.errors import InputError

FloatArray = npt.NDArray[np.float64]

VERSION = 1
"""Raise it with every change of a number below: it is an input of the calcfunctions that wrap these functions."""

LARGEST_STRAIN = 0.25
"""Largest change of a lattice vector along a path, relative to its length: beyond it the cells hardly correspond."""

LARGEST_MOVE = 0.45
"""Largest displacement along a path in fractional coordinates: at ½ its direction is not defined."""

STEP_OF_NOTHING = 1e-3
"""Å; a path along which no atom moves farther leads nowhere."""


@dataclass(frozen=True, eq=False)
class Path:
    """A straight path between two cells with the same atoms.

    Args:
        start: (3, 3) lattice vectors by rows of the first cell, Å.
        end: the same of the last cell.
        positions: (n, 3) fractional positions in the last cell.
        displacements: (n, 3) fractional displacements from the first to the last cell.
        numbers: (n,) atomic numbers.
    """

    start: FloatArray
    end: FloatArray
    positions: FloatArray
    displacements: FloatArray
    numbers: npt.NDArray[np.int_]

    def image(self, fraction: float) -> Cell:
        """Return the cell at a fraction of the path: 0 is the reference, 1 the crystal."""
        lattice = self.start + fraction * (self.end - self.start)
        return Cell(lattice, self.positions + (fraction - 1.0) * self.displacements, self.numbers)

    @property
    def longest_move(self) -> float:
        """Return how far the atom that moves farthest goes, in Å of the last cell."""
        return float(np.linalg.norm(self.displacements @ self.end, axis=1).max())


def make_path(reference: Cell, crystal: Cell) -> Path:
    """Match the sites of two cells and return the straight path between them.

    Each atom goes to an atom of its element such that the sum of the squared displacements is smallest, after a
    rigid shift that leaves their mean at zero: the shift moves no net charge.

    Args:
        reference: start of the path; its lattice vectors correspond to those of the crystal one by one.
        crystal: end of the path, which keeps its positions.

    Raises:
        InputError: other atoms, cells too different, or displacements without a definite direction.
    """
    if sorted(reference.numbers) != sorted(crystal.numbers):
        reason = f'it has {len(reference.numbers)} atoms that are not those of the crystal ({len(crystal.numbers)})'
        raise InputError('reference', reason, 'Give it in a cell with the same atoms')
    lengths = np.linalg.norm(crystal.lattice, axis=1)
    strain = float((np.linalg.norm(crystal.lattice - reference.lattice, axis=1) / lengths).max())
    if strain > LARGEST_STRAIN:
        raise InputError(
            'reference',
            f'a lattice vector changes by {strain:.0%} on the way to the crystal',
            'Give it with lattice vectors in the order and orientation of those of the crystal',
        )
    displacements = _displacements(reference, crystal)
    if np.abs(displacements).max() > LARGEST_MOVE:
        raise InputError(
            'reference',
            f'an atom moves by {np.abs(displacements).max():.2f} of a lattice vector, so that its way is not defined',
            'Give a reference nearer to the crystal',
        )
    return Path(reference.lattice, crystal.lattice, crystal.positions, displacements, crystal.numbers)


def _displacements(reference: Cell, crystal: Cell) -> FloatArray:
    """Return the displacements to each site of the crystal, with zero mean, of the best of all rigid shifts."""
    values, counts = np.unique(crystal.numbers, return_counts=True)
    rarest = values[np.argmin(counts)]
    anchor = reference.positions[reference.numbers == rarest][0]
    best: tuple[float, FloatArray] | None = None
    for position in crystal.positions[crystal.numbers == rarest]:
        cost, displacements = _assign(reference, crystal, position - anchor)
        if best is None or cost < best[0] - 1e-8:
            best = cost, displacements
    assert best is not None  # noqa: S101 - the rarest element has at least one site
    return best[1]


def _assign(reference: Cell, crystal: Cell, shift: FloatArray) -> tuple[float, FloatArray]:
    """Return cost in Å² and displacements of the best assignment within each element after a rigid shift."""
    displacements = np.zeros_like(crystal.positions)
    for number in np.unique(crystal.numbers):
        starts = np.flatnonzero(reference.numbers == number)
        ends = np.flatnonzero(crystal.numbers == number)
        moves = crystal.positions[ends][:, None] - reference.positions[starts][None] - shift
        moves -= np.rint(moves)
        rows, columns = linear_sum_assignment(((moves @ crystal.lattice) ** 2).sum(axis=-1))
        displacements[ends[rows]] = moves[rows, columns]
    displacements -= displacements.mean(axis=0)
    return float(((displacements @ crystal.lattice) ** 2).sum()), displacements


def centrosymmetric_reference(crystal: Cell) -> Cell:
    """Return the structure half way between a crystal and its inverse, in the cell of the crystal.

    Each atom is matched to the nearest of the inverted crystal, as in `make_path`. For wurtzite that is the flat
    hexagonal structure, for a tetragonal ferroelectric perovskite the tetragonal cell with all atoms in its centres.

    Raises:
        InputError: the crystal is its own inverse, or no such structure exists near it.
    """
    inverse = Cell(crystal.lattice, -crystal.positions, crystal.numbers)
    path = make_path(inverse, crystal)
    if path.longest_move < STEP_OF_NOTHING:
        raise InputError(
            'structure',
            'it has an inversion centre, so that its spontaneous polarization is zero',
            'Compute its formal polarization with `polarization.berry`',
        )
    middle = path.image(0.5)
    if not has_inversion(middle):
        raise InputError(
            'structure',
            'no centrosymmetric structure lies half way between it and its inverse',
            'Give the reference',
        )
    return middle


def has_inversion(cell: Cell) -> bool:
    """Return whether a cell has an inversion centre."""
    symmetry = spglib.get_symmetry(tuple(cell), symprec=SYMPREC)
    return symmetry is not None and any(np.array_equal(rotation, -np.eye(3)) for rotation in symmetry['rotations'])


def check_polar(cell: Cell) -> None:
    """Refuse crystals whose symmetry allows no spontaneous polarization.

    Raises:
        InputError: names the space group.
    """
    crystal = primitive_crystal(_structure(cell))
    if allowed_polarizations(crystal.rotations).is_fixed:
        raise InputError(
            'structure',
            f'its space group {crystal.spacegroup} is not polar, so that it has no spontaneous polarization',
            'Compute its formal polarization with `polarization.berry`, or give a polar phase',
        )


def check_reference(reference: Cell) -> None:
    """Refuse references whose symmetry allows a formal polarization other than zero and half a quantum.

    Only from the others is the change of polarization that of a switch: half the difference of the two orientations.
    Zincblende has a quarter of a quantum along each vector, which a path from it to wurtzite would leave out of the
    result (Dreyer, Janotti, Van de Walle and Vanderbilt, PRX 6, 021038 (2016)).

    Raises:
        InputError: names the space group and what it allows.
    """
    crystal = primitive_crystal(_structure(reference))
    allowed = allowed_polarizations(crystal.rotations)
    halves = {Fraction(0), Fraction(1, 2)}
    others = [member for member in allowed.discrete if not halves.issuperset(member)]
    if allowed.is_fixed and not others:
        return
    reason = f'it is polar itself ({crystal.spacegroup})'
    if others:
        member = ', '.join(str(fraction) for fraction in others[0])
        reason = f'its space group {crystal.spacegroup} allows a formal polarization of ({member}) quanta'
    raise InputError(
        'reference',
        f'{reason}, so that the change of polarization from it is not the spontaneous polarization',
        'Give a centrosymmetric reference, or none: for wurtzite that is the flat hexagonal structure. '
        '`accept_reference` takes it all the same',
    )


def site_charges(cell: Cell, charges: Given | None = None) -> FloatArray:
    """Return the nominal charge of each site in e, given or guessed.

    Raises:
        InputError: if they cannot be guessed, or are not those of a neutral crystal.
    """
    crystal = primitive_crystal(_structure(cell))
    states = oxidation_states(crystal, charges)
    return np.array(states.charges, dtype=float)[crystal.sites]


def _structure(cell: Cell) -> Structure:
    return Structure(Lattice(cell.lattice), cell.numbers, cell.positions)
