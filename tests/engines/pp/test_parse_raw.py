"""Cube files of pp.x: sizes, sums, and what is refused."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from aiida_foundry.common.units import BOHR_TO_ANGSTROM, HARTREE_TO_EV
from aiida_foundry.engines.pp.parse_raw import parse_cube, parse_energies

FIXTURES = Path(__file__).parents[2] / 'fixtures' / 'pp'
LATTICE_CONSTANT = 5.43


def cube(path: str) -> str:
    return gzip.decompress((FIXTURES / f'{path}.gz').read_bytes()).decode()


def test_height_is_that_of_the_planes():
    """The planes of the first two primitive vectors of fcc are {111}: a/√3 apart."""
    assert parse_cube(cube('potential/aiida.fileout')).length == pytest.approx(LATTICE_CONSTANT / np.sqrt(3), abs=1e-5)


def test_local_density_of_states_sums_up_to_the_bands():
    """∫ LDOS dr = Σ w g(E − ε): the oracle are the eigenvalues of pw.x; five digits are written."""
    bands = json.loads((FIXTURES / 'bands.json').read_text())
    weights = np.array([point['weight'] for point in bands])
    energies = np.array([point['eigenvalues_hartree'] for point in bands]) * HARTREE_TO_EV
    volume = (LATTICE_CONSTANT / BOHR_TO_ANGSTROM) ** 3 / 4
    announced = parse_energies((FIXTURES / 'ldos/aiida.out').read_text())
    assert [energy for energy, _ in announced] == [5.0, 6.0, 7.0]
    for number, (energy, width) in enumerate(announced, start=1):
        profile = parse_cube(cube(f'ldos/aiida.filplot{number:03d}aiida.fileout'))
        states = profile.values.mean() * volume / (HARTREE_TO_EV / 2)
        gaussians = np.exp(-(((energy - energies) / width) ** 2)) / (width * np.sqrt(np.pi))
        assert states == pytest.approx(float(weights @ gaussians.sum(axis=1)), rel=1e-3)


def test_three_digit_exponents():
    text = cube('potential/aiida.fileout')
    header, _, body = text.partition('\n' + text.splitlines()[8])
    first = (text.splitlines()[8] + body).split()
    first[0] = '0.14812-100'
    assert parse_cube(header + '\n' + ' '.join(first) + '\n').values == pytest.approx(
        parse_cube(header + '\n' + ' '.join(['0.0', *first[1:]]) + '\n').values
    )


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda text: '\n'.join(text.splitlines()[:-3]), 'where the header announces 4096'),
        (lambda text: text[:100], 'within its header'),
        (lambda text: text[:-2], 'within a number'),
        (lambda text: text.rsplit(maxsplit=1)[0] + ' NaN\n', 'no numbers'),
        (lambda text: text.rsplit(maxsplit=1)[0] + ' ********\n', 'could not convert'),
    ],
)
def test_broken_files(change, message):
    with pytest.raises(ValueError, match=message):
        parse_cube(change(cube('potential/aiida.fileout')))
