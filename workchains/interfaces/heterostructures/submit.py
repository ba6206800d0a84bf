"""Submit the best pairs of a screening: ``verdi run submit.py PK``, with ``--dry-run`` to see what it would run."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml
from aiida import load_profile, orm
from aiida.engine import submit
from aiida.plugins import WorkflowFactory
from aiida_quantumespresso.workflows.protocols.utils import recursive_merge

from aiida_foundry.common.errors import InputError
from aiida_foundry.screening.keys import content_key
from aiida_foundry.workflows.interfaces.cost import estimate

HERE = Path(sys.argv[0]).parent  # `verdi run` gives `__file__` without its folder

load_profile()
plan = yaml.safe_load((HERE / 'heterostructures.yaml').read_text())
codes = {argument: orm.load_code(label) for argument, label in plan['codes'].items()}
workflow = WorkflowFactory('foundry.interfaces.heterostructure')
matches = orm.load_node(sys.argv[1]).outputs.matches
for rank in sorted(matches)[: plan['best']]:
    match = matches[rank]
    arguments = match['heterostructure']
    overrides = recursive_merge(plan['overrides'], arguments['overrides'])
    try:
        builder = workflow.get_builder_from_protocol(
            **codes,
            film=match.creator.inputs.film,
            substrate=match.creator.inputs.substrate,
            film_miller=arguments['film_miller'],
            substrate_miller=arguments['substrate_miller'],
            protocol=plan['protocol'],
            overrides=overrides,
        )
    except InputError as error:
        print(f'{rank} refused: {error}')
        continue
    key = content_key(builder)
    same = {
        'label': key,
        'or': [
            {'attributes.exit_status': 0},
            {'attributes.process_state': {'!in': ['finished', 'excepted', 'killed']}},
        ],
    }
    if (known := orm.QueryBuilder().append(orm.WorkChainNode, filters=same).first(flat=True)) is not None:
        print(f'{rank} has PK {known.pk}')
    elif '--dry-run' in sys.argv:
        hours = sum(step['core_seconds'] for step in estimate(builder)) / 3600
        print(f'{rank} {key} {match["charge_e"]} e per cell, about {hours:.2g} core-hours')
    else:
        builder.metadata.label = key
        print(f'{rank} submitted as PK {submit(builder).pk}')
