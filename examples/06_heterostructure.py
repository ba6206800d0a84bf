"""Cut two perovskites in every way, and build the superlattice whose interfaces are both LaO/TiO2."""

from __future__ import annotations

from pymatgen.core import Lattice, Structure

from aiida_foundry.analysis.interfaces.crystals import matching_crystal
from aiida_foundry.analysis.matching import StrainLimit, crystal_face, match_faces
from aiida_foundry.structures.interfaces.build import build, stacks
from aiida_foundry.structures.interfaces.planes import terminations
from aiida_foundry.structures.interfaces.spec import parse_spec

POSITIONS = [[0, 0, 0], [1 / 2, 1 / 2, 1 / 2], [1 / 2, 1 / 2, 0], [1 / 2, 0, 1 / 2], [0, 1 / 2, 1 / 2]]
STATES = {'La': 3, 'Al': 3, 'Sr': 2, 'Ti': 4, 'O': -2}

film = matching_crystal(Structure(Lattice.cubic(3.79), ['La', 'Al', 'O', 'O', 'O'], POSITIONS))
substrate = matching_crystal(Structure(Lattice.cubic(3.905), ['Sr', 'Ti', 'O', 'O', 'O'], POSITIONS))
faces = crystal_face(film, (0, 0, 1)), crystal_face(substrate, (0, 0, 1))
match = next(match_faces(*faces, max_area=20.0, limit=StrainLimit(0.05)))
print(f'strain of the film: {match.max_strain:.3f}')

sides = {}
for name, stack, wanted in zip(('film', 'substrate'), stacks(match, 1.0), ('LaO', 'O2Ti'), strict=True):
    cuts = terminations(stack, STATES)
    for cut in cuts:
        print(name, cut.below, '|', cut.above, f'{cut.spacing:.2f} Å', cut.charge, cut.polarity)
    side = getattr(match, name)
    sides[name] = {
        'miller': side.miller,
        'transformation': side.transformation.tolist(),
        'layers': 2,
        'termination': next(cut.index for cut in cuts if cut.above == wanted),
        'symmetric': True,
    }
result = build(film, substrate, parse_spec({'kind': 'superlattice', **sides}))
print(len(result.cell.numbers), 'atoms;', *(interface['label'] for interface in result.layout['interfaces']))
