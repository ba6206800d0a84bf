"""Corrections carried between meshes: exact identities of crystals with little and with much symmetry."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk

from aiida_foundry.analysis.crystal import Cell
from aiida_foundry.analysis.quasiparticles import Quasiparticles, reciprocal_operations, scissor, transfer
from aiida_foundry.analysis.quasiparticles.symmetry import equivalent_points
from aiida_foundry.common.errors import InputError

OCCUPIED = 2
BANDS = 4


def cell_of(atoms) -> Cell:
    return Cell(atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)


CRYSTALS = {
    'diamond': cell_of(bulk('C', 'diamond', a=3.57)),
    'wurtzite': cell_of(bulk('ZnO', 'wurtzite', a=3.25, c=5.2)),
    'zincblende': cell_of(bulk('GaAs', 'zincblende', a=5.65)),
}


def full_mesh(divisions):
    axes = [np.arange(n) / n for n in divisions]
    return np.stack(np.meshgrid(*axes, indexing='ij'), axis=-1).reshape(-1, 3)


def symmetric_function(kpoints, operations, seed):
    """Return a function of k, (k,), with the full symmetry of the crystal: a sum of cosines over stars of vectors."""
    vectors = np.random.default_rng(seed).integers(-2, 3, (4, 3))
    phases = np.einsum('kj,nji,vi->knv', np.asarray(kpoints), operations, vectors)
    return np.cos(2 * np.pi * phases).mean(axis=1) @ np.arange(1, 5)


def bands_of(kpoints, operations):
    """Return Kohn-Sham energies and corrections (k, band) of a made-up crystal: both depend on k and band."""
    energies = [4.0 * band + 0.3 * symmetric_function(kpoints, operations, band) for band in range(BANDS)]
    shifts = [0.1 * (band - 1.5) + 0.05 * symmetric_function(kpoints, operations, 10 + band) for band in range(BANDS)]
    return np.transpose(energies), np.transpose(shifts)


@pytest.fixture(params=CRYSTALS)
def crystal(request):
    operations = reciprocal_operations(CRYSTALS[request.param])
    points = full_mesh((3, 3, 2))
    return points, operations, *bands_of(points, operations)


def source_of(crystal):
    points, _, energies, shifts = crystal
    return Quasiparticles.from_arrays(points, energies[np.newaxis] - 7.0, energies[np.newaxis] - 7.0 + shifts)


def test_number_of_operations():
    """Point groups with time reversal: m-3m has 48 operations, 6mm with inversion 24."""
    assert {name: len(reciprocal_operations(cell)) for name, cell in CRYSTALS.items()} == {
        'diamond': 48,
        'wurtzite': 24,
        'zincblende': 48,
    }


def test_any_member_of_a_star_gets_the_same_correction(crystal):
    """The target names other members of the stars, outside the first cell: only symmetry can find them."""
    points, operations, energies, shifts = crystal
    rng = np.random.default_rng(3)
    chosen = rng.choice(len(operations), len(points))
    targets = np.einsum('ki,kij->kj', points, operations[chosen]) + rng.integers(-1, 2, points.shape)
    moved = transfer(source_of(crystal), targets, energies, operations, occupied=OCCUPIED)
    assert moved.corrections == pytest.approx(shifts, abs=1e-12)
    assert moved.report['alignment'] == pytest.approx(-7.0)
    assert moved.report['covered'] == moved.report['states'] == energies.size


def test_window_of_bands(crystal):
    points, operations, energies, shifts = crystal
    moved = transfer(source_of(crystal), points, energies[:, 1:3], operations, occupied=OCCUPIED, first_band=2)
    assert moved.corrections == pytest.approx(shifts[:, 1:3], abs=1e-12)


def test_irreducible_source(crystal):
    points, operations, energies, shifts = crystal
    first = sorted({int(equivalent_points(point, points, operations)[0]) for point in points})
    source = Quasiparticles(points[first], energies[first], shifts[first])
    assert len(first) < len(points)
    moved = transfer(source, points, energies, operations, occupied=OCCUPIED)
    assert moved.corrections == pytest.approx(shifts, abs=1e-12)


def test_scissor_is_rigid(crystal):
    points, operations, energies, _ = crystal
    moved = transfer(scissor(points, energies, OCCUPIED, 0.8), points, energies, operations, occupied=OCCUPIED)
    assert moved.corrections == pytest.approx(np.tile([0, 0, 0.8, 0.8], (len(points), 1)), abs=1e-12)


def test_permuted_kpoints_are_noticed(crystal):
    points, operations, energies, shifts = crystal
    wrong = Quasiparticles(np.roll(points, 5, axis=0), energies, shifts)
    with pytest.raises(InputError, match=r'differ by|are not those'):
        transfer(wrong, points, energies, operations, occupied=OCCUPIED)


def test_corrections_that_break_the_symmetry_are_refused(crystal):
    points, operations, energies, shifts = crystal
    broken = shifts.copy()
    index = next(i for i, p in enumerate(points) if len(equivalent_points(p, points, operations)) > 1)
    broken[index, 2] += 0.01
    with pytest.raises(InputError, match=r'their corrections differ by 0\.0100 eV'):
        transfer(Quasiparticles(points, energies, broken), points, energies, operations, occupied=OCCUPIED)


def test_missing_kpoint(crystal):
    points, operations, energies, _ = crystal
    with pytest.raises(InputError, match='no k-point of theirs is equivalent to'):
        transfer(source_of(crystal), points + np.array([0.01, 0, 0]), energies, operations, occupied=OCCUPIED)


def disentangled(crystal):
    """Return quasiparticles whose highest band is not that of the crystal at some k-points, as of Wannier functions."""
    points, _, energies, shifts = crystal
    known, wrong = energies.copy(), np.zeros_like(energies)
    values = symmetric_function(points, crystal[1], 7)
    wrong[:, 3] = np.where(values > values.mean() + 1e-9, 1.6, 0.0)
    return Quasiparticles(points, known + wrong, shifts), wrong[:, 3] > 0


def test_disentangled_states_are_excluded_and_refused(crystal):
    points, operations, energies, _ = crystal
    source, wrong = disentangled(crystal)
    assert 0 < wrong.sum() < len(points)
    with pytest.raises(InputError, match=f'{wrong.sum()} of {energies.size} states .* have no correction'):
        transfer(source, points, energies, operations, occupied=OCCUPIED)


def test_disentangled_states_are_extrapolated_on_request(crystal):
    points, operations, energies, shifts = crystal
    source, wrong = disentangled(crystal)
    moved = transfer(source, points, energies, operations, occupied=OCCUPIED, extrapolation='linear')
    record = moved.report['extrapolated']['conduction']
    covered = np.concatenate([shifts[:, 2], shifts[~wrong, 3]])
    fit = np.polyfit(np.concatenate([energies[:, 2], energies[~wrong, 3]]), covered, 1)
    assert moved.corrections[wrong, 3] == pytest.approx(np.polyval(fit, energies[wrong, 3]))
    assert moved.corrections[~wrong, 3] == pytest.approx(shifts[~wrong, 3])
    assert record['extrapolated'] == wrong.sum() == moved.report['excluded']
    assert 'valence' not in moved.report['extrapolated']
    assert record['rms'] > 0


def test_multiplets_are_not_split():
    """Degenerate states get one correction, and none if a member has none."""
    energies = np.array([[0.0, 1.0, 1.0001, 5.0, 5.0001]])
    shifts = np.array([[-0.1, -0.2, -0.2002, 0.3, np.nan]])
    source = Quasiparticles(np.zeros((1, 3)), energies, shifts)
    operations = np.eye(3, dtype=int)[np.newaxis]
    with pytest.raises(InputError, match='0 corrected conduction states'):
        transfer(source, [[0, 0, 0]], energies, operations, occupied=3, extrapolation='scissor')
    whole = Quasiparticles(np.zeros((1, 3)), energies, np.nan_to_num(shifts, nan=0.302))
    moved = transfer(whole, [[0, 0, 0]], energies, operations, occupied=3)
    assert moved.corrections[0] == pytest.approx([-0.1, -0.2001, -0.2001, 0.301, 0.301])
    assert moved.report['multiplet_spread'] == pytest.approx(0.002)


@pytest.mark.parametrize(
    ('shapes', 'message'),
    [
        (((2, 3), (2, 2, 4), (2, 2, 4)), 'spin-polarised'),
        (((2, 3), (1, 3, 4), (1, 3, 4)), 'do not belong together'),
        (((2, 3), (1, 2, 4), (1, 2, 5)), 'do not belong together'),
    ],
)
def test_arrays_that_do_not_fit(shapes, message):
    with pytest.raises(InputError, match=message):
        Quasiparticles.from_arrays(*(np.zeros(shape) for shape in shapes))


def test_arrays_without_energies():
    with pytest.raises(InputError, match='they hold no energy'):
        Quasiparticles.from_arrays(np.zeros((1, 3)), np.zeros((1, 1, 2)), np.full((1, 1, 2), np.nan))


def test_unknown_extrapolation(crystal):
    points, operations, energies, _ = crystal
    with pytest.raises(InputError, match='extrapolation `spline`: it is unknown'):
        transfer(source_of(crystal), points, energies, operations, occupied=OCCUPIED, extrapolation='spline')
