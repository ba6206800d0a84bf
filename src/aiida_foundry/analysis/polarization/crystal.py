"""Primitive cell and point operations of a crystal in any cell, centring or setting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import spglib
from pymatgen.core import Structure

from aiida_foundry.common.errors import InputError

#: Å; atoms and lattice within it count as symmetric. pymatgen's default for experimental structures.
SYMPREC = 1e-2
#: μ_B; collinear moments closer than this are the same moment.
MOMENT_TOLERANCE = 0.1
#: Primitive vectors as columns on the conventional ones (spglib's convention, International Tables A 5.1).
CENTRINGS = {
    'P': np.eye(3),
    'A': np.array([[2, 0, 0], [0, 1, -1], [0, 1, 1]]) / 2,
    'C': np.array([[1, 1, 0], [-1, 1, 0], [0, 0, 2]]) / 2,
    'I': np.array([[-1, 1, 1], [1, -1, 1], [1, 1, -1]]) / 2,
    'F': np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) / 2,
    'R': np.array([[2, -1, -1], [1, 1, -2], [1, 1, 1]]) / 3,
}


@dataclass(frozen=True, eq=False)
class PrimitiveCrystal:
    """A crystal reduced to its primitive cell, which is the input cell itself where that is primitive.

    Args:
        lattice: (3, 3) primitive vectors by rows, Å, in the orientation of the input.
        basis: (3, 3) primitive vectors by rows on the input's lattice vectors.
        positions: (n, 3) fractional positions, idealised to the space group; the origin is that of the standard cell.
        numbers: (n,) atomic numbers.
        moments: (n,) collinear moments in μ_B.
        rotations: (k, 3, 3) integer point operations on columns of fractional coordinates.
        sites: (N,) primitive site of each input site.
        orbits: (n,) label of the set of equivalent sites that each site belongs to.
        spacegroup: international symbol; with moments, that of the operations that keep every moment.
    """

    lattice: npt.NDArray[np.float64]
    basis: npt.NDArray[np.float64]
    positions: npt.NDArray[np.float64]
    numbers: npt.NDArray[np.int64]
    moments: npt.NDArray[np.float64]
    rotations: npt.NDArray[np.int64]
    sites: npt.NDArray[np.int64]
    orbits: npt.NDArray[np.int64]
    spacegroup: str

    @property
    def is_magnetic(self) -> bool:
        """Whether any site carries a moment."""
        return bool(np.any(np.abs(self.moments) > MOMENT_TOLERANCE))

    @property
    def structure(self) -> Structure:
        """The primitive cell with its idealised positions."""
        return Structure(self.lattice, self.numbers, self.positions)


def primitive_crystal(
    structure: Structure, moments: Sequence[float] | None = None, symprec: float = SYMPREC
) -> PrimitiveCrystal:
    """Reduce a structure to its primitive cell and find its point operations.

    Moments are collinear and free of spin-orbit coupling. Polarization is even under time reversal, so operations that
    reverse every moment constrain it like those that keep every moment, while its quantum belongs to the translations
    that keep every moment.

    Args:
        structure: ordered, neutral crystal.
        moments: collinear moment of each site in μ_B; by default the site property ``magmom``, or none.
        symprec: distance in Å within which atoms count as symmetric.

    Raises:
        InputError: disordered or charged structure, moments that are not one number per site, overlapping atoms.
    """
    _check_structure(structure)
    site_moments = _moments(structure, moments)
    numbers = np.array(structure.atomic_numbers)
    labels = _labels(numbers, site_moments)
    dataset = _dataset(structure, labels, symprec)
    to_primitive, basis = _primitive_basis(dataset)

    _, chosen = np.unique(dataset.std_mapping_to_primitive, return_index=True)
    _, first, sites = np.unique(dataset.mapping_to_primitive, return_index=True, return_inverse=True)
    crystal = PrimitiveCrystal(
        lattice=basis @ structure.lattice.matrix,
        basis=basis,
        positions=dataset.std_positions[chosen] @ to_primitive.T % 1.0,
        numbers=numbers[first],
        moments=site_moments[first],
        rotations=_change_basis(_point_operations(dataset.hall_number), to_primitive),
        sites=sites,
        orbits=dataset.crystallographic_orbits[first],
        spacegroup=dataset.international,
    )
    return _with_reversals(crystal, symprec) if crystal.is_magnetic else crystal


def _check_structure(structure: Structure) -> None:
    if not structure.is_ordered:
        raise InputError(_name(structure), 'it is disordered', 'Give an ordered approximant.')
    if abs(structure.charge) > 1e-6:
        raise InputError(_name(structure), f'it carries the charge {structure.charge:+g} e', 'Give a neutral crystal.')
    if not all(hasattr(site.specie, 'Z') and site.specie.Z > 0 for site in structure):
        raise InputError(_name(structure), 'it contains sites that are no chemical element', 'Name every element.')


def _moments(structure: Structure, moments: Sequence[float] | None) -> npt.NDArray[np.float64]:
    given = structure.site_properties.get('magmom') if moments is None else moments
    if given is None:
        return np.zeros(len(structure))
    values = np.array([0.0 if value is None else value for value in given], dtype=float)
    if values.shape != (len(structure),):
        raise InputError(
            _name(structure),
            f'its magnetic moments have the shape {values.shape}, not one collinear moment per site',
            'Give collinear moments in μ_B; non-collinear magnets are not supported.',
        )
    return values


def _labels(numbers: npt.NDArray[np.int64], moments: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return one integer per site, shared by sites of one element and one moment."""
    order = np.lexsort((moments, numbers))
    steps = np.diff(moments[order]) > MOMENT_TOLERANCE
    changes = np.concatenate([[True], steps | (np.diff(numbers[order]) != 0)])
    labels = np.empty_like(numbers)
    labels[order] = np.cumsum(changes)
    return labels


def _dataset(structure: Structure, labels: npt.NDArray[np.int64], symprec: float) -> spglib.SpglibDataset:
    cell = (structure.lattice.matrix, structure.frac_coords, labels)
    try:
        dataset = spglib.get_symmetry_dataset(cell, symprec=symprec)
    except spglib.SpglibError as error:
        raise _no_symmetry(structure, symprec) from error
    if dataset is None:
        raise _no_symmetry(structure, symprec)
    return dataset


def _no_symmetry(structure: Structure, symprec: float) -> InputError:
    reason = f'spglib finds no space group within {symprec} Å, which points to overlapping atoms'
    return InputError(_name(structure), reason, 'Check the positions for duplicates.')


def _primitive_basis(
    dataset: spglib.SpglibDataset,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the map from standard to primitive coordinates, and the primitive vectors (rows) on the input's."""
    transformation = dataset.transformation_matrix
    sites = dataset.mapping_to_primitive
    if len(np.unique(sites)) == len(sites):
        return np.linalg.inv(transformation), np.eye(3)
    centring = CENTRINGS[dataset.international[0]]
    return np.linalg.inv(centring), (np.linalg.inv(transformation) @ centring).T


@lru_cache(maxsize=530)
def _point_operations(hall_number: int) -> npt.NDArray[np.int64]:
    return np.unique(spglib.get_symmetry_from_database(hall_number)['rotations'], axis=0)


def _change_basis(rotations: npt.NDArray[np.int64], transformation: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    return np.rint(transformation @ rotations @ np.linalg.inv(transformation)).astype(int)


def _with_reversals(crystal: PrimitiveCrystal, symprec: float) -> PrimitiveCrystal:
    """Add the operations that reverse every moment, which join sites of opposite moments into one orbit."""
    cell = (crystal.lattice, crystal.positions, crystal.numbers, crystal.moments)
    symmetry = spglib.get_magnetic_symmetry(cell, symprec=symprec, mag_symprec=MOMENT_TOLERANCE, is_axial=False)
    rotations = np.unique(np.concatenate([crystal.rotations, symmetry['rotations']]), axis=0)
    return replace(crystal, rotations=rotations, orbits=symmetry['equivalent_atoms'])


def _name(structure: Structure) -> str:
    return f'structure {structure.composition.reduced_formula}'
