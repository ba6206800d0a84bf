"""Main output of Wannier90 (``.wout``): what was done, how it converged, centres and spreads."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_NUMBER = r'([-+]?\d+\.\d+(?:[EeDd][-+]?\d+)?)'
_FUNCTION = re.compile(rf'WF centre and spread\s+\d+\s+\(\s*{_NUMBER},\s*{_NUMBER},\s*{_NUMBER}\s*\)\s+{_NUMBER}')
_SUMS = re.compile(rf'Sum of centres and spreads\s+\(\s*{_NUMBER},\s*{_NUMBER},\s*{_NUMBER}\s*\)\s+{_NUMBER}')
_FUNCTIONS = re.compile(r'Number of Wannier Functions\s+:\s+(\d+)')
_BANDS = re.compile(r'Number of input Bloch states\s+:\s+(\d+)')
_MESH = re.compile(r'Grid size =\s*(\d+)\s+x\s*(\d+)\s+x\s*(\d+)')
_WINDOW = re.compile(rf'(Outer|Inner):\s+{_NUMBER}\s+to\s+{_NUMBER}\s+\(eV\)')
_DISENTANGLEMENT_STEP = re.compile(r'^\s+\d+\s+\S+\s+\S+\s+(\S+)\s+\S+\s+<-- DIS$', re.MULTILINE)
_SPREAD_STEP = re.compile(r'^\s+\d+\s+(\S+)\s+\S+\s+\S+\s+\S+\s+<-- CONV$', re.MULTILINE)
_TIME = re.compile(rf'Total Execution Time\s+{_NUMBER}\s+\(sec\)')
_VERSION = re.compile(r'Release:\s+(\d+\.\d+(?:\.\d+)?)')
_COMPLETED = ('All done: wannier90 exiting', '.nnkp written.')


@dataclass(frozen=True)
class WannierOutput:
    """What one run of Wannier90 says.

    Attributes:
        version: release of Wannier90.
        completed: whether it reached its end.
        error: the message with which it stopped.
        warnings: lines of warnings.
        functions: their number, as the input was understood; None if it is not there.
        bands: number of Bloch states, likewise.
        mesh: divisions of the mesh, likewise.
        centres: of the final functions in Å, Cartesian, shape ``(functions, 3)``; empty if the run has none.
        spreads: of the final functions in Å², shape ``(functions,)``.
        sums: of centres and spreads as printed, Å and Å²; None if they are not there.
        omega: total spread and its parts in Å²: ``invariant``, ``diagonal``, ``off_diagonal``, ``total``.
        outer_window: energies in eV of the states that the disentanglement may use; None without disentanglement.
        frozen_window: energies in eV of the states that it keeps; None where there is none.
        disentangled: whether the subspace selection converged; None without disentanglement.
        minimised: whether the spread converged.
        disentanglement_change: relative change of the invariant spread in the last step.
        spread_change: change of the spread in Å² in the last step printed.
        wall_time: seconds; None if the run did not finish.
    """

    version: str | None
    completed: bool
    error: str | None
    warnings: tuple[str, ...]
    functions: int | None
    bands: int | None
    mesh: tuple[int, ...] | None
    centres: NDArray[np.float64]
    spreads: NDArray[np.float64]
    sums: tuple[float, ...] | None
    omega: dict[str, float]
    outer_window: tuple[float, float] | None
    frozen_window: tuple[float, float] | None
    disentangled: bool | None
    minimised: bool
    disentanglement_change: float | None
    spread_change: float | None
    wall_time: float | None


def parse_wout(text: str) -> WannierOutput:
    """Parse the main output; what is not there is None or empty."""
    final = text.rpartition('Final State')[2] if 'Final State' in text else ''
    functions = np.array([[float(x) for x in match] for match in _FUNCTION.findall(final)], dtype=float).reshape(-1, 4)
    windows = {name: (float(low), float(high)) for name, low, high in _WINDOW.findall(text)}
    entangled = 'Extraction of optimally-connected subspace' in text
    version, time = _VERSION.search(text), _TIME.search(text)
    return WannierOutput(
        version=version.group(1) if version else None,
        completed=any(mark in text for mark in _COMPLETED),
        error=' '.join(text.partition('Exiting.......')[2].split()) or None,
        warnings=_warnings(text),
        functions=_whole(_FUNCTIONS, text),
        bands=_whole(_BANDS, text),
        mesh=tuple(int(word) for word in mesh.groups()) if (mesh := _MESH.search(text)) else None,
        centres=functions[:, :3],
        spreads=functions[:, 3],
        sums=tuple(float(word) for word in sums.groups()) if (sums := _SUMS.search(final)) else None,
        omega=_omega(final),
        outer_window=windows.get('Outer'),
        frozen_window=windows.get('Inner'),
        disentangled='Disentanglement convergence criteria satisfied' in text if entangled else None,
        minimised='Wannierisation convergence criteria satisfied' in text,
        disentanglement_change=_last(_DISENTANGLEMENT_STEP, text),
        spread_change=_last(_SPREAD_STEP, text),
        wall_time=float(time.group(1)) if time else None,
    )


def _warnings(text: str) -> tuple[str, ...]:
    lines = (line.strip(' |*\t') for line in text.splitlines() if 'warning' in line.lower())
    return tuple(dict.fromkeys(lines))


def _omega(final: str) -> dict[str, float]:
    names = {'Omega I ': 'invariant', 'Omega D ': 'diagonal', 'Omega OD ': 'off_diagonal', 'Omega Total ': 'total'}
    found = {key: re.search(rf'{label}\s*=\s+{_NUMBER}', final) for label, key in names.items()}
    return {key: float(match.group(1)) for key, match in found.items() if match}


def _whole(pattern: re.Pattern[str], text: str) -> int | None:
    found = pattern.search(text)
    return int(found[1]) if found else None


def _last(pattern: re.Pattern[str], text: str) -> float | None:
    steps = pattern.findall(text)
    return float(steps[-1].replace('D', 'E')) if steps else None
