"""Text of a structure file in, pymatgen ``Structure`` out; no aiida.

Each reader refuses what it would otherwise have to guess: several structures in one file, element names missing in a
POSCAR, atoms that the stated formula has and the list of sites lacks.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import PurePath

import numpy as np
from pymatgen.core import Structure

from aiida_foundry.analysis.crystal import Cell, standard_primitive_cell
from aiida_foundry.common.errors import InputError
from aiida_foundry.structures.checks import check_species

VERSION = 1
"""Raise it with every change of what the readers return: it is an input of the calcfunctions that wrap them."""

SYMPREC = 0.01
"""Å. Absorbs coordinates printed with three digits; the tolerance of pymatgen and of the Materials Project."""

SITE_TOLERANCE = 5e-3
"""Reduced coordinates: images of a site closer than this are one atom on a special position (0.333 instead of 1/3)."""

FORMATS = {'.cif': 'cif', '.vasp': 'poscar', '.poscar': 'poscar', '.xyz': 'extxyz', '.extxyz': 'extxyz'}


def format_of(filename: str) -> str:
    """Return ``'cif'``, ``'poscar'`` or ``'extxyz'`` from the name of a file.

    Raises:
        InputError: if the name tells none of them.
    """
    path = PurePath(filename)
    if path.name.upper().startswith(('POSCAR', 'CONTCAR')):
        return 'poscar'
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        raise InputError(
            f'structure `{filename}`',
            'the format cannot be told from the name',
            f'Use one of {", ".join(FORMATS)}, or a name that starts with POSCAR or CONTCAR',
        ) from None


def read_structure(text: str, filename: str) -> Structure:
    """Return the crystal in ``text``, in the cell of the file, without oxidation states or site properties.

    Args:
        text: content of the file.
        filename: its name, which gives the format.

    Raises:
        InputError: if the text holds no crystal, more than one, or sites that are not fully taken by one element.
    """
    subject = f'structure `{filename}`'
    reader = READERS[format_of(filename)]
    if not text.strip():
        raise InputError(subject, 'the file is empty', 'Download or write it again')
    structure = reader(text, subject)
    check_species(structure, subject)
    return Structure(structure.lattice, [site.specie.Z for site in structure], structure.frac_coords)


def reduce_structure(structure: Structure, symprec: float = SYMPREC) -> Structure:
    """Return the standardised primitive cell, exactly symmetric; see `standard_primitive_cell`."""
    cell = standard_primitive_cell(to_cell(structure), symprec)
    return Structure(cell.lattice, [int(number) for number in cell.numbers], cell.positions)


def to_cell(structure: Structure) -> Cell:
    """Return lattice, positions and atomic numbers of an ordered structure."""
    return Cell(structure.lattice.matrix, structure.frac_coords, np.array(structure.atomic_numbers))


def _read_cif(text: str, subject: str) -> Structure:
    from pymatgen.io.cif import CifParser

    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # what matters among them is checked below and in `checks`
        try:
            parser = CifParser.from_str(text, site_tolerance=SITE_TOLERANCE)
            structures = parser.parse_structures(primitive=False, on_error='raise')
        except Exception as exception:  # pymatgen raises whatever the malformed text makes it stumble over
            raise _malformed_cif(subject, str(exception)) from exception
    structure = _only(structures, subject)
    _check_cif_formula(parser, structure, subject)
    return structure


def _malformed_cif(subject: str, message: str) -> InputError:
    detail = message.splitlines()[-1] if message else 'no detail'
    if detail == 'Singular matrix':
        return InputError(subject, 'its cell has no volume', 'Check lengths (Å) and angles (degrees) of the cell')
    if 'ccupancy' in detail and 'exceeded' in detail:
        return InputError(
            subject,
            f'several atoms share one position ({detail})',
            'Keep one of the alternatives, with all occupancies 1',
        )
    return InputError(
        subject,
        f'it is not a readable CIF file of a crystal ({detail})',
        'It needs the six cell parameters and a loop of atoms with `_atom_site_fract_x`, `_y`, `_z`; '
        'open it in a viewer (VESTA, Avogadro, Jmol), or download it again',
    )


def _check_cif_formula(parser: object, structure: Structure, subject: str) -> None:
    """Refuse a CIF whose sites disagree with its ``_chemical_formula_sum`` (often hydrogen atoms are left out)."""
    if 'chemical_formula_sum' not in str(parser.as_dict()):  # type: ignore[attr-defined]
        return
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        reason = parser.check(structure)  # type: ignore[attr-defined]
    if reason is not None and not reason.startswith('Cannot determine'):
        raise InputError(
            subject,
            f'its atoms give {structure.composition.reduced_formula}, not the formula it states ({reason})',
            'Add what is missing, or correct `_chemical_formula_sum`',
        )


def _read_poscar(text: str, subject: str) -> Structure:
    from pymatgen.io.vasp import Poscar
    from pymatgen.io.vasp.inputs import BadPoscarWarning

    with warnings.catch_warnings():
        warnings.simplefilter('error', BadPoscarWarning)
        try:
            return Poscar.from_str(text, read_velocities=False).structure
        except BadPoscarWarning as warning:
            raise InputError(subject, str(warning), 'Write the element symbols on the sixth line (VASP 5)') from None
        except Exception as exception:  # as for CIF
            raise InputError(
                subject, f'it is not a readable POSCAR file ({exception})', 'Compare it with the VASP manual'
            ) from exception


def _read_extxyz(text: str, subject: str) -> Structure:
    import ase.io
    from pymatgen.io.ase import AseAtomsAdaptor

    try:
        frames = ase.io.read(io.StringIO(text), format='extxyz', index=':')
    except Exception as exception:  # as for CIF
        raise InputError(subject, f'it is not a readable xyz file ({exception})', 'Write it again') from exception
    atoms = _only(frames, subject)
    if atoms.cell.rank < 3 or not all(atoms.pbc):
        raise InputError(
            subject,
            'it has no lattice, or is not periodic in three directions',
            'Write `Lattice="ax ay az bx by bz cx cy cz" pbc="T T T"` (Å) on the second line (extended xyz)',
        )
    return AseAtomsAdaptor.get_structure(atoms)


def _only(structures: list, subject: str) -> Structure:
    if len(structures) != 1:
        raise InputError(
            subject, f'it holds {len(structures)} structures', 'Write the one you want to a file of its own'
        )
    return structures[0]


READERS: dict[str, Callable[[str, str], Structure]] = {
    'cif': _read_cif,
    'poscar': _read_poscar,
    'extxyz': _read_extxyz,
}
