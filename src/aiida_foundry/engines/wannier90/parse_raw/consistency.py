"""Do the files of one run belong together, and to the input? What is written twice must agree."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

import numpy as np

from aiida_foundry.engines.wannier90.parse_raw.matrices import GaugeMatrices
from aiida_foundry.engines.wannier90.parse_raw.wout import WannierOutput

_MONTHS = ('Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec')
_DATE = re.compile(r'on\s*(\d{1,2})([A-Z][a-z]{2})(\d{4}) at\s+(\d{1,2}):(\d{2}):(\d{2})')
_SPREAD_DIGITS = 1e-8
_CENTRE_DIGITS = 1e-6
_KPOINT_DIGITS = 1e-9
_OMEGA = {'invariant', 'diagonal', 'off_diagonal', 'total'}


def output_contradictions(output: WannierOutput, parameters: dict[str, object], mesh: Sequence[int]) -> list[str]:
    """Return what the main output tells differently from the input, or differently in two places, as short names.

    Args:
        output: of a run for Wannier functions that has its centres and spreads.
        parameters: keywords of the input.
        mesh: divisions of the mesh.
    """
    return [name for name, agrees in _comparisons(output, parameters, mesh) if not agrees]


def _comparisons(
    output: WannierOutput, parameters: dict[str, object], mesh: Sequence[int]
) -> Iterator[tuple[str, bool]]:
    functions = len(output.spreads)
    bands = parameters.get('num_bands', functions)
    yield 'number of functions', output.functions == functions
    yield 'number of bands', output.bands == bands
    yield 'mesh', output.mesh == tuple(mesh)
    yield 'disentanglement', (output.disentangled is not None) == (bands != functions)
    yield 'outer window', (output.outer_window is not None) == (bands != functions)
    if bands != functions and 'dis_froz_max' in parameters:
        yield 'frozen window', output.frozen_window is not None
    if 'slwf_num' not in parameters:  # the spread of selected functions has other parts
        tolerance = (functions + 1) * _SPREAD_DIGITS
        omega = output.omega
        yield (
            'spreads',
            set(omega) == _OMEGA
            and bool(
                abs(omega['total'] - output.spreads.sum()) < tolerance
                and abs(omega['invariant'] + omega['diagonal'] + omega['off_diagonal'] - omega['total']) < tolerance
            ),
        )
    total = np.array([*output.centres.sum(axis=0), output.spreads.sum()])
    digits = (functions + 1) * np.array([*[_CENTRE_DIGITS] * 3, _SPREAD_DIGITS])
    yield 'centres', output.sums is not None and bool((np.abs(total - output.sums) < digits).all())


def gauge_contradictions(gauge: GaugeMatrices, shape: tuple[int, int], points: np.ndarray) -> list[str]:
    """Return what a file of matrices tells differently from the input, as short names.

    Args:
        gauge: content of the file.
        shape: numbers of bands and functions.
        points: reduced coordinates of the mesh, shape ``(nk, 3)``.
    """
    if gauge.matrices.shape != (len(points), *shape):
        return ['size']
    return ['k-points'] if np.abs(gauge.kpoints - points).max() > _KPOINT_DIGITS else []


def is_older(text: str, main_output: str) -> bool:
    """Return whether a file was written before the run began that the main output tells of; False without dates.

    Dates are local time: a run in the hour that summer time ends looks like this, and has to be repeated.
    """
    written, began = _date(text.partition('\n')[0]), _date(main_output)
    return written is not None and began is not None and written < began


def _date(text: str) -> datetime | None:
    """Return the first date in a text."""
    found = _DATE.search(text)
    if found is None or found[2] not in _MONTHS:
        return None
    day, _, year, hour, minute, second = (int(word) if word.isdigit() else 0 for word in found.groups())
    try:
        return datetime(year, _MONTHS.index(found[2]) + 1, day, hour, minute, second)
    except ValueError:
        return None
