"""Branches of Berry phases: exact synthetic paths, the published path of BaTiO3, and pymatgen on the same data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pymatgen.analysis.ferroelectricity.polarization import Polarization
from pymatgen.core import Lattice, Structure

from aiida_foundry.analysis.polarization.branch import (
    follow_branch,
    images_to_start,
    phase_modulus,
    point_charge_phases,
    steps_to_divide,
)
from aiida_foundry.analysis.polarization.formal import COULOMB_PER_SQUARE_METRE
from aiida_foundry.common.errors import InputError

CUBE = 4.0 * np.eye(3)


class BariumTitanate:
    """VASP results for the path from Pm-3m to P4mm, along the polar axis, with the valences Ba 10, Ti 10, O 6.

    Values from the tests of pymatgen's ``Polarization`` (MIT licence); method in Smidt, Mack, Reyes-Lillo, Jain and
    Neaton, Scientific Data 7, 72 (2020).
    """

    a = np.array([44.363484, 44.324764, 44.286055, 44.247335, 44.208626, 44.169906, 44.131197, 44.092477, 44.053768,
                  44.015048]) / 11  # fmt: skip
    ratio = np.array([98.50186747, 98.67403571, 98.84660662, 99.01967988, 99.19315873, 99.36714337, 99.54153654,
                      99.71643897, 99.89175289, 100.06757957])  # fmt: skip
    ratio /= np.array([98.50186747, 98.09416498, 97.69065056, 97.29131054, 96.89603543, 96.50481368, 96.11753848,
                       95.7342003, 95.35469487, 94.97901455])  # fmt: skip
    c = a * ratio
    #: −Σ Z z, e Å
    ions = -np.array([44.79259988, 69.43452043, 69.8792077, 70.32475473, 70.77139856, 71.21889307, 71.66746921,
                      72.1168782, 72.56736141, 73.01874336])  # fmt: skip
    electrons = np.array([-3.60393, -3.77177, -3.93397, -4.08851, 3.99662, 3.90327, 3.81998, 3.74561, 3.67949,
                          3.61674])  # fmt: skip
    #: change along c in the polar cell, C/m²
    published = 0.462887522

    @classmethod
    def phases(cls) -> np.ndarray:
        phases = np.zeros((10, 3))
        phases[:, 2] = (cls.electrons + cls.ions) / cls.c
        return phases

    @classmethod
    def lattice(cls) -> np.ndarray:
        return np.diag([cls.a[-1], cls.a[-1], cls.c[-1]])


@pytest.mark.parametrize('quantum', [1, 2])
def test_published_path_of_barium_titanate(quantum):
    """All valences are even and the calculation is not spin polarized, so that the modulus is 2; 1 holds as well."""
    branch = follow_branch(BariumTitanate.phases(), BariumTitanate.lattice(), quantum)
    # the source counts the polarization with the opposite sign
    change = branch.change * COULOMB_PER_SQUARE_METRE
    assert np.abs(change) == pytest.approx([0, 0, BariumTitanate.published], abs=2e-5)
    assert branch.largest_step < 0.1
    assert np.abs(branch.quanta[2, 2]) * COULOMB_PER_SQUARE_METRE == pytest.approx(quantum * 1.0006757957, rel=1e-5)


def test_agrees_with_pymatgen():
    structures = [
        Structure(Lattice.tetragonal(a, c), ['Ba'], [[0, 0, 0]])
        for a, c in zip(BariumTitanate.a, BariumTitanate.c, strict=True)
    ]
    along = np.zeros((10, 3))
    along[:, 2] = 1.0
    electrons, ions = along * BariumTitanate.electrons[:, None], along * BariumTitanate.ions[:, None]
    pymatgen = Polarization(electrons, ions, structures).get_polarization_change(convert_to_muC_per_cm2=True)
    branch = follow_branch(BariumTitanate.phases(), BariumTitanate.lattice())
    assert np.abs(branch.change) * COULOMB_PER_SQUARE_METRE * 100 == pytest.approx(np.abs(pymatgen[0]), rel=1e-4)


STEPS = arrays(float, st.tuples(st.integers(1, 12), st.just(3)), elements=st.floats(-0.24, 0.24))


@given(STEPS, st.sampled_from([1, 2]), st.integers(0, 2**31))
def test_any_branch_of_each_image_gives_the_same_path(steps, quantum, seed):
    path = np.concatenate([[[0.5, 0.0, -0.25]], quantum * steps]).cumsum(axis=0)
    jumps = quantum * np.random.default_rng(seed).integers(-3, 4, size=path.shape)
    jumps[0] = 0
    branch = follow_branch(path + jumps, CUBE, quantum)
    assert branch.phases == pytest.approx(path, abs=1e-9)
    assert branch.change == pytest.approx((path[-1] - path[0]) / 16.0, abs=1e-9)


@given(STEPS)
def test_half_the_images_give_the_same_branch(steps):
    """What the limit of a quarter of the quantum is there for."""
    path = np.concatenate([np.zeros((1, 3)), steps, steps]).cumsum(axis=0) % 1.0
    every_second = np.diff(path[::2], axis=0)
    joined = (every_second - np.rint(every_second)).sum(axis=0)
    assert follow_branch(path, CUBE).change * 16.0 == pytest.approx(joined, abs=1e-9)


def test_prediction_bridges_large_steps():
    """A change of 1.2 quanta in two steps, which nominal charges predict within a fifth."""
    path = np.outer([0, 0.6, 1.2], [0, 0, 1])
    with pytest.raises(InputError, match='between images 0 and 1'):
        follow_branch(path % 1.0, CUBE)
    branch = follow_branch(path % 1.0, CUBE, predicted=0.8 * path)
    assert branch.phases == pytest.approx(path)
    assert branch.largest_step == pytest.approx(0.12)


def test_triclinic_cell_and_units():
    lattice = np.array([[4.0, 0, 0], [1.0, 3.5, 0], [0.5, -0.7, 5.0]])
    branch = follow_branch([[0, 0, 0], [0.1, 0.2, -0.1]], lattice)
    expected = (0.1 * lattice[0] + 0.2 * lattice[1] - 0.1 * lattice[2]) / 70.0
    assert branch.change == pytest.approx(expected)


def test_ambiguous_step_is_refused_with_its_images():
    phases = np.outer([0, 0.1, 0.2, 0.55, 0.6], [0, 1, 0])
    with pytest.raises(InputError, match=r'between images 2 and 3: .*lattice vector 2 changes by 0\.350 .*Insert 1 '):
        follow_branch(phases, CUBE)


def test_missing_image_is_named():
    with pytest.raises(InputError, match='image 1 of the path'):
        follow_branch([[0, 0, 0], [np.nan, 0, 0], [0, 0, 0.2]], CUBE)


@pytest.mark.parametrize('phases', [[0.1, 0.2, 0.3], [[0.1, 0.2, 0.3]], [[0.1, 0.2], [0.2, 0.3]]])
def test_shapes(phases):
    with pytest.raises(InputError, match='at least two images'):
        follow_branch(phases, CUBE)


def test_prediction_of_another_length():
    with pytest.raises(InputError, match='prediction for 2 images'):
        follow_branch(np.zeros((3, 3)), CUBE, predicted=np.zeros((2, 3)))


def test_point_charges_cross_the_cell_boundary():
    positions = np.array([[[0, 0, 0.98], [0, 0, 0.5]], [[0, 0, 0.01], [0, 0, 0.49]], [[0, 0, 0.03], [0, 0, 0.47]]])
    phases = point_charge_phases(positions, [2, -2])
    assert phases[:, 2] == pytest.approx([0, 0.08, 0.16])


@pytest.mark.parametrize(('change', 'quantum', 'images'), [(0.0, 1, 3), (0.3, 1, 3), (1.2, 1, 5), (1.2, 2, 3)])
def test_first_images_cannot_hide_a_jump(change, quantum, images):
    """What the prediction leaves, up to twice of it, shows as a large step or is on the right branch."""
    assert images_to_start([0, 0, change], quantum) == images
    for left in np.linspace(-2 * change, 2 * change, 41):
        path = np.outer(np.linspace(0, 1, images), [0, 0, change + left])
        predicted = np.outer(np.linspace(0, 1, images), [0, 0, change])
        if not steps_to_divide(path % quantum, quantum, predicted):
            assert follow_branch(path % quantum, CUBE, quantum, predicted).phases == pytest.approx(path, abs=1e-9)


def test_steps_to_divide():
    phases = np.outer([0, 0.1, 0.45, 0.5, 0.9], [0, 1, 0])
    assert steps_to_divide(phases) == (1, 3)
    assert steps_to_divide(phases, 2) == ()


@pytest.mark.parametrize(
    ('valences', 'spin_polarized', 'modulus'),
    [([10, 12, 6], False, 2), ([3, 5], False, 1), ([10, 12, 6], True, 1)],
)
def test_modulus(valences, spin_polarized, modulus):
    assert phase_modulus(valences, spin_polarized) == modulus
