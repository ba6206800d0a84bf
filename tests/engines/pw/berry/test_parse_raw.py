"""Phases in the XML file of real runs, against the standard output of the same runs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from aiida_foundry.engines.pw.berry.parse_raw import BerryPhaseMissingError, parse_berry_phase

FIXTURES = Path(__file__).parents[3] / 'fixtures' / 'pw'


def read(case: str, name: str = 'data-file-schema.xml') -> str:
    return (FIXTURES / case / name).read_text()


@pytest.mark.parametrize(('case', 'spins'), [('berry_lih', 1), ('berry_lih_spin', 2)])
def test_strings_are_those_of_the_standard_output(case, spins):
    found = parse_berry_phase(read(case))
    lines = re.findall(
        r'^ +(?:up|down)? +\d+ +(0\.\d{6})(?: +-?\d\.\d{4}){3} +(-?\d\.\d{5})$', read(case, 'aiida.out'), re.MULTILINE
    )
    printed = np.array(lines, dtype=float).reshape(spins, 9, 2)
    assert np.array(found['weights']) == pytest.approx(printed[..., 0], abs=1e-6)
    # without spin pw.x prints the phase of a pair
    assert (2 if spins == 1 else 1) * np.array(found['phases']) == pytest.approx(printed[..., 1], abs=6e-6)
    assert found['ionic_phase'] == pytest.approx(-0.44)
    assert np.sum(found['weights'], axis=1) == pytest.approx(np.ones(spins))


def test_spin_polarization_without_moment_changes_nothing():
    one, two = (parse_berry_phase(read(case)) for case in ('berry_lih', 'berry_lih_spin'))
    difference = np.array(two['phases']) - np.array(one['phases'])
    assert difference - np.rint(difference) == pytest.approx(np.zeros((2, 9)), abs=1e-5)


@pytest.mark.parametrize(
    'xml',
    [
        '<espresso',
        '<espresso><output/></espresso>',
        '<e><output><electric_field><BerryPhase/></electric_field></output></e>',
    ],
)
def test_missing(xml):
    with pytest.raises(BerryPhaseMissingError):
        parse_berry_phase(xml)


def test_spin_channels_of_different_length():
    xml = read('berry_lih_spin')
    last = xml.rindex('<electronicPolarization>')
    with pytest.raises(BerryPhaseMissingError, match=r'\[9, 8\] strings'):
        parse_berry_phase(xml[:last] + xml[xml.index('</electronicPolarization>', last) + 25 :])
