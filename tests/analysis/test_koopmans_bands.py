"""Corrections of Wannier bands on Kohn-Sham bands."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_foundry.analysis.koopmans_bands import (
    assign_corrections,
    complete_lowest_empty_band,
    group_equivalent,
    match_points,
)

SHIFTS = np.array([-0.8, -0.8, 0.2])
KOHN_SHAM = np.array([[-5.0, 6.0, 9.0, 14.0], [-3.0, 5.0, 8.0, 9.5]])


def test_corrections_are_differences():
    """A Wannier band that is off by less than the tolerance still gives its own correction, not its own energy."""
    wannier = KOHN_SHAM[:, :3] + np.array([[0, 0, 0.02], [0, 0, 0]])
    corrected = assign_corrections(KOHN_SHAM, wannier, wannier + SHIFTS, 0.05)
    assert corrected[:, :3] == pytest.approx(KOHN_SHAM[:, :3] + SHIFTS)
    assert np.isnan(corrected[:, 3]).all()


def test_bands_that_the_functions_do_not_follow_are_left_out():
    """Silicon at L: the fourth band of the functions is 2.5 eV above that of pw.x."""
    wannier = KOHN_SHAM + np.array([[0, 0, 0, 0], [0, 0, 0, 2.5]])
    corrected = assign_corrections(KOHN_SHAM, wannier, wannier + 0.2, 0.05)
    assert np.isnan(corrected).sum() == 1
    assert np.isnan(corrected[1, 3])


def test_shapes():
    with pytest.raises(ValueError, match='do not fit together'):
        assign_corrections(KOHN_SHAM[:, :2], KOHN_SHAM, KOHN_SHAM, 0.05)


def test_points_match_up_to_reciprocal_lattice_vectors():
    given = np.array([[0, 0, 0], [0.5, 0, 0], [1 / 3, 0, 0]])
    wanted = np.array([[-2 / 3, 1, 0], [0, 0, -1], [-0.5, 0, 0]])
    assert match_points(wanted, given).tolist() == [2, 0, 1]
    with pytest.raises(ValueError, match=r'\[0.25, 0.0, 0.0\] is not among the 3'):
        match_points([[0.25, 0, 0]], given)


def test_groups_do_not_cross_manifolds():
    """AlN: bonds along the axis and others; an empty function of the same spread is not equivalent."""
    occupied = [0.85, 0.9, 0.85, 0.9004, 0.8503]
    assert group_equivalent([occupied, [0.85, 2.0]], 1e-3) == [1, 2, 1, 2, 1, 6, 7]


def edges(missed, lowest=(3.0, 5.0, 9.0)):
    """Return bands of three points, a filled one and two empty ones, and the same with corrections."""
    before = np.array([[0.0, 3.0, 6.0], [-1.0, 5.0, 7.0], [-2.0, 9.0, 9.5]])
    before[:, 1] = lowest
    after = before + np.array([-0.5, 1.0, 1.0])
    after[0, 2] += 0.1
    after[missed, 1:] = np.nan
    return before, after


def test_states_far_above_the_edges_may_be_missed():
    before, after = edges(2)
    completed = complete_lowest_empty_band(before, after, 1)
    assert completed[2, 1] == pytest.approx(9.0 + np.mean([1.0, 1.1, 1.0, 1.0]))
    assert np.isnan(completed[2, 2])
    assert (completed[:2] == after[:2]).all()


@pytest.mark.parametrize(
    ('missed', 'lowest', 'message'),
    [(0, (3.0, 5.0, 9.0), 'conduction minimum'), (2, (3.0, 5.0, 3.05), 'minimum'), (0, (5.05, 5.0, 9.0), 'direct gap')],
)
def test_a_missed_edge_is_refused(missed, lowest, message):
    with pytest.raises(ValueError, match=message):
        complete_lowest_empty_band(*edges(missed, lowest), 1)


def test_a_band_without_any_correction_stays_so():
    before, after = edges([0, 1, 2])
    assert np.isnan(complete_lowest_empty_band(before, after, 1)[:, 1:]).all()
