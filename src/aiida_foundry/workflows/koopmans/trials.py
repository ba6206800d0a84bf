"""Which sets of bands become Wannier functions, with which trial projections and windows, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiida_foundry.analysis.manifolds import EmptyManifold

EMPTY = 'empty'


def list_manifolds(
    blocks: Sequence[tuple[int, int]], occupied: int, parameters: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Return bands (first, last, from 1), number of functions and number of the trial by name of the manifold."""
    manifolds = {
        f'occupied_{number}': {'bands': [first, last], 'functions': last - first + 1, 'trial': 0}
        for number, (first, last) in enumerate(blocks, start=1)
    }
    bands = [occupied + 1, occupied + parameters['disentanglement_bands']]
    return {**manifolds, EMPTY: {'bands': bands, 'functions': parameters['empty_functions'], 'trial': 0}}


def trials_of(label: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return all trials of a manifold."""
    trials: list[dict[str, Any]] = parameters['trials'][EMPTY if label == EMPTY else 'occupied']
    return trials


def manifold_parameters(
    manifold: Mapping[str, Any], projections: str, choice: EmptyManifold | None, parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the parameters of `ManifoldWorkChain`.

    Args:
        manifold: bands and number of functions.
        projections: of this trial.
        choice: windows and weights; None for isolated bands.
        parameters: of the Wannierisation.
    """
    weight = None if choice is None else {'centre': choice.projection_centre, 'width': choice.projection_width}
    return {
        'bands': manifold['bands'],
        'number_of_bands': parameters['bands'],
        'functions': manifold['functions'],
        'projections': projections,
        'projection_weight': weight,
        'frozen_maximum': None if choice is None else choice.frozen_maximum,
        'spin_component': 'up' if parameters['spin_channels'] == 2 else None,
        'keywords': parameters['keywords'],
    }


def reason_to_refuse(record: Mapping[str, Any], acceptance: Mapping[str, Any]) -> str | None:
    """Return what is wrong with functions, None if nothing is.

    Args:
        record: of `assess_functions`.
        acceptance: `eta_mev`, `spread_difference`.
    """
    if record['eta_mev'] is None:
        return 'no state lies where the bands are to be compared'
    if record['eta_mev'] > acceptance['eta_mev']:
        return f'η = {record["eta_mev"]:.1f} meV exceeds {acceptance["eta_mev"]} meV'
    if record['spread_difference'] > acceptance['spread_difference']:
        return f'spreads of equivalent functions differ by {record["spread_difference"]:.3f} Å²'
    return None
