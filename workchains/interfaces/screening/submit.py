"""Screen the insulators of ``screening.yaml``: ``verdi run submit.py``, with ``--dry-run`` to see what it would run."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml
from aiida import load_profile, orm
from aiida.engine import run_get_node
from aiida.plugins import WorkflowFactory

from aiida_foundry.screening.keys import content_key, find_finished
from aiida_foundry.structures.collections import read_folder, write_archive

HERE = Path(sys.argv[0]).parent  # `verdi run` gives `__file__` without its folder

load_profile()
plan = yaml.safe_load((HERE / 'screening.yaml').read_text())
source = plan['structures']
if 'group' in source:
    nodes = orm.load_group(source['group']).nodes
    structures = {f'{node.get_formula()}_{node.uuid[:8]}': node for node in nodes}
elif 'file' in source:
    structures = (HERE / source['file']).read_text()
else:
    structures = write_archive(read_folder(HERE / source['folder']))
builder = WorkflowFactory('foundry.interfaces.screen').get_builder_from_protocol(
    structures, known=plan['known'], protocol=plan['protocol'], overrides=plan['overrides']
)
key = content_key(builder)
if '--dry-run' in sys.argv:
    print(key, builder.parameters.get_dict())
elif finished := find_finished(key):
    print(f'PK {finished.pk} has the result')
else:
    builder.metadata.label = key
    results, node = run_get_node(builder)
    print(f'PK {node.pk}, exit status {node.exit_status}')
    for pair in results['summary']['best']:
        print(pair['rank'], pair['film'], pair['substrate'], pair['charge_density_e_A2'], 'e/Å²')
