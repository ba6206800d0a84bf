"""One crystal of a screening: whether it takes part, and P·n̂ of each of its faces; or why it is left out."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from pymatgen.core import Structure

from aiida_foundry.analysis.crystal import Cell
from aiida_foundry.analysis.interfaces.insulators import Sureness, insulator
from aiida_foundry.analysis.interfaces.properties import KnownProperties, ScreenParameters
from aiida_foundry.analysis.matching import Crystal, Face, crystal_from_cell, distinct_faces
from aiida_foundry.analysis.polarization import FormalPolarization, formal_polarization, surface_charge
from aiida_foundry.analysis.polarization.formal import COULOMB_PER_SQUARE_METRE
from aiida_foundry.common.errors import InputError
from aiida_foundry.common.experiment import experimental_gap

#: Å; an empty layer as wide is vacuum. Layers of bulk van der Waals crystals are 3 to 4 Å apart, from atom to atom.
VACUUM = 7.0
#: Quanta; Berry phases are converged to a few thousandths, members of an allowed set lie at least 1/6 apart.
BERRY_TOLERANCE = 0.02


@dataclass(frozen=True, eq=False)
class Assessed:
    """What a screening knows of a crystal.

    Args:
        name: as in the source.
        formula: reduced.
        space_group: international symbol.
        sites: in the primitive cell.
        sureness: that it is an insulator with this polarization.
        statement: what that rests on.
        polarization: ``'fixed'`` by symmetry, ``'polar'`` (free along some direction, a calculation is needed) or
            ``'given'``; empty where it was not found.
        member: P in quanta along the primitive vectors, exact where symmetry fixes it.
        known: gap, dielectric constant, electron affinity: NaN where not known.
        fractions: P·n̂ of each face in e per primitive surface cell, modulo 1; NaN where it needs a calculation.
        reason: why it is left out; empty if it takes part.
    """

    name: str
    formula: str = ''
    space_group: str = ''
    sites: int = 0
    sureness: Sureness = Sureness.METAL
    statement: str = ''
    polarization: str = ''
    member: str = ''
    known: tuple[float, float, float] = (np.nan, np.nan, np.nan)
    fractions: tuple[float, ...] = ()
    reason: str = ''


def assess(name: str, structure: Structure, known: KnownProperties, parameters: ScreenParameters) -> Assessed:
    """Find out whether a crystal takes part in a screening, and its polarization on each face.

    Args:
        name: as in the source.
        structure: the crystal, with oxidation states and moments as decoration where known.
        known: what is known of it.
        parameters: limits of the screening.
    """
    formula = structure.composition.reduced_formula
    try:
        _check_dimensions(structure)
        formal = formal_polarization(structure, known.oxidation_states, known.moments)
        crystal = matching_crystal(structure)
        _check_magnetic_cell(formal, crystal)
    except InputError as error:
        return Assessed(name, formula, reason=str(error))
    gap, source = known.gap, known.source
    if gap is None and (measured := experimental_gap(formula, _number(structure))) is not None:
        gap, source = measured.energy, f'measured, doi:{measured.doi}'
    verdict = insulator(formal, gap, source)
    values = (gap, known.dielectric_constant, known.electron_affinity)
    assessed = {
        'name': name,
        'formula': formula,
        'space_group': formal.crystal.spacegroup,
        'sites': len(formal.crystal.numbers),
        'sureness': verdict.sureness,
        'statement': verdict.statement,
        'member': f'({", ".join(map(str, formal.member))})',
        'known': tuple(np.nan if value is None else value for value in values),
    }
    wanted = Sureness[parameters.sureness.upper()]
    if verdict.sureness < wanted:
        return Assessed(**assessed, reason=_refusal(verdict.sureness, wanted, verdict.statement))
    try:
        vector = given_fractions(formal, known.polarization)
    except InputError as error:
        return Assessed(**assessed, reason=str(error))
    faces = distinct_faces(crystal, parameters.max_miller, laue=True)
    kind = 'given' if vector is not None else 'polar' if formal.needs_dft else 'fixed'
    fractions = tuple(face_fraction(formal, structure, face, vector) for face in faces)
    return Assessed(**assessed, polarization=kind, fractions=fractions)


def matching_crystal(structure: Structure) -> Crystal:
    """Return the crystal as lattice matching takes it, in the orientation of the structure."""
    return crystal_from_cell(Cell(structure.lattice.matrix, structure.frac_coords, np.array(structure.atomic_numbers)))


def given_fractions(
    formal: FormalPolarization, polarization: tuple[float, float, float] | None
) -> npt.NDArray[np.float64] | None:
    """Return a polarization that was computed elsewhere in quanta along the primitive vectors (3,), if one is given.

    Args:
        formal: what symmetry and counting say.
        polarization: Cartesian, C/m².

    Raises:
        InputError: symmetry forbids it, or its discrete part is not that of the ions.
    """
    if polarization is None:
        return None
    lattice = formal.crystal.lattice
    volume = abs(np.linalg.det(lattice))
    fractions = np.linalg.solve(lattice.T, np.array(polarization) / COULOMB_PER_SQUARE_METRE * volume)
    nearest = formal.allowed.nearest(fractions)
    if nearest.residual > BERRY_TOLERANCE or nearest.fractions != formal.member:
        members = ', '.join(f'({", ".join(map(str, member))})' for member in formal.allowed.discrete)
        raise InputError(
            f'polarization {polarization} C/m² of {formal.crystal.structure.composition.reduced_formula}',
            f'in quanta along the primitive vectors it is {np.round(fractions, 3).tolist()}; '
            f'{formal.crystal.spacegroup} allows {members} (continuous directions aside) '
            f'and the ions {formal.oxidation} make ({", ".join(map(str, formal.member))})',
            'Give the formal polarization, electrons and ions, in the Cartesian axes of the structure.',
        )
    return fractions


def face_fraction(
    formal: FormalPolarization, structure: Structure, face: Face, vector: npt.NDArray[np.float64] | None = None
) -> float:
    """Return P·n̂ of a face in e per primitive surface cell, in [0, 1); NaN where it needs a calculation.

    Args:
        formal: polarization of ``structure``.
        structure: the crystal that ``face`` belongs to, in the same orientation.
        face: the face.
        vector: polarization in quanta along the primitive vectors, for what symmetry leaves open.
    """
    miller = np.rint(structure.lattice.matrix @ face.reciprocal).astype(int)
    charge = surface_charge(formal, tuple(miller.tolist()))
    if charge.fraction is not None:
        return float(charge.fraction)
    return float('nan') if vector is None else float(vector @ charge.miller) % 1.0


def _check_dimensions(structure: Structure) -> None:
    """Refuse slabs, two-dimensional materials, chains and molecules in vacuum: an empty layer across the cell."""
    heights = structure.lattice.volume / np.linalg.norm(_plane_normals(structure.lattice.matrix), axis=1)
    for axis, height in enumerate(heights):
        places = np.sort(structure.frac_coords[:, axis] % 1.0)
        empty = float(np.diff(places, append=places[0] + 1.0).max()) * height
        if len(structure) > 1 and empty > VACUUM:
            raise InputError(
                f'structure {structure.composition.reduced_formula}',
                f'{empty:.1f} Å along lattice vector {axis + 1} hold no atom: a two-dimensional material or a slab',
                'Give a bulk crystal; a polarization per volume means nothing here.',
            )


def _plane_normals(lattice: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.cross(lattice[[1, 2, 0]], lattice[[2, 0, 1]])


def _check_magnetic_cell(formal: FormalPolarization, crystal: Crystal) -> None:
    """Refuse a magnetic order with a larger cell than the atoms have: matching knows the lattice of the atoms only."""
    if len(formal.crystal.numbers) != len(crystal.cell.numbers):
        raise InputError(
            f'structure {formal.crystal.structure.composition.reduced_formula}',
            f'its magnetic order has {len(formal.crystal.numbers)} atoms per cell, the lattice of the atoms '
            f'{len(crystal.cell.numbers)}',
            'Collinear order within the primitive cell is supported; match this one by hand with its magnetic cell.',
        )


def _number(structure: Structure) -> int:
    return int(structure.get_space_group_info(symprec=1e-2)[1])


def _refusal(sureness: Sureness, wanted: Sureness, statement: str) -> str:
    if sureness == Sureness.METAL:
        return f'not an insulator: {statement}'
    return f'not sure enough ({sureness.name.lower()}, wanted {wanted.name.lower()}): {statement}'


def format_fraction(value: float) -> str:
    """Return a charge as an exact small fraction where it is one, e.g. ``1/2``, else with three digits."""
    exact = Fraction(value).limit_denominator(24)
    return str(exact) if abs(float(exact) - value) < 1e-9 else f'{value:.3f}'
