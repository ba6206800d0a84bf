"""Recorded runs of kcw.x 7.5: numbers are those that the files print."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from aiida_foundry.engines.kcw.parse_raw.ham import parse_ham, star_spread
from aiida_foundry.engines.kcw.parse_raw.run import parse_run, to_reduced
from aiida_foundry.engines.kcw.parse_raw.screen import parse_screen

FIXTURES = Path(__file__).parents[3] / 'fixtures' / 'kcw'


@pytest.fixture
def read():
    return lambda case: gzip.decompress((FIXTURES / f'{case}.out.gz').read_bytes()).decode()


def test_run(read):
    run = parse_run(read('screen_si'))
    assert (run.version, run.completed, run.errors) == ('7.5', True, ())
    assert run.settings['num_wann_occ'] == '4'
    assert float(run.settings['tr2']) == 1e-18
    assert (run.cpu_time, run.wall_time) == pytest.approx((76.35, 198.93))
    assert run.reduced.shape == run.cartesian.shape == (8, 3)


def test_errors():
    text = ' %%%%%%%%%\n     Error in routine kcw_readin (1):\n      KC corrections only for insulators!\n %%%%%%%%%\n'
    assert parse_run(text).errors == ('KC corrections only for insulators! (kcw_readin)',)


@pytest.mark.parametrize(('case', 'divisions'), [('ham_si222', 2), ('ham_si444', 4)])
def test_reduced_coordinates(read, case, divisions):
    """All points of the mesh, in units of 2π/alat in the file, are multiples of one over the divisions."""
    run, result = parse_run(read(case)), parse_ham(read(case))
    points = divisions * to_reduced(run, result.kpoints)
    assert points == pytest.approx(np.rint(points), abs=1e-6)
    assert len(np.unique(np.rint(points) % divisions, axis=0)) == divisions**3


def test_point_of_another_mesh(read):
    flat = parse_run('\n'.join(line for line in read('ham_si').splitlines() if 'iq =' not in line))
    plane = type(flat)(**{**vars(flat), 'cartesian': flat.cartesian[:1], 'reduced': flat.reduced[:1]})
    with pytest.raises(ValueError, match='does not belong to the mesh'):
        to_reduced(plane, np.array([[0.5, 0.5, 0.5]]))
    with pytest.raises(ValueError, match='not listed'):
        to_reduced(parse_run(''), np.zeros((1, 3)))


def test_screening(read):
    screening = parse_screen(read('screen_si'))
    assert screening.alpha[[0, 7]] == pytest.approx([0.30564478, 0.23808883])
    assert screening.integrals.shape == (64, 3)
    # iq = 1, iwann = 1
    assert screening.integrals[0] == pytest.approx([0.00413913, 0.01275977, 0.01448077])
    assert screening.largest_imaginary < 1e-7


@pytest.mark.parametrize('case', ['screen_si', 'screen_si222', 'screen_nonconv_alpha2'])
def test_parameters_are_ratios_of_the_sums(read, case):
    """α = Σ rPi / Σ uPi and the self-Hartree energy Σ SH over the q-points, which kcw.x sums itself; 8 decimals."""
    screening = parse_screen(read(case))
    for index in np.flatnonzero(screening.computed):
        rows = screening.integrals[screening.points[:, 1] == screening.orbitals[index]].sum(axis=0)
        assert rows[0] / rows[1] == pytest.approx(screening.alpha[index], abs=1e-5)
        assert rows[2] == pytest.approx(screening.self_hartree[index], abs=1e-7)


def test_equivalent_orbitals(read):
    screening = parse_screen(read('screen_si222'))
    assert screening.computed.tolist() == [True, False, False, False] * 2
    assert len(screening.integrals) == 10


def test_residuals(read):
    assert parse_screen(read('screen_si222')).residuals.max() < 1e-14
    assert parse_screen(read('screen_nonconv_alpha2')).residuals.max() > 1e-6


@pytest.mark.parametrize(('orbital', 'rest'), [(1, (0.00250845, 0.01139694)), (5, (-0.01065332, -0.00835043))])
def test_head_of_the_interaction(read, orbital, rest):
    """At Γ the integrals are those without q + G = 0, which kcw.x prints too, and its contribution."""
    screening = parse_screen(read(f'screen_si_head_{orbital}'))
    assert screening.head == pytest.approx((0.03722977, 0.44675724), abs=5e-9)
    assert screening.integrals[0, :2] - screening.head == pytest.approx(rest, abs=2e-8)
    assert screening.orbitals.tolist() == [orbital]
    assert parse_screen(read('screen_si')).head is None


def test_energies(read):
    result = parse_ham(read('ham_si'))
    assert result.kohn_sham.shape == result.koopmans.shape == (8, 8)
    assert result.koopmans[3] == pytest.approx([-2.4045, -2.4045, 2.5322, 2.5322, 6.9754, 6.9754, 16.4566, 16.4566])
    assert result.edges == {'KS': (6.3432, 6.7657), 'KI[2nd]': (5.4709, 6.9754)}
    # what the file calls the edges are those of its own table
    assert result.koopmans[:, 3].max() == result.edges['KI[2nd]'][0]
    assert result.koopmans[:, 4].min() == result.edges['KI[2nd]'][1]


def test_interpolation_passes_through_the_mesh(read):
    result = parse_ham(read('ham_si'))
    assert result.path.shape == (62, 3)
    at_gamma = np.flatnonzero(np.abs(result.path).max(axis=1) == 0)
    assert result.interpolated[at_gamma] == pytest.approx(np.repeat(result.koopmans[:1], 2, axis=0), abs=2e-4)


def test_lines_that_wrap():
    """kcw.x writes eight energies to a line."""
    rows = '   '.join(f'{number:.4f}' for number in range(8)), '   8.0000   9.0000'
    block = f'          KS   {rows[0]}\n          {rows[1]}\n          KI   {rows[0]}\n          {rows[1]}\n\n'
    text = f'          k =-0.5000 0.5000-0.5000     band energies (ev):\n\n{block}     KS       highest'
    result = parse_ham(text)
    assert result.kpoints.tolist() == [[-0.5, 0.5, -0.5]]
    assert result.koopmans.tolist() == [[float(number) for number in range(10)]]


def test_stars(read):
    assert star_spread(parse_ham(read('ham_si444'))) < 1e-3
    assert star_spread(parse_ham(read('ham_lif_badwannier'))) == pytest.approx(4.992, abs=1e-3)
    unchecked = read('ham_si222').replace('PWSCF', 'OTHER')
    with pytest.raises(ValueError, match='not there'):
        star_spread(parse_ham(unchecked))


def test_different_numbers_of_energies(read):
    with pytest.raises(ValueError, match='different numbers'):
        parse_ham(read('ham_si222').replace('9.4921', '', 2))
