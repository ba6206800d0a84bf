"""Cells against crystallography: known distances, known groups."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_foundry.analysis.crystal import Cell, overlapping_atoms, space_group, standard_primitive_cell

FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])


def rocksalt(a: float) -> Cell:
    """Return the conventional cell of eight atoms, sodium at the origin."""
    corners = np.vstack([np.zeros(3), FCC])
    positions = np.vstack([corners, (corners + 0.5) % 1])
    return Cell(np.eye(3) * a, positions, np.array([11] * 4 + [17] * 4))


def test_shortest_contact_of_rocksalt_is_half_the_cell():
    contacts = overlapping_atoms(rocksalt(5.64056), fraction=1.06)
    assert contacts[0].distance == pytest.approx(5.64056 / 2)
    assert len(contacts) == 12  # of the six neighbours of each sodium, opposite ones are images of one chlorine: 4 x 3
    assert not overlapping_atoms(rocksalt(5.64056), fraction=1.0)


def test_primitive_cell_of_rocksalt():
    primitive = standard_primitive_cell(rocksalt(5.64056), symprec=1e-3)
    assert abs(np.linalg.det(primitive.lattice)) == pytest.approx(5.64056**3 / 4)
    assert sorted(primitive.numbers) == [11, 17]
    assert space_group(primitive, 1e-9) == ('Fm-3m', 225)


def test_displacements_below_the_tolerance_are_averaged_out():
    cell = rocksalt(5.64056)
    noise = np.random.default_rng(1).uniform(-2e-4, 2e-4, cell.positions.shape)
    noisy = cell._replace(positions=cell.positions + noise)
    assert space_group(noisy, 1e-5)[1] == 1
    primitive = standard_primitive_cell(noisy, symprec=1e-2)
    assert len(primitive.numbers) == 2
    assert space_group(primitive, 1e-9)[1] == 225
