"""Do report and arrays of ``aiida-foundry-ki`` belong together, and to the input? No aiida."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SETTINGS = frozenset(
    ('functional', 'dielectric_constant', 'symmetry', 'symmetry_tolerance', 'tolerance', 'closure')
) | {'coverage_tolerance_ev', 'workers'}
_ROUNDING = 1e-9
"""Relative, and in eV: report and arrays hold the same double-precision numbers, sums differ in their last digits."""


def contradictions(
    report: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], parameters: Mapping[str, Any]
) -> list[str]:
    """Return what one of report, arrays and input tells differently from the others, as short names.

    Args:
        report: of a finished run.
        arrays: of the same run, finite where they have to be.
        parameters: of the input; empty to leave them out.
    """
    if wrong := [name for name, agrees in _shapes(report, arrays) if not agrees]:
        return wrong
    return [name for name, agrees in _values(report, arrays, parameters) if not agrees]


def _shapes(report: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Iterator[tuple[str, bool]]:
    functions, points = len(report['alpha']), len(arrays['kpoints'])
    mesh = report['mesh']
    yield 'mesh', all(isinstance(number, int) for number in mesh) and points == np.prod(mesh)
    for name in ('ks_energies', 'qp_energies', 'wannier_energies', 'koopmans_energies'):
        yield f'size of {name}', arrays[name].shape == (1, points, report['bands'])
    for name in ('alpha', 'occupied', 'representative', 'self_hartree', 'bare', 'screened'):
        yield f'size of {name}', arrays[name].shape == (functions,)
    for name in ('self_hartree_q', 'bare_q', 'screened_q'):
        yield f'size of {name}', arrays[name].shape == (functions, points)


def _values(
    report: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], parameters: Mapping[str, Any]
) -> Iterator[tuple[str, bool]]:
    head = report['head_correction_ev']
    yield 'screening parameters', _close(arrays['alpha'], report['alpha'])
    yield 'ratio of integrals', _close(arrays['alpha'] * arrays['bare'], arrays['screened'])
    yield 'sum of bare integrals', _close(arrays['bare'], arrays['bare_q'].sum(axis=1) + head)
    yield (
        'sum of self-Hartree energies',
        _close(arrays['self_hartree'], arrays['self_hartree_q'].sum(axis=1) + head / 2),
    )
    yield 'occupied functions', int(np.count_nonzero(arrays['occupied'])) == report['occupied_bands']
    shift = arrays['koopmans_energies'] - arrays['wannier_energies']
    corrected, energies = arrays['qp_energies'], arrays['ks_energies']
    covered = np.isfinite(corrected)
    yield 'quasiparticle energies', _close(corrected[covered], (energies + shift)[covered])
    left_out = np.count_nonzero(np.isfinite(shift) & ~covered)
    yield 'states left out', left_out == report['disentangled_states_left_out']
    settings = report['settings']
    wanted = {name: value for name, value in parameters.items() if name in settings}
    yield 'settings', _SETTINGS.issubset(settings) and all(settings[name] == value for name, value in wanted.items())
    yield 'functional', settings.get('functional') == report['functional']
    yield 'wave vectors', {'total', 'computed'} <= set(report['wave_vectors'])


def _close(first: Any, second: Any) -> bool:
    try:
        return bool(np.allclose(first, second, rtol=_ROUNDING, atol=_ROUNDING))
    except (TypeError, ValueError):  # what is no number
        return False
