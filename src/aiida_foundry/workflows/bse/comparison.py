"""Spectra on several quasiparticle energies side by side, with what each cost."""

from __future__ import annotations

from typing import Any

from aiida.engine import calcfunction
from aiida.orm import Dict, Int

VERSION = 1

#: Steps of a spectrum that all methods share: whoever runs first makes them.
SHARED = ('scf', 'mesh_bands', 'path_bands', 'p2y', 'screening')
#: Method by the process that computes its quasiparticle energies.
SOURCES = {'koopmans': 'ki', 'gw': 'g0w0'}


@calcfunction
def compare(version: Int, **parts: Dict) -> Dict:  # noqa: ARG001
    """Return a record per method from summaries (`METHOD__excitons`) and costs (`PROCESS__cost`)."""
    given = {label: node.get_dict() for label, node in parts.items()}
    summaries = {label.split('__')[0]: values for label, values in given.items() if label.endswith('__excitons')}
    costs = {label.split('__')[0]: values for label, values in given.items() if label.endswith('__cost')}
    methods = {method: _record(summary) for method, summary in summaries.items()}
    return Dict({'units': 'eV', 'methods': methods, 'core_seconds': core_seconds(costs)})


def _record(summary: dict[str, Any]) -> dict[str, Any]:
    """Return what is compared of one spectrum."""
    record: dict[str, Any] = {
        'direct_gap': summary['direct_gap']['quasiparticle'],
        'static': summary['static']['excitonic'],
        'peaks': summary['peaks']['excitonic']['energies'],
    }
    for name in ('lowest', 'lowest_bright'):
        if name in summary:
            record[name] = {key: summary[name][key] for key in ('energy', 'binding_energy')}
    return record


def core_seconds(costs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return core seconds of ``corrections`` and of the ``spectrum`` by method, and of what they share, each step once.

    Args:
        costs: outputs `cost` of the processes `koopmans`, `gw` and of each spectrum.
    """
    shared: dict[str, float] = {}
    result: dict[str, Any] = {'corrections': {}, 'spectrum': {}}
    for name, cost in costs.items():
        steps = {label: step['core_seconds'] for label, step in cost['steps'].items()}
        if name != 'koopmans':
            shared.update({label: seconds for label, seconds in steps.items() if label in SHARED})
            steps = {label: seconds for label, seconds in steps.items() if label not in SHARED}
        kind = 'corrections' if name in SOURCES else 'spectrum'
        result[kind][SOURCES.get(name, name)] = sum(steps.values())
    screening = shared.pop('screening', 0.0)
    return {**result, 'screening': screening, 'ground_state': sum(shared.values())}
