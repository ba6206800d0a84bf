"""Planes and terminations of faces whose answer is in every textbook."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_foundry.analysis.crystal import Cell
from aiida_foundry.common.errors import InputError
from aiida_foundry.structures.interfaces.build import stacks
from aiida_foundry.structures.interfaces.planes import Stack, terminations


@pytest.fixture
def stack_of(match_of_faces):
    return lambda name, miller: stacks(match_of_faces(name, name, miller), 0.0)[1]


@pytest.mark.parametrize(
    ('name', 'miller', 'states', 'above', 'polarity'),
    [
        # P. W. Tasker, J. Phys. C 12, 4977 (1979): rock salt (001) is of type 1, fluorite (111) of type 2 cut between
        # two anions, rock salt (111) of type 3; perovskites: titanate neutral, aluminate charged planes
        ('MgO', (0, 0, 1), {'Mg': 2, 'O': -2}, ['MgO'], {'neutral planes'}),
        ('MgO', (1, 1, 1), {'Mg': 2, 'O': -2}, ['Mg', 'O'], {'dipole'}),
        ('SrTiO3', (0, 0, 1), {'Sr': 2, 'Ti': 4, 'O': -2}, ['OSr', 'O2Ti'], {'neutral planes'}),
        ('LaAlO3', (0, 0, 1), {'La': 3, 'Al': 3, 'O': -2}, ['LaO', 'AlO2'], {'dipole'}),
        ('BN', (1, 1, 1), {'B': 3, 'N': -3}, ['B', 'N'], {'dipole'}),
        ('C', (1, 1, 1), {'C': 0}, ['C', 'C'], {'neutral planes'}),
    ],
)
def test_terminations(stack_of, name, miller, states, above, polarity):
    cuts = terminations(stack_of(name, miller), states)
    assert sorted(cut.above for cut in cuts) == sorted(above)
    assert {cut.polarity for cut in cuts} == polarity
    assert {cut.index for cut in cuts} == set(range(len(cuts)))


def test_fluorite_has_one_cut_without_dipole(stack_of):
    cuts = terminations(stack_of('CaF2', (1, 1, 1)), {'Ca': 2, 'F': -1})
    by_planes = {(cut.below, cut.above): cut.polarity for cut in cuts}
    assert by_planes == {
        ('F', 'F'): 'charged planes, no dipole',
        ('Ca', 'F'): 'dipole',
        ('F', 'Ca'): 'dipole',
    }


def test_spacings_and_charges(stack_of):
    """Zincblende (111): a √3/12 within a bilayer and a √3/4 between two."""
    cuts = terminations(stack_of('BN', (1, 1, 1)), {'B': 3, 'N': -3})
    assert sorted(cut.spacing for cut in cuts) == pytest.approx([3.57 * np.sqrt(3) / 12, 3.57 * np.sqrt(3) / 4])
    assert sorted(cut.charge for cut in cuts) == [-3, 3]
    assert {cut.polarity for cut in terminations(stack_of('BN', (1, 1, 1)))} == {'unknown'}


def test_planes_continue_through_all_repeats(stack_of):
    stack = stack_of('BN', (1, 1, 1))
    for plane in range(-3, 5):
        numbers, positions = stack.atoms(plane)
        assert positions[:, 2] == pytest.approx(stack.height(plane))
        assert (numbers == stack.atoms(plane + 2)[0]).all()
        assert stack.height(plane + 2) - stack.height(plane) == pytest.approx(stack.period)
        assert stack.atoms(plane + 2)[1] - positions == pytest.approx(stack.cell.lattice[2][None])


def test_plane_across_the_end_of_the_cell():
    """Atoms at 0.01 and 0.99 of 4 Å are one plane."""
    positions = np.array([[0, 0, 0.99], [0.5, 0.5, 0.01], [0, 0, 0.5]])
    stack = Stack(Cell(np.diag([3.0, 3.0, 4.0]), positions, np.array([1, 2, 3])))
    assert [plane.tolist() for plane in stack.planes] in ([[2], [0, 1]], [[0, 1], [2]])
    assert stack.height(1) - stack.height(0) == pytest.approx(2.0)


def test_planes_too_close_to_cut():
    positions = np.column_stack([np.zeros(50), np.zeros(50), np.arange(50) / 50])
    with pytest.raises(InputError, match='no cut is possible'):
        terminations(Stack(Cell(np.diag([3.0, 3.0, 4.0]), positions, np.full(50, 6))))
