"""Crystals known by name, at their experimental lattice constants.

All cells are those of R. W. G. Wyckoff, Crystal Structures, vol. 1, 2nd ed., Interscience, New York (1963), pages 7 to
237, as in the American Mineralogist Crystal Structure Database and the Crystallography Open Database (number beside
each). Wurtzite has his internal parameter u = 0.385.
"""

from __future__ import annotations

from typing import NamedTuple

from pymatgen.core import Lattice, Structure

from aiida_foundry.common.errors import InputError
from aiida_foundry.structures.readers import reduce_structure

VERSION = 1
"""Raise it with every change of a number below: it is an input of the calcfunction that wraps `prototype_structure`."""


class Prototype(NamedTuple):
    """Elements and lattice constants in Å of a crystal; ``cod`` is its number in the Crystallography Open Database."""

    kind: str
    elements: tuple[str, ...]
    a: float
    c: float | None
    cod: int


_KINDS: dict[str, tuple[str, list[list[float]]]] = {
    'fcc': ('Fm-3m', [[0, 0, 0]]),
    'diamond': ('Fd-3m', [[0, 0, 0]]),
    'zincblende': ('F-43m', [[0, 0, 0], [1 / 4, 1 / 4, 1 / 4]]),
    'rocksalt': ('Fm-3m', [[0, 0, 0], [1 / 2, 1 / 2, 1 / 2]]),
    'wurtzite': ('P6_3mc', [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.385]]),
}
"""Space group (first origin, as pymatgen has it) and the positions of its elements in the conventional cell."""

PROTOTYPES = {
    'Al': Prototype('fcc', ('Al',), 4.04958, None, 9008460),
    'AlN': Prototype('wurtzite', ('Al', 'N'), 3.111, 4.978, 9008860),
    'AlP': Prototype('zincblende', ('Al', 'P'), 5.451, None, 9008831),
    'CdTe': Prototype('zincblende', ('Cd', 'Te'), 6.480, None, 9008840),
    'GaAs': Prototype('zincblende', ('Ga', 'As'), 5.6537, None, 9008845),
    'GaP': Prototype('zincblende', ('Ga', 'P'), 5.4505, None, 9008846),
    'Ge': Prototype('diamond', ('Ge',), 5.65735, None, 9008567),
    'InP': Prototype('zincblende', ('In', 'P'), 5.8687, None, 9008852),
    'MgO': Prototype('rocksalt', ('Mg', 'O'), 4.2112, None, 9008671),
    'NaCl': Prototype('rocksalt', ('Na', 'Cl'), 5.64056, None, 9008678),
    'Si': Prototype('diamond', ('Si',), 5.43070, None, 9008566),
    'diamond': Prototype('diamond', ('C',), 3.56679, None, 9008564),
}


def prototype_structure(name: str) -> Structure:
    """Return the standardised primitive cell of the crystal ``name``.

    Raises:
        InputError: if the name is not in `PROTOTYPES`.
    """
    if name not in PROTOTYPES:
        raise InputError(f'structure `{name}`', 'there is no prototype of this name', f'Known: {", ".join(PROTOTYPES)}')
    prototype = PROTOTYPES[name]
    group, positions = _KINDS[prototype.kind]
    lattice = Lattice.cubic(prototype.a) if prototype.c is None else Lattice.hexagonal(prototype.a, prototype.c)
    return reduce_structure(Structure.from_spacegroup(group, lattice, list(prototype.elements), positions))
