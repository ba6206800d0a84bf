"""Crystals to match."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from aiida_foundry.analysis.crystal import Cell
from aiida_foundry.analysis.matching import Crystal, crystal_from_cell

ZINCBLENDE = [[0, 0, 0], [1 / 4, 1 / 4, 1 / 4]]
WURTZITE = [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.385]]


def fcc(a: float) -> Lattice:
    """Return the primitive lattice of the face-centred cubic lattice: 192 operations cost pymatgen seconds."""
    return Lattice(a / 2 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]))


CELLS = {
    'C': ('P1', fcc(3.567), ['C', 'C'], ZINCBLENDE),
    'Cu': ('P1', fcc(3.615), ['Cu'], [[0, 0, 0]]),
    'Po': ('Pm-3m', Lattice.cubic(3.35), ['Po'], [[0, 0, 0]]),
    'MgO': ('P1', fcc(4.211), ['Mg', 'O'], [[0, 0, 0], [1 / 2, 1 / 2, 1 / 2]]),
    'cBN': ('P1', fcc(3.615), ['B', 'N'], ZINCBLENDE),
    'GaAs': ('P1', fcc(5.653), ['Ga', 'As'], ZINCBLENDE),
    'AlN': ('P6_3mc', Lattice.hexagonal(3.111, 4.978), ['Al', 'N'], WURTZITE),
    'SiC': ('P6_3mc', Lattice.hexagonal(3.0806, 5.0), ['Si', 'C'], WURTZITE),
    'SiO2': ('P3_221', Lattice.hexagonal(4.913, 5.405), ['Si', 'O'], [[0.4697, 0, 0], [0.4135, 0.2669, 0.1191]]),
    'Al2O3': ('R-3c', Lattice.hexagonal(4.759, 12.991), ['Al', 'O'], [[0, 0, 0.3522], [0.3063, 0, 1 / 4]]),
    'TiO2': ('P4_2/mnm', Lattice.tetragonal(4.594, 2.959), ['Ti', 'O'], [[0, 0, 0], [0.305, 0.305, 0]]),
    'KNO': ('Amm2', Lattice.orthorhombic(3.973, 5.695, 5.721), ['K', 'Nb'], [[0, 0, 0], [0.5, 0, 0.53]]),
    'ZrO2': (
        'P2_1/c',
        Lattice.monoclinic(5.1505, 5.2116, 5.3173, 99.23),
        ['Zr', 'O', 'O'],
        [[0.2754, 0.0395, 0.2083], [0.07, 0.3317, 0.3447], [0.4496, 0.7569, 0.4792]],
    ),
    'oblique': ('P1', Lattice.from_parameters(3.0, 3.7, 5.1, 82, 77, 68), ['H', 'He'], [[0, 0, 0], [0.4, 0.3, 0.2]]),
    'nearly cubic': (
        'P1',
        Lattice.from_parameters(3.0, 3.03, 3.05, 90.4, 89.8, 90.7),
        ['H', 'He'],
        [[0, 0, 0], [0.4, 0.3, 0.2]],
    ),
}


@pytest.fixture(scope='session')
def structure() -> Callable[[str], Structure]:
    """Return the maker of cells of known crystals."""
    return lru_cache(lambda name: Structure.from_spacegroup(*CELLS[name]))


@pytest.fixture(scope='session')
def crystal(structure: Callable[[str], Structure]) -> Callable[[str | Structure], Crystal]:
    """Return the maker of crystals: from a name or a structure."""

    def make(name: str | Structure) -> Crystal:
        given = structure(name) if isinstance(name, str) else name
        return crystal_from_cell(Cell(given.lattice.matrix, given.frac_coords, np.array(given.atomic_numbers)))

    return make
