"""Matrix files and bands, read and written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aiida_foundry.engines.wannier90.merge import block_diagonal, merge_centres, merge_outputs, merge_parameters
from aiida_foundry.engines.wannier90.parse_raw.bands import parse_bands
from aiida_foundry.engines.wannier90.parse_raw.matrices import (
    UnreadableMatrixError,
    parse_eigenvalues,
    parse_gauge,
    render_gauge,
)
from aiida_foundry.engines.wannier90.parse_raw.wout import parse_wout

FIXTURES = Path(__file__).parents[3] / 'fixtures' / 'wannier90'


@pytest.mark.parametrize('name', ['si_empty/aiida_u_dis.mat', 'aln_valence/aiida_u.mat'])
def test_written_as_read(name):
    text = (FIXTURES / name).read_text()
    written = render_gauge(parse_gauge(text), text.split('\n')[0])
    first, second = ([float(word) for word in content.split('\n', 1)[1].split()] for content in (written, text))
    assert first == second
    assert len(written.splitlines()) == len(text.splitlines())


def test_bands_run_fastest():
    """The first column of the first block: `   0.1 +0.2` is band 1, the next line band 2 of function 1."""
    lines = (FIXTURES / 'si_empty/aiida_u_dis.mat').read_text().splitlines()
    matrices = parse_gauge('\n'.join(lines)).matrices
    second = complex(*(float(word) for word in lines[5].split()))
    assert matrices[0, 1, 0] == second


def test_interpolation_passes_through_the_mesh():
    """Wannier90 interpolates isolated bands exactly at the points of the mesh; files have six decimals."""
    folder = FIXTURES / 'si_bands'
    points, energies = parse_bands((folder / 'aiida_band.dat').read_text(), (folder / 'aiida_band.kpt').read_text())
    mesh = parse_eigenvalues((folder / 'aiida.eig').read_text())
    assert (points.shape, energies.shape, mesh.shape) == ((8, 3), (8, 4), (8, 4))
    assert np.sort(energies[0]) == pytest.approx(mesh[0], abs=1e-5)
    at_x = np.flatnonzero(np.abs(points - [0.5, 0, 0.5]).max(axis=1) < 1e-6)[0]
    assert np.sort(energies[at_x]) == pytest.approx(mesh[5], abs=1e-5)


def test_truncated_files():
    folder = FIXTURES / 'si_bands'
    with pytest.raises(UnreadableMatrixError):
        parse_eigenvalues((folder / 'aiida.eig').read_text()[:-40])
    with pytest.raises(UnreadableMatrixError):
        parse_bands((folder / 'aiida_band.dat').read_text()[:300], (folder / 'aiida_band.kpt').read_text())
    with pytest.raises(UnreadableMatrixError):
        parse_gauge('no matrix')


def test_blocks_are_merged():
    gauge = parse_gauge((FIXTURES / 'si_occupied/aiida_u.mat').read_text())
    merged = block_diagonal([gauge, gauge])
    assert merged.matrices.shape == (8, 8, 8)
    assert (merged.matrices[:, :4, :4] == gauge.matrices).all()
    assert (merged.matrices[:, :4, 4:] == 0).all()
    other = parse_gauge((FIXTURES / 'aln_valence/aiida_u.mat').read_text())
    with pytest.raises(ValueError, match='different meshes'):
        block_diagonal([gauge, other])


def test_centres_and_final_states_are_merged():
    texts = [(FIXTURES / 'si_occupied' / name).read_text() for name in ('aiida_centres.xyz', 'aiida.wout')]
    lines = merge_centres([texts[0]] * 2).splitlines()
    assert lines[0].split() == ['10']
    assert [line.split()[0] for line in lines[2:]] == ['X'] * 8 + ['Si'] * 2
    alone, merged = parse_wout(texts[1]), parse_wout(merge_outputs([texts[1]] * 2))
    assert merged.spreads.tolist() == alone.spreads.tolist() * 2
    assert merged.centres.tolist() == alone.centres.tolist() * 2


def test_records_are_merged():
    block = {
        'bands': [1, 2], 'number_of_functions': 2, 'centres': [[0, 0, 0], [1, 0, 0]], 'spreads': [1.0, 2.0],
        'eta_mev': 0.1, 'eta_limit_ev': 3.0, 'spread_difference': 0.0, 'functions_without_image': [2], 'warnings': [],
    }  # fmt: skip
    merged = merge_parameters([block, {**block, 'bands': [3, 4], 'eta_mev': 0.3}])
    assert merged['bands'] == [1, 4]
    assert merged['blocks'] == [[1, 2], [3, 4]]
    assert merged['functions_without_image'] == [2, 4]
    assert merged['eta_mev'] == 0.3
    assert merged['spreads'] == [1.0, 2.0, 1.0, 2.0]
