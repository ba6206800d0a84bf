"""A screening that is killed goes on where it was, and ends with the same tables."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import signal
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pymatgen.core import Lattice, Structure

from aiida_foundry.common.errors import InputError
from aiida_foundry.structures.collections import Entry, write_archive
from aiida_foundry.workflows.interfaces import tiles
from aiida_foundry.workflows.interfaces.tiles import Screening, read_rows

PEROVSKITE = [[0, 0, 0], [1 / 2, 1 / 2, 1 / 2], [1 / 2, 1 / 2, 0], [1 / 2, 0, 1 / 2], [0, 1 / 2, 1 / 2]]
CATIONS = [('Sr', 'Ti', 3.905), ('La', 'Al', 3.79), ('K', 'Ta', 3.989), ('Ba', 'Ti', 4.0), ('Ca', 'Ti', 3.83)]
CATIONS += [('La', 'Ga', 3.874), ('Na', 'Nb', 3.94), ('Ba', 'Zr', 4.19), ('Sr', 'Hf', 4.10), ('La', 'Sc', 4.05)]


def archive() -> str:
    entries = [
        Entry(f'{a}{b}O3', Structure(Lattice.cubic(length), [a, b, 'O', 'O', 'O'], PEROVSKITE))
        for a, b, length in CATIONS
    ]
    return write_archive([*entries, Entry('bad', None, 'it is broken')])


LIMITS = {'max_area': 60.0, 'max_strain': 0.03, 'best': 6}


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob('*.parquet')}


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr(tiles, 'CHUNK', 2)
    monkeypatch.setattr(tiles.screen, 'BLOCK', 2)


def work(folder: Path, out: Path) -> None:
    with Screening(archive(), LIMITS, {}, folder) as screening:
        while not screening.advance(0):
            pass
        screening.write_tables(out)


def test_killed_at_any_moment(tmp_path, small_pieces):
    """SIGKILL twelve times at seeded random moments; then a run gets through."""
    undisturbed, disturbed = tmp_path / 'undisturbed', tmp_path / 'disturbed'
    for out in (undisturbed, disturbed):
        out.mkdir()
    start = time.monotonic()
    work(tmp_path / 'a', undisturbed)
    duration = time.monotonic() - start
    # forked, so that it begins to work at once
    context = multiprocessing.get_context('fork')
    killed = 0
    for moment in np.random.default_rng(4).uniform(0, duration, 12):
        before = set(digests(tmp_path / 'b').items())
        run = context.Process(target=work, args=(tmp_path / 'b', disturbed))
        run.start()
        run.join(moment / 3)
        run.kill()
        run.join()
        killed += run.exitcode == -signal.SIGKILL
        assert before <= set(digests(tmp_path / 'b').items())
    assert killed > 3
    work(tmp_path / 'b', disturbed)
    assert digests(disturbed) == digests(undisturbed)


def test_progress_and_slices(tmp_path, small_pieces):
    with Screening(archive(), LIMITS, {}, tmp_path) as screening:
        assert screening.progress == ('crystals', 0, 11)
        states = [screening.progress]
        while not screening.advance(0):
            states.append(screening.progress)
        assert screening.progress == ('blocks of pairs', 15, 15)
    assert [done for what, done, _ in states if what == 'crystals'] == [0, 2, 4, 6, 8, 10]
    assert [done for what, done, _ in states if what != 'crystals'] == list(range(15))


def test_result_does_not_depend_on_the_pieces(tmp_path, monkeypatch):
    found = []
    for chunk, block in ((2, 2), (3, 4), (25, 100)):
        monkeypatch.setattr(tiles, 'CHUNK', chunk)
        monkeypatch.setattr(tiles.screen, 'BLOCK', block)
        out = tmp_path / f'out-{chunk}'
        out.mkdir()
        with Screening(archive(), LIMITS, {}, tmp_path / f'work-{chunk}') as screening:
            summary = screening.write_tables(out)
        pairs = pd.read_parquet(out / 'pairs.parquet').astype({'film': str, 'substrate': str})
        keys = ['film', 'substrate', 'film_miller', 'substrate_miller', 'film_multiple', 'substrate_multiple']
        found.append((summary, pairs.sort_values(keys, ignore_index=True)))
    for summary, pairs in found[1:]:
        pd.testing.assert_frame_equal(pairs, found[0][1], check_categorical=False)
        assert {**summary, 'best': None} == {**found[0][0], 'best': None}
        strip = [[{**one, 'row': None} for one in each['best']] for each in (summary, found[0][0])]
        assert strip[0] == strip[1]


def test_tables_and_summary(tmp_path):
    out = tmp_path / 'out'
    out.mkdir()
    known = {'SrTiO3': {'gap': 3.2, 'dielectric_constant': 300.0}, 'LaAlO3': {'gap': 5.6, 'dielectric_constant': 24.0}}
    with Screening(archive(), LIMITS, known, tmp_path / 'work') as screening:
        summary = screening.write_tables(out)
    crystals = pd.read_parquet(out / 'crystals.parquet').set_index('name')
    assert crystals.loc['LaAlO3', 'sureness'] == 'known'
    assert crystals.loc['LaAlO3', 'member'] == '(1/2, 1/2, 1/2)'
    assert sorted(crystals.loc['LaAlO3', 'fractions']) == [0.0, 0.5, 0.5]
    assert (crystals.loc['bad', 'takes_part'], crystals.loc['bad', 'reason']) == (False, 'it is broken')
    assert summary['left_out'] == {'unreadable': 1}
    assert (summary['crystals'], summary['crystals_taking_part'], summary['pairs_of_crystals']) == (11, 10, 45)
    assert summary['matches'] > summary['candidates'] > 0
    pairs = pd.read_parquet(out / 'pairs.parquet')
    both = pairs[(pairs.film == 'SrTiO3') & (pairs.substrate == 'LaAlO3') & (pairs.film_miller == '1 0 0')]
    row = both[both.film_multiple == 1].iloc[0]
    assert (row.charge_e, row.charge_quantum_e, row.orientation) == (0.5, 1, 0)
    assert row.critical_thickness_A == pytest.approx(324 * 3.2 / (180.95 * row.charge_density_e_A2), rel=1e-3)
    # the charged perovskites are those of the valences 1-5 and 3-3, and only between them and the others is a charge
    charged = {'LaAlO3', 'KTaO3', 'LaGaO3', 'NaNbO3', 'LaScO3'}
    smallest = pairs[(pairs.film_multiple == 1) & (pairs.film_miller == '1 0 0') & (pairs.substrate_miller == '1 0 0')]
    assert len(smallest) > 5
    assert all((row.film in charged) != (row.substrate in charged) for row in smallest.itertuples())
    assert [one['rank'] for one in summary['best']] == [1, 2, 3, 4, 5, 6]
    again = read_rows(out / 'pairs.parquet', [one['row'] for one in summary['best']])
    assert [(one['film'], one['charge_e']) for one in again] == [
        (one['film'], one['charge_e']) for one in summary['best']
    ]
    json.dumps(summary, allow_nan=False)


def test_rows_across_row_groups(tmp_path, small_pieces):
    out = tmp_path / 'out'
    out.mkdir()
    with Screening(archive(), LIMITS, {}, tmp_path / 'work') as screening:
        screening.write_tables(out)
    pairs = pd.read_parquet(out / 'pairs.parquet')
    rows = np.random.default_rng(0).permutation(len(pairs))[:12]
    found = read_rows(out / 'pairs.parquet', rows)
    assert [one['area_A2'] for one in found] == pairs.area_A2.iloc[rows].tolist()


def test_folder_is_locked_and_belongs_to_one_screening(tmp_path):
    with Screening(archive(), LIMITS, {}, tmp_path), pytest.raises(InputError, match='another process'):
        Screening(archive(), LIMITS, {}, tmp_path).__enter__()
    with pytest.raises(InputError, match='another screening'):
        Screening(archive(), {**LIMITS, 'max_area': 50.0}, {}, tmp_path).__enter__()
    with Screening(archive(), {**LIMITS, 'best': 1}, {}, tmp_path) as screening:
        assert screening.parameters.best == 1


def test_properties_of_a_crystal_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match='SrTIO3'):
        Screening(archive(), LIMITS, {'SrTIO3': {'gap': 3.2}}, tmp_path)


def test_nobody_takes_part(tmp_path):
    entries = [Entry('bad', None, 'it is broken'), Entry('Al', Structure(Lattice.cubic(4.05), ['Al'], [[0, 0, 0]]))]
    out = tmp_path / 'out'
    out.mkdir()
    with Screening(write_archive(entries), LIMITS, {}, tmp_path / 'work') as screening:
        summary = screening.write_tables(out)
    assert (summary['crystals_taking_part'], summary['matches'], summary['best']) == (0, 0, [])
    assert len(pd.read_parquet(out / 'pairs.parquet')) == 0
