"""Elastic energy of coherent interfaces."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from aiida_foundry.analysis.matching import StrainLimit, elastic_energy, find_matches
from aiida_foundry.analysis.matching.elasticity import GPA, in_plane_stiffness
from aiida_foundry.common.errors import InputError

#: Copper, GPa: H. M. Ledbetter and E. R. Naimon, J. Phys. Chem. Ref. Data 3, 897 (1974).
C11, C12, C44 = 169.1, 122.2, 75.4
#: Biaxial moduli of cubic crystals: W. D. Nix, Metall. Trans. A 20, 2217 (1989), equations 4 and 5.
BIAXIAL = {
    (1, 0, 0): C11 + C12 - 2 * C12**2 / C11,
    (1, 1, 1): 6 * C44 * (C11 + 2 * C12) / (C11 + 2 * C12 + 4 * C44),
}


def cubic(c11, c12, c44):
    stiffness = np.diag([c11 - c12] * 3 + [c44] * 3).astype(float)
    stiffness[:3, :3] += c12
    return stiffness


@pytest.fixture
def on_diamond(crystal):
    """Return the maker of the smallest match of copper with a face of diamond that is the same for both."""

    def make(miller):
        found = find_matches(crystal('Cu'), crystal('C'), max_miller=1, max_area=7.0, limit=StrainLimit(0.03))
        return next(m for m in found if m.film.miller == m.substrate.miller == miller)

    return make


@pytest.mark.parametrize('miller', BIAXIAL)
def test_biaxial_modulus(miller, on_diamond):
    match = on_diamond(miller)
    strain = np.log(3.567 / 3.615)
    expected = BIAXIAL[miller] * strain**2 / 160.2176634
    assert elastic_energy(match, cubic(C11, C12, C44)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize('fraction', [0.2, 0.5])
def test_shared_strain_is_the_least_energy(fraction, on_diamond):
    match = on_diamond((1, 1, 1))
    film, substrate = cubic(C11, C12, C44), cubic(1076.0, 125.0, 576.0)
    alone = elastic_energy(match, film), elastic_energy(match, substrate)
    shared = elastic_energy(match, film, substrate, fraction)
    shares = np.linspace(0, 1, 100001)
    least = (fraction * alone[0] * shares**2 + (1 - fraction) * alone[1] * (1 - shares) ** 2).min()
    assert shared == pytest.approx(least, rel=1e-6)


def test_invariant_under_rotation_about_the_normal():
    stiffness = cubic(C11, C12, C44)
    frame = Rotation.from_euler('zyx', [20, 50, 70], degrees=True).as_matrix()
    turn = Rotation.from_euler('z', 33, degrees=True).as_matrix()
    energies = []
    for rotation in (frame, turn @ frame):
        strain = rotation @ frame.T @ np.diag([0.01, -0.02, 0.0]) @ frame @ rotation.T
        vector = np.array([strain[0, 0], strain[1, 1], 2 * strain[0, 1]])
        energies.append(vector @ in_plane_stiffness(stiffness, rotation) @ vector)
    assert energies[0] == pytest.approx(energies[1], rel=1e-12)


def test_isotropic_plane_stress():
    """E/(1 − ν²), ν E/(1 − ν²) and E/2(1 + ν), whatever the orientation."""
    young, poisson = 100.0, 0.3
    shear = young / (2 * (1 + poisson))
    lame = young * poisson / ((1 + poisson) * (1 - 2 * poisson))
    rotation = Rotation.from_euler('zyx', [20, 50, 70], degrees=True).as_matrix()
    expected = young / (1 - poisson**2) * np.array([[1, poisson, 0], [poisson, 1, 0], [0, 0, (1 - poisson) / 2]])
    found = in_plane_stiffness(cubic(lame + 2 * shear, lame, shear), rotation)
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_unit():
    assert pytest.approx(1 / 160.2176634) == GPA


@pytest.mark.parametrize(
    ('stiffness', 'message'),
    [
        (np.eye(3), 'not a symmetric'),
        (cubic(100, 50, 30) + np.triu(np.ones((6, 6)), 1), 'not a symmetric'),
        (cubic(100, 120, 30), 'not positive definite'),
    ],
)
def test_bad_stiffness(stiffness, message, on_diamond):
    with pytest.raises(InputError, match=message):
        elastic_energy(on_diamond((1, 0, 0)), stiffness)


@pytest.mark.parametrize('fraction', [0.0, 1.0, -1.0])
def test_bad_fraction(fraction, on_diamond):
    with pytest.raises(InputError, match='volume fraction'):
        elastic_energy(on_diamond((1, 0, 0)), cubic(C11, C12, C44), cubic(C11, C12, C44), fraction)
