"""Screen four insulators for charged interfaces, and print the exact match of the best pair."""

from __future__ import annotations

from aiida import load_profile
from aiida.engine import run
from aiida.plugins import WorkflowFactory
from pymatgen.core import Lattice, Structure

from aiida_foundry.structures.collections import Entry, write_archive
from aiida_foundry.structures.prototypes import prototype_structure

load_profile()
perovskite = [[0, 0, 0], [1 / 2, 1 / 2, 1 / 2], [1 / 2, 1 / 2, 0], [1 / 2, 0, 1 / 2], [0, 1 / 2, 1 / 2]]
crystals = {
    'LaAlO3': Structure(Lattice.cubic(3.79), ['La', 'Al', 'O', 'O', 'O'], perovskite),
    'SrTiO3': Structure(Lattice.cubic(3.905), ['Sr', 'Ti', 'O', 'O', 'O'], perovskite),
    'GaAs': prototype_structure('GaAs'),
    'Ge': prototype_structure('Ge'),
}
builder = WorkflowFactory('foundry.interfaces.screen').get_builder_from_protocol(
    write_archive(Entry(name, crystal) for name, crystal in crystals.items()), protocol='fast'
)
results = run(builder)
for pair in results['summary']['best']:
    print(pair['film'], pair['substrate'], pair['film_miller'], pair['charge_e'], 'e per cell')
match = results['matches']['rank_001']
print(match['film']['supercell'], match['strain'])
for cut in match['substrate']['cuts']:
    print('surface after', cut['below'], 'carries', cut['charge'], 'e per primitive cell')
