"""Gaps of bands whose edges are known exactly."""

import numpy as np
import pytest

from aiida_foundry.analysis.gaps import MetallicBandsError, compare_gaps, extrema_on_mesh, find_gap

KPOINTS = [[0, 0, 0], [0.25, 0, 0], [0.5, 0, 0]]
# two occupied and two empty bands; the indirect gap runs from Γ to X, the direct gap lies at (1/4, 0, 0)
ENERGIES = np.array([[-5.0, 0.0, 3.0, 4.0], [-5.2, -0.3, 2.0, 4.2], [-5.5, -1.0, 1.5, 5.0]])


def test_indirect_gap():
    gap = find_gap(ENERGIES, KPOINTS, 4)
    assert gap.indirect == pytest.approx(1.5)
    assert gap.direct == pytest.approx(2.3)
    assert gap.direct_kpoint == (0.25, 0, 0)
    assert (gap.valence_maximum.band, gap.valence_maximum.kpoint) == (2, (0, 0, 0))
    assert (gap.conduction_minimum.band, gap.conduction_minimum.kpoint) == (3, (0.5, 0, 0))


def test_window_of_bands_gives_the_same_gap():
    assert find_gap(ENERGIES[:, 1:], KPOINTS, 4, first_band=2) == find_gap(ENERGIES, KPOINTS, 4)


def test_reordered_bands_give_the_same_gap():
    """Quasiparticle corrections may exchange states within the occupied or within the empty bands."""
    gap = find_gap(ENERGIES[:, [1, 0, 3, 2]], KPOINTS, 4)
    assert gap.indirect == pytest.approx(1.5)
    assert gap.valence_maximum.band == 1


def test_metal_is_refused():
    overlapping = ENERGIES.copy()
    overlapping[2, 2] = -0.1
    with pytest.raises(MetallicBandsError, match=r'gap is -0.100 eV'):
        find_gap(overlapping, KPOINTS, 4)


@pytest.mark.parametrize(
    ('energies', 'electrons', 'first_band', 'message'),
    [
        (ENERGIES, 3, 1, 'cannot fill bands in pairs'),
        (ENERGIES, 8, 1, 'do not hold both band edges'),
        (ENERGIES, 4, 3, 'do not hold both band edges'),
        (ENERGIES[:2], 4, 1, 'do not fit 3 k-points'),
        (np.where(ENERGIES > 4, np.nan, ENERGIES), 4, 1, 'not finite'),
        (np.stack([ENERGIES, ENERGIES]), 4, 1, 'spin'),
    ],
)
def test_refused_input(energies, electrons, first_band, message):
    with pytest.raises(ValueError, match=message):
        find_gap(energies, KPOINTS, electrons, first_band=first_band)


def test_extrema_on_mesh():
    full = find_gap(ENERGIES, KPOINTS, 4)
    without_x = find_gap(ENERGIES[:2], KPOINTS[:2], 4)
    assert extrema_on_mesh(full, full)
    assert not extrema_on_mesh(without_x, full)
    assert extrema_on_mesh(without_x, full, tolerance=0.5)


def test_as_dict_is_plain():
    record = find_gap(ENERGIES, KPOINTS, 4).as_dict()
    assert record['valence_maximum'] == {'energy': 0.0, 'kpoint': [0.0, 0.0, 0.0], 'band': 2, 'spin': 1}


def test_compare_gaps_uses_the_bands_with_a_correction():
    quasiparticle = ENERGIES + np.where(np.arange(4) > 1, 0.7, -0.1)
    quasiparticle[:, 0] = np.nan
    record = compare_gaps(ENERGIES[None], quasiparticle[None], KPOINTS, 4, path=(ENERGIES, KPOINTS))
    assert record['bands'] == [2, 4]
    assert record['kohn_sham']['indirect'] == pytest.approx(1.5)
    assert record['quasiparticle']['indirect'] == pytest.approx(1.5 + 0.8)
    assert record['extremum_on_mesh'] is True


def test_compare_gaps_sees_an_edge_between_the_mesh_points():
    record = compare_gaps(ENERGIES[None, :2], ENERGIES[None, :2], KPOINTS[:2], 4, path=(ENERGIES, KPOINTS))
    assert record['extremum_on_mesh'] is False


def test_compare_gaps_refuses_scattered_corrections():
    quasiparticle = ENERGIES.copy()
    quasiparticle[0, 1] = np.nan
    with pytest.raises(ValueError, match='no contiguous range'):
        compare_gaps(ENERGIES[None], quasiparticle[None], KPOINTS, 4, path=(ENERGIES, KPOINTS))
