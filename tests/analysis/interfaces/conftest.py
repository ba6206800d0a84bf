"""Crystals at interfaces."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

ZINCBLENDE = [[0, 0, 0], [1 / 4, 1 / 4, 1 / 4]]
PEROVSKITE = [[0, 0, 0], [1 / 2, 1 / 2, 1 / 2], [1 / 2, 1 / 2, 0], [1 / 2, 0, 1 / 2], [0, 1 / 2, 1 / 2]]
WURTZITE = [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.385]]


def fcc(a: float) -> Lattice:
    return Lattice(a / 2 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]))


CELLS = {
    'C': (fcc(3.567), ['C', 'C'], ZINCBLENDE),
    'cBN': (fcc(3.615), ['B', 'N'], ZINCBLENDE),
    'Ge': (fcc(5.657), ['Ge', 'Ge'], ZINCBLENDE),
    'GaAs': (fcc(5.653), ['Ga', 'As'], ZINCBLENDE),
    'AlAs': (fcc(5.661), ['Al', 'As'], ZINCBLENDE),
    'ZnSe': (fcc(5.668), ['Zn', 'Se'], ZINCBLENDE),
    'MgO': (fcc(4.211), ['Mg', 'O'], [[0, 0, 0], [1 / 2, 1 / 2, 1 / 2]]),
    'NiO': (fcc(4.177), ['Ni', 'O'], [[0, 0, 0], [1 / 2, 1 / 2, 1 / 2]]),
    'TiC': (fcc(4.328), ['Ti', 'C'], [[0, 0, 0], [1 / 2, 1 / 2, 1 / 2]]),
    'Al': (fcc(4.05), ['Al'], [[0, 0, 0]]),
    'SrTiO3': (Lattice.cubic(3.905), ['Sr', 'Ti', 'O', 'O', 'O'], PEROVSKITE),
    'LaAlO3': (Lattice.cubic(3.79), ['La', 'Al', 'O', 'O', 'O'], PEROVSKITE),
    'KTaO3': (Lattice.cubic(3.989), ['K', 'Ta', 'O', 'O', 'O'], PEROVSKITE),
    'graphene': (Lattice.hexagonal(2.46, 20), ['C', 'C'], [[1 / 3, 2 / 3, 1 / 2], [2 / 3, 1 / 3, 1 / 2]]),
}


@pytest.fixture(scope='session')
def structure() -> Callable[[str], Structure]:
    """Return the maker of known crystals."""

    def make(name: str) -> Structure:
        if name == 'AlN':
            return Structure.from_spacegroup('P6_3mc', Lattice.hexagonal(3.111, 4.978), ['Al', 'N'], WURTZITE)
        return Structure(*CELLS[name])

    return make
