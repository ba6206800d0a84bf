"""Formal polarization of the real crystals that pymatgen and Debian bundle: no crash, every refusal has a reason."""

from __future__ import annotations

import gzip
import json
import re
import warnings
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import spglib
from pymatgen.analysis import prototypes
from pymatgen.core import Structure

from aiida_foundry.analysis.polarization import survey

AFLOW = Path(prototypes.__file__).parent / 'aflow_prototypes.json.gz'
AVOGADRO = Path('/usr/share/avogadro2/crystals')
REASONS = {
    'no neutral combination of oxidation states is known': 'no oxidation states',
    'it is disordered': 'disordered',
    'which points to overlapping atoms': 'overlapping atoms',
    'whole electrons': 'fractional states',
    'they add up to': 'not neutral',
    'mixed valence': 'mixed valence',
    'none of those': 'contradiction',
}
III_V = re.compile(r'(?:B|Al|Ga|In)(?:N|P|As|Sb)')


def aflow_structures() -> list[Structure]:
    with gzip.open(AFLOW, 'rt') as file:
        return [Structure.from_dict(entry['snl']) for entry in json.load(file)]


def avogadro_structures() -> list[Structure]:
    """CIFs that pymatgen reads; zeolites are left out, as reading them takes three times as long as all others."""
    paths = [path for path in sorted(AVOGADRO.glob('*/*.cif')) if path.parent.name != 'zeolites']
    return [structure for structure in map(read, paths) if structure is not None]


def read(path: Path) -> Structure | None:
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        try:
            return Structure.from_file(path)
        except ValueError:
            return None


@pytest.fixture(scope='module', params=['aflow', 'avogadro'])
def surveyed(request):
    if request.param == 'avogadro' and not AVOGADRO.is_dir():
        pytest.skip('the Debian package libavogadro-data is not installed')
    structures = aflow_structures() if request.param == 'aflow' else avogadro_structures()
    results = list(survey(structures))
    assert len(results) == len(structures) >= 280
    return results


def outcome(result) -> str:
    if result.polarization is None:
        return next(name for text, name in REASONS.items() if text in result.reason)
    if result.polarization.needs_dft:
        return 'polar'
    return 'fixed, not zero' if any(result.polarization.member) else 'fixed, zero'


def test_every_crystal_has_a_polarization_or_a_known_reason(surveyed):
    table = Counter(map(outcome, surveyed))
    assert sum(table.values()) == len(surveyed)
    assert table['contradiction'] == 0
    polarizations = table['fixed, zero'] + table['fixed, not zero'] + table['polar']
    assert polarizations >= 0.6 * len(surveyed), table
    assert table['fixed, not zero'] >= 20, table
    assert table['polar'] >= 20, table


def test_neutral_and_member_of_the_allowed_set(surveyed):
    for result in surveyed:
        if polarization := result.polarization:
            assert sum(polarization.oxidation.charges) == 0
            assert polarization.member in polarization.allowed.discrete
            # the ionic model itself, floating-point and before the choice of a member, obeys every operation
            images = polarization.crystal.rotations @ polarization.point_charges
            differences = images - polarization.point_charges
            assert np.abs(differences - np.rint(differences)).max() < 1e-3


def test_tabulated_operations_are_those_of_the_primitive_cell(surveyed):
    checked = 0
    for result in surveyed:
        if result.polarization and not result.polarization.crystal.is_magnetic:
            crystal = result.polarization.crystal
            cell = (crystal.lattice, crystal.positions, crystal.numbers)
            found = np.unique(spglib.get_symmetry(cell, symprec=1e-2)['rotations'], axis=0)
            assert found.tolist() == crystal.rotations[np.lexsort(crystal.rotations.reshape(-1, 9).T[::-1])].tolist()
            checked += 1
    assert checked >= 180


@pytest.mark.skipif(not AVOGADRO.is_dir(), reason='the Debian package libavogadro-data is not installed')
def test_zincblende_semiconductors_have_a_quarter():
    paths = [path for kind in ('antimonides', 'arsenides', 'phosphides') for path in AVOGADRO.glob(f'{kind}/*.cif')]
    structures = [structure for path in sorted(paths) if III_V.fullmatch(path.stem) and (structure := read(path))]
    members = [result.polarization.member for result in survey(structures)]
    assert len(members) == 11
    assert set(members) <= {(Fraction(1, 4),) * 3, (Fraction(3, 4),) * 3}
