from __future__ import annotations

import numpy as np
import pytest

from aiida_foundry.analysis.koopmans.states import mesh_of
from aiida_foundry.common.errors import InputError


def points(divisions):
    return np.stack(np.indices(divisions), axis=-1).reshape(-1, 3) / divisions


def test_mesh_in_any_order_and_cell():
    kpoints = np.random.default_rng(1).permutation(points((3, 2, 4)))
    kpoints -= np.random.default_rng(2).integers(-1, 2, size=kpoints.shape)
    mesh = mesh_of(kpoints + 1e-9)
    assert mesh.divisions == (3, 2, 4)
    np.testing.assert_allclose(mesh.reduced, kpoints, atol=1e-8)


def test_sums_of_points():
    mesh = mesh_of(points((3, 2, 1)))
    for k in range(6):
        for q in range(6):
            index, umklapp = mesh.add(k, q)
            np.testing.assert_allclose(mesh.reduced[k] + mesh.reduced[q], mesh.reduced[index] + umklapp, atol=1e-12)


@pytest.mark.parametrize(
    'kpoints', [points((2, 2, 2)) + 0.25, points((3, 3, 1))[:-1], [[0, 0, 0], [0.31, 0, 0]], points((2, 2, 2))[:5]]
)
def test_refused_meshes(kpoints):
    with pytest.raises(InputError, match='not a full mesh'):
        mesh_of(kpoints)
