"""Prototypes against densities of the same crystals that others measured."""

from __future__ import annotations

import pytest

from aiida_foundry.analysis.crystal import space_group
from aiida_foundry.common.errors import InputError
from aiida_foundry.structures.checks import check_geometry
from aiida_foundry.structures.prototypes import PROTOTYPES, prototype_structure
from aiida_foundry.structures.readers import to_cell

# g/cm³, CRC Handbook of Chemistry and Physics, 97th ed. (2016), physical constants of inorganic compounds
DENSITIES = {
    'Al': 2.70,
    'AlN': 3.255,
    'CdTe': 5.85,
    'GaAs': 5.3176,
    'Ge': 5.3234,
    'InP': 4.81,
    'MgO': 3.6,
    'NaCl': 2.17,
    'Si': 2.3296,
    'diamond': 3.513,
}
GROUPS = {'fcc': 225, 'diamond': 227, 'zincblende': 216, 'rocksalt': 225, 'wurtzite': 186}
ATOMS = {'fcc': 1, 'diamond': 2, 'zincblende': 2, 'rocksalt': 2, 'wurtzite': 4}


@pytest.mark.parametrize(('name', 'density'), DENSITIES.items())
def test_density(name, density):
    assert float(prototype_structure(name).density) == pytest.approx(density, rel=0.02)


@pytest.mark.parametrize('name', PROTOTYPES)
def test_primitive_and_exactly_symmetric(name):
    structure = prototype_structure(name)
    kind = PROTOTYPES[name].kind
    assert len(structure) == ATOMS[kind]
    assert space_group(to_cell(structure), 1e-8)[1] == GROUPS[kind]
    check_geometry(to_cell(structure), name)


def test_unknown_name():
    with pytest.raises(InputError, match='no prototype'):
        prototype_structure('unobtainium')
