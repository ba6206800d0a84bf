"""LaAlO3/SrTiO3(001) with two LaO/TiO2 interfaces: ``verdi run submit.py``, with ``--small`` and ``--dry-run``."""

from __future__ import annotations

import sys
from typing import Any

from aiida import load_profile, orm
from aiida.engine import ProcessBuilder, submit
from aiida.plugins import WorkflowFactory
from pymatgen.core import Lattice, Structure

from aiida_foundry.workflows.interfaces.cost import estimate

POSITIONS = [[0, 0, 0], [1 / 2, 1 / 2, 1 / 2], [1 / 2, 1 / 2, 0]]
#: Planes LaO and TiO2 at both ends of their slabs; on 4×4 points the bottom of the Ti bands is at Γ.
STRINGENT: dict[str, Any] = {'matching': {'max_strain': 0.05}, 'interface': {}}
for side, lowest in (('film', 0), ('substrate', 1)):
    STRINGENT['interface'][side] = {'symmetric': True, 'termination': lowest}
#: What the README records: 15 atoms, ions at their bulk positions.
SMALL: dict[str, Any] = {
    'matching': STRINGENT['matching'],
    'interface': {side: {**values, 'layers': 1} for side, values in STRINGENT['interface'].items()},
    'kpoints_mesh': [4, 4],
    'parameters': {
        'wavefunction_cutoff': 50.0,
        'density_cutoff': 200.0,
        'smearing': 0.01,
        'threshold_per_atom': 1e-7,
        'mixing_mode': 'local-TF',
        'relax': {'enabled': False},
        'ldos': {'range': 2.0},
    },
}


def perovskite(constant: float, *elements: str) -> orm.StructureData:
    """Return a cubic perovskite ABO3; Å."""
    return orm.StructureData(pymatgen=Structure.from_spacegroup(221, Lattice.cubic(constant), elements, POSITIONS))


def builder_of(pw_code: orm.AbstractCode, pp_code: orm.AbstractCode, overrides: dict[str, Any]) -> ProcessBuilder:
    """Return the builder, with measured lattice constants."""
    workflow = WorkflowFactory('foundry.interfaces.heterostructure')
    crystals = perovskite(3.79, 'La', 'Al', 'O'), perovskite(3.905, 'Sr', 'Ti', 'O')
    faces = {'film_miller': (0, 0, 1), 'substrate_miller': (0, 0, 1)}
    return workflow.get_builder_from_protocol(
        pw_code, pp_code, *crystals, **faces, protocol='stringent', overrides=overrides
    )


if __name__ == '__main__':
    load_profile()
    codes = orm.load_code('pw@localhost'), orm.load_code('pp@localhost')
    builder = builder_of(*codes, SMALL if '--small' in sys.argv else STRINGENT)
    for step in estimate(builder):
        print(f'{step["step"]}: about {step["core_seconds"] / 3600:.2g} core-hours')
    if '--dry-run' not in sys.argv:
        print(f'submitted as PK {submit(builder).pk}')
