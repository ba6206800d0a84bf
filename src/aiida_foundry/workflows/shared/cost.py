"""What the calculations of a workflow took, whatever code ran them."""

from __future__ import annotations

import math
from typing import Any

from aiida.engine import calcfunction
from aiida.orm import CalcJobNode, Dict


@calcfunction
def sum_cost(**steps: Dict) -> Dict:
    """Return wall and core seconds of each step, from the output parameters of its calculation, and their sums.

    A step whose code tells no time has none, and is named in ``untimed``.
    """
    records = {label: _record(parameters) for label, parameters in steps.items()}
    timed = {label: record for label, record in records.items() if record is not None}
    total = math.fsum(record['core_seconds'] for record in timed.values())
    untimed = sorted(set(records) - set(timed))
    return Dict({'steps': timed, 'untimed': untimed, 'core_seconds': total, 'core_hours': total / 3600})


def _record(parameters: Dict) -> dict[str, Any] | None:
    wall, creator = parameters.get('wall_time_seconds', None), parameters.creator
    if wall is None:
        return None
    core_seconds = parameters.get('core_seconds', None)
    return {
        'wall_seconds': wall,
        'core_seconds': wall * _processes(creator) if core_seconds is None else core_seconds,
        'process': creator.uuid,
    }


def _processes(calculation: CalcJobNode) -> int:
    """Return the number of processes that a calculation was given: with MPI unless its options say otherwise."""
    if calculation.get_option('withmpi') is False:
        return 1
    resources = calculation.get_option('resources') or {}
    machines = resources.get('num_machines', 1)
    return int(resources.get('tot_num_mpiprocs') or machines * resources.get('num_mpiprocs_per_machine', 1))
