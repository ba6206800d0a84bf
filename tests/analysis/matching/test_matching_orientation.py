"""Angles between the crystals of a match, and their rank."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from aiida_foundry.analysis.crystal import Cell
from aiida_foundry.analysis.matching import StrainLimit, crystal_face, crystal_from_cell, match_faces, misorientation


def zincblende(constant, elements, turn):
    structure = Structure.from_spacegroup(216, Lattice.cubic(constant), elements, [[0, 0, 0], [1 / 4, 1 / 4, 1 / 4]])
    lattice = structure.lattice.matrix @ turn.T
    return crystal_from_cell(Cell(lattice, structure.frac_coords, np.array(structure.atomic_numbers)))


@pytest.fixture
def matches():
    """Return a function: the smallest matches on (111) of two zincblende crystals, the second turned in space."""

    def _matches(turn):
        film, substrate = zincblende(3.6, ['B', 'N'], np.eye(3)), zincblende(3.57, ['C', 'Si'], turn)
        faces = crystal_face(film, (1, 1, 1)), crystal_face(substrate, (1, 1, 1))
        return list(match_faces(*faces, max_area=6.0, limit=StrainLimit(0.02)))

    return _matches


@pytest.mark.parametrize('angle', [0.0, 0.3, 2.0])
def test_parallel_goes_before_twin(matches, angle):
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    assert [misorientation(match) for match in matches(turn)] == pytest.approx([0.0, np.pi / 3], abs=1e-6)
