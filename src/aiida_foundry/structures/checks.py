"""Refuse structures that no calculation can be run on, before anything is submitted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from ase.data import chemical_symbols
from pymatgen.core import DummySpecies, Structure

from aiida_foundry.analysis.crystal import Cell, overlapping_atoms
from aiida_foundry.common.errors import InputError

if TYPE_CHECKING:
    from aiida.orm import StructureData
    from aiida_pseudo.data.pseudo import PseudoPotentialData
    from aiida_pseudo.groups.family import PseudoPotentialFamily

OVERLAP_FRACTION = 0.5
"""Atoms overlap if closer than this fraction of the sum of their covalent radii (Cordero et al., Dalton Trans. 2832,
2008).

The radii reproduce bond lengths within some 10 %, bonds under 100 GPa are shortened by about 20 %: nothing real comes
near one half, while a wrong unit, a doubled site or a wrong space group does.
"""

MINIMUM_VOLUME = 1.0
"""Å³. A proton bound in solid hydrogen at 400 GPa still has about 2 Å³."""


def check_species(structure: Structure, subject: str) -> None:
    """Refuse partial occupancies and species that are no elements.

    Raises:
        InputError: names the species or the sites.
    """
    names = {specie.symbol: specie for site in structure for specie in site.species}
    for name, specie in names.items():
        if isinstance(specie, DummySpecies):
            raise InputError(
                subject, f'`{name}` is not a chemical element', 'Correct the element symbols of its atoms in the file'
            )
    disordered = [f'{site.species.formula} at {site.frac_coords.round(4)}' for site in structure if not site.is_ordered]
    if disordered:
        raise InputError(
            subject,
            f'{len(disordered)} of {len(structure)} sites have partial occupancies ({disordered[0]})',
            'Order it first, for example with `OrderDisorderedStructureTransformation` of pymatgen, or take an '
            'ordered phase',
        )


def check_geometry(cell: Cell, subject: str) -> None:
    """Refuse cells without volume and atoms that overlap, periodic images included.

    Raises:
        InputError: names the shortest contact.
    """
    volume = abs(float(np.linalg.det(cell.lattice)))
    if volume < MINIMUM_VOLUME:
        raise InputError(
            subject,
            f'its cell has a volume of {volume:.3g} Å³',
            'Check lengths (in Å) and angles (in degrees) of the cell',
        )
    contacts = overlapping_atoms(cell, OVERLAP_FRACTION)
    if contacts:
        first, second, distance = contacts[0]
        symbols = [chemical_symbols[cell.numbers[i]] for i in (first, second)]
        raise InputError(
            subject,
            f'{len(contacts)} pairs of atoms overlap; the closest are {symbols[0]} (number {first + 1}) and '
            f'{symbols[1]} (number {second + 1}) at {distance:.3f} Å',
            'Check the length unit (Å), the space group setting and doubled sites',
        )


def check_structure_data(structure: StructureData, subject: str) -> None:
    """Refuse a stored structure for the same reasons as a file.

    Raises:
        InputError: names the reason.
    """
    if not all(structure.pbc):
        raise InputError(
            subject, f'it is periodic along {sum(structure.pbc)} of 3 directions', 'Give a three-dimensional crystal'
        )
    if structure.is_alloy or structure.has_vacancies:
        raise InputError(
            subject, 'it has kinds with partial occupancies', 'Give an ordered structure, with one element per kind'
        )
    unknown = sorted(set(structure.get_symbols_set()) - set(chemical_symbols[1:]))
    if unknown:
        raise InputError(subject, f'`{unknown[0]}` is not a chemical element', 'Correct the symbols of its kinds')
    check_geometry(cell_of(structure), subject)


def check_family(structure: StructureData, family: PseudoPotentialFamily) -> None:
    """Refuse elements that a pseudopotential family lacks.

    Raises:
        InputError: names the elements.
    """
    missing = sorted(structure.get_symbols_set() - set(family.elements))
    if missing:
        raise InputError(
            f'pseudopotential family `{family.label}`',
            f'it has no pseudopotential of {", ".join(missing)}',
            'Choose another family (`aiida-pseudo list` shows those of the profile)',
        )


def valence_electrons(structure: StructureData, pseudos: Mapping[str, PseudoPotentialData]) -> int:
    """Return the number of electrons in the cell that the pseudopotentials do not hold in their cores.

    Args:
        structure: the neutral crystal.
        pseudos: pseudopotential by kind name; any data type with ``z_valence``.
    """
    return sum(int(pseudos[site.kind_name].z_valence) for site in structure.sites)


def check_even_electrons(structure: StructureData, pseudos: Mapping[str, PseudoPotentialData], subject: str) -> None:
    """Refuse an odd number of electrons where bands are filled in pairs: such a crystal is a metal or a magnet.

    Raises:
        InputError: states the count.
    """
    number = valence_electrons(structure, pseudos)
    if number % 2:
        raise InputError(
            subject,
            f'{structure.get_formula()} has an odd number of electrons ({number}) and the calculation has no spin',
            'Without spin polarisation it is a metal; check the composition, or double the cell of a magnetic order',
        )


def cell_of(structure: StructureData) -> Cell:
    """Return lattice (Å), reduced positions and atomic numbers of an ordered structure."""
    atoms = structure.get_ase()
    return Cell(atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
