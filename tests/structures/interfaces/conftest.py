"""Crystals and specifications of interfaces."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from aiida_foundry.analysis.crystal import Cell
from aiida_foundry.analysis.matching import StrainLimit, crystal_face, crystal_from_cell, match_faces
from aiida_foundry.structures.interfaces.spec import parse_spec

ZINCBLENDE = [[0, 0, 0], [1 / 4, 1 / 4, 1 / 4]]
PEROVSKITE = [[0, 0, 0], [1 / 2, 1 / 2, 1 / 2], [1 / 2, 1 / 2, 0]]


def crystal(group, constant, elements, positions):
    structure = Structure.from_spacegroup(group, Lattice.cubic(constant), elements, positions)
    return crystal_from_cell(Cell(structure.lattice.matrix, structure.frac_coords, np.array(structure.atomic_numbers)))


@pytest.fixture(scope='session')
def crystals():
    return {
        'C': crystal(227, 3.57, ['C'], ZINCBLENDE[:1]),
        'BN': crystal(216, 3.57, ['B', 'N'], ZINCBLENDE),
        'MgO': crystal(225, 4.21, ['Mg', 'O'], [[0, 0, 0], [1 / 2, 1 / 2, 1 / 2]]),
        'CaF2': crystal(225, 5.46, ['Ca', 'F'], ZINCBLENDE),
        'SrTiO3': crystal(221, 3.905, ['Sr', 'Ti', 'O'], PEROVSKITE),
        'LaAlO3': crystal(221, 3.79, ['La', 'Al', 'O'], PEROVSKITE),
    }


@pytest.fixture
def match_of_faces(crystals):
    """Return a function: the smallest match of a face of two crystals."""

    def _match(film, substrate, miller):
        faces = [crystal_face(crystals[name], miller) for name in (film, substrate)]
        return next(match_faces(*faces, max_area=100, limit=StrainLimit(0.05)))

    return _match


@pytest.fixture
def spec_of(match_of_faces):
    """Return a function: the specification of an interface of two crystals."""

    def _spec(film, substrate, miller, *, kind='superlattice', layers=3, film_side=None, substrate_side=None, **rest):
        match = match_of_faces(film, substrate, miller)
        sides = {
            name: {
                'miller': side.miller,
                'transformation': side.transformation.tolist(),
                'layers': layers,
                'termination': 1,
                **(given or {}),
            }
            for name, side, given in (('film', match.film, film_side), ('substrate', match.substrate, substrate_side))
        }
        return parse_spec({'kind': kind, **sides, **rest})

    return _spec
