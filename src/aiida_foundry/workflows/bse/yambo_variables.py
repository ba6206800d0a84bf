"""Variables of the Yambo runs of a Bethe-Salpeter calculation, from the engine-neutral parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiida_foundry.workflows.bse.parameters import HAYDOCK
from aiida_foundry.workflows.shared.yambo import SCREENING_LEVELS, plane_waves_within, screening_variables

HEAD_FACTOR = 7.44
"""Of Yambo without random integration: the mean of 1/q² over the cell around Γ, for the Godby region (`scatter_Gamp.F`
of Yambo 5.2), whatever the shape of the mesh."""

#: Kernels: with the screened attraction, with local fields only, none.
KERNELS = {'bse': 'SEX', 'rpa': 'HARTREE', 'ip': 'IP'}


def screening(parameters: Mapping[str, Any], cell: Any) -> dict[str, Any]:
    """Return runlevels and variables of the screening; the plasmon-pole model of G0W0 uses it too.

    Args:
        parameters: engine-neutral.
        cell: lattice vectors in Å.
    """
    return {'runlevels': list(SCREENING_LEVELS), 'variables': _screening(parameters, cell)}


def kernel(
    kind: str, parameters: Mapping[str, Any], cell: Any, window: tuple[int, int], direction: Sequence[float]
) -> dict[str, Any]:
    """Return runlevels and variables of one spectrum.

    Args:
        kind: a key of `KERNELS`.
        parameters: engine-neutral.
        cell: lattice vectors in Å.
        window: first and last band of the electron-hole pairs, from 1.
        direction: of the field, Cartesian.
    """
    spectrum = parameters['spectrum']
    coupling = kind != 'ip' and not parameters['tamm_dancoff']
    size = {'value': plane_waves_within(cell, parameters['screening_cutoff']), 'unit': 'RL'}
    levels = ['optics', 'bse', 'bsk', 'bss', 'dipoles']
    variables: dict[str, Any] = {
        'BSEmod': 'coupling' if coupling else 'retarded',
        'BSKmod': KERNELS[kind],
        'BSEBands': list(window),
        'BSEQptR': [1, 1],
        'BLongDir': list(direction),
        'BEnRange': {'value': [0.0, spectrum['maximum']], 'unit': 'eV'},
        'BDmRange': {'value': [spectrum['broadening']] * 2, 'unit': 'eV'},
        'BEnSteps': round(spectrum['maximum'] / spectrum['step']) + 1,
    }
    if kind != 'ip':
        variables['BSENGexx'] = size
    if kind == 'bse':
        levels += [level for level in SCREENING_LEVELS if level not in levels]
        variables |= {**_screening(parameters, cell), 'BSENGBlk': size}
        if coupling:
            # otherwise only the exchange couples
            variables['WehCpl'] = True
    if parameters['algorithm'] == HAYDOCK:
        limits = parameters['haydock']
        variables |= {'BSSmod': 'h', 'BSHayTrs': -limits['tolerance'], 'BSHayItrMAX': limits['max_iterations']}
    else:
        variables |= {'BSSmod': 'd', **({'WRbsWF': True} if kind == 'bse' else {})}
    return {'runlevels': levels, 'variables': variables}


def _screening(parameters: Mapping[str, Any], cell: Any) -> dict[str, Any]:
    return screening_variables(parameters, cell)
