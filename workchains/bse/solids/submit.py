"""Excitons of solids on KI, G0W0 and a scissor: ``verdi run submit.py``, with ``--dry-run`` or names of solids."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml
from aiida import load_profile, orm
from aiida.engine import ProcessBuilder, run_get_node
from aiida.plugins import WorkflowFactory
from aiida_quantumespresso.workflows.protocols.utils import recursive_merge
from ase.build import bulk

from aiida_foundry.screening.keys import content_key, find_finished
from aiida_foundry.workflows.bse.cost import estimate

# `verdi run` gives `__file__` without its folder
PLAN: dict[str, Any] = yaml.safe_load(Path(sys.argv[0]).with_name('solids.yaml').read_text())


def builder_of(name: str) -> ProcessBuilder:
    """Return the builder of a solid of the plan."""
    solid = PLAN['solids'][name]
    return WorkflowFactory('foundry.bse.ki').get_builder_from_protocol(
        {key: orm.load_code(f'{label}@{PLAN["computer"]}') for key, label in PLAN['codes'].items()},
        orm.StructureData(ase=bulk(name, **solid['crystal'])),
        g0w0=True,
        scissor=solid['scissor'],
        protocol=PLAN['protocol'],
        overrides=recursive_merge(PLAN['overrides'], solid['overrides']),
        options={'withmpi': False},
    )


if __name__ == '__main__':
    load_profile()
    for name in [argument for argument in sys.argv[1:] if argument in PLAN['solids']] or PLAN['solids']:
        builder = builder_of(name)
        key = content_key(builder)
        if '--dry-run' in sys.argv:
            print(f'{name} {key} about {sum(step["core_seconds"] for step in estimate(builder)):.0f} core-seconds')
        elif finished := find_finished(key):
            print(f'{name} has PK {finished.pk}')
        else:
            builder.metadata.label = key
            print(f'{name} ended as PK {(node := run_get_node(builder).node).pk}, exit status {node.exit_status}')
