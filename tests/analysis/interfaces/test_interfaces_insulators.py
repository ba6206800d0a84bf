"""Who counts as an insulator, and how sure that is."""

from __future__ import annotations

import pytest
from pymatgen.core import Structure

from aiida_foundry.analysis.interfaces.insulators import Sureness, insulator, open_shells
from aiida_foundry.analysis.polarization import formal_polarization


@pytest.mark.parametrize(
    ('name', 'gap', 'sureness', 'words'),
    [
        ('SrTiO3', None, Sureness.LIKELY, 'closed shells'),
        ('SrTiO3', 3.2, Sureness.KNOWN, 'gap 3.2 eV (a book)'),
        ('cBN', 6.36, Sureness.KNOWN, 'B+3'),  # B-3 N+3 would have another polarization, but boron is no anion here
        ('TiC', 0.0, Sureness.METAL, '0 eV'),
        ('TiC', None, Sureness.LIKELY, 'gap not known'),  # counting electrons cannot tell: the documentation says so
        ('NiO', None, Sureness.UNSURE, 'Ni+2 (d8)'),
        ('NiO', 4.3, Sureness.KNOWN, 'gap 4.3'),
        ('C', None, Sureness.METAL, 'elemental'),
        ('C', 5.5, Sureness.KNOWN, 'neutral'),
        ('Al', None, Sureness.METAL, 'elemental'),
    ],
)
def test_verdict(name, gap, sureness, words, structure):
    verdict = insulator(formal_polarization(structure(name)), gap, 'a book')
    assert verdict.sureness == sureness
    assert words in verdict.statement


def test_rival_states_are_a_doubt_even_with_a_gap(structure):
    """Zincblende MnP: Mn+3 P-3 has ¼, Mn+2 P-2 has ½, and both have open shells. GaAs: Ga+2 As-2 is no rival."""
    manganese = Structure(structure('GaAs').lattice, ['Mn', 'P'], structure('GaAs').frac_coords)
    verdict = insulator(formal_polarization(manganese), 1.0)
    assert verdict.sureness == Sureness.UNSURE
    assert 'other possible oxidation states' in verdict.statement
    assert formal_polarization(structure('GaAs')).oxidation.alternatives
    assert insulator(formal_polarization(structure('GaAs')), None).sureness == Sureness.LIKELY


def test_open_shells():
    closed = [('Ti', 4), ('Zn', 2), ('Cu', 1), ('Pb', 2), ('Pb', 4), ('S', -2), ('S', 4), ('S', 6), ('H', 1), ('H', -1)]
    closed += [('La', 3), ('Ce', 4), ('Yb', 2), ('Lu', 3), ('U', 6), ('Th', 4), ('Bi', 3), ('Tl', 1), ('Sc', 3)]
    assert open_shells(closed) == []
    assert open_shells([('Ti', 3), ('Eu', 2), ('Gd', 3), ('O', -1), ('Cu', 2)]) == [
        'Cu+2 (d9)',
        'Eu+2 (f7)',
        'Gd+3 (f7)',
        'O-1 (sp7)',
        'Ti+3 (d1)',
    ]
