"""What every run of kcw.x prints: version, settings, messages, time, the points of the mesh."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NUMBER = r'[-+]?\d+\.\d+(?:[EeDd][-+]?\d+)?'
_VERSION = re.compile(r'Program KCW v\.(\S+)')
_SETTING = re.compile(r'^\s+# ([\w ()]+?)\s*=\s*(.*?)\s*$', re.MULTILINE)
_ERROR = re.compile(r'Error in routine\s+(\S+)\s+\(-?\d+\):\s*\n\s*(.*?)\s*\n', re.DOTALL)
_TIME = re.compile(r'^\s+KCW\s+:\s*(.*?)CPU\s+(.*?)WALL', re.MULTILINE)
_TOLERANCE = 1e-3  # numbers have four decimals
_POINT = re.compile(rf'Wannier density at\s+q =\s*((?:{NUMBER}\s*){{3}})\[(Cart|Cryst)\s*\]')


@dataclass(frozen=True)
class KcwRun:
    """How a run went.

    Attributes:
        version: of Quantum ESPRESSO.
        completed: whether it printed ``JOB DONE``.
        errors: messages with which it stopped, with the routine.
        warnings: lines of warnings.
        settings: the input as kcw.x understood it, name and text.
        cartesian: points of the mesh in units of 2π/alat, shape ``(nq, 3)``.
        reduced: the same points in reduced coordinates.
        cpu_time: seconds; None if the run did not finish.
        wall_time: seconds; None if the run did not finish.
    """

    version: str | None
    completed: bool
    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    settings: dict[str, str]
    cartesian: NDArray[np.float64]
    reduced: NDArray[np.float64]
    cpu_time: float | None
    wall_time: float | None


def parse_run(text: str) -> KcwRun:
    """Parse what all runs print."""
    points: dict[str, list[list[float]]] = {'Cart': [], 'Cryst': []}
    for numbers, unit in _POINT.findall(text):
        points[unit].append([float(word) for word in numbers.split()])
    version, times = _VERSION.search(text), _TIME.findall(text)
    return KcwRun(
        version=version.group(1) if version else None,
        completed='JOB DONE' in text,
        errors=tuple(
            dict.fromkeys(f'{" ".join(message.split())} ({routine})' for routine, message in _ERROR.findall(text))
        ),
        warnings=tuple(dict.fromkeys(line.strip() for line in text.splitlines() if 'WARNING' in line)),
        settings=dict(_SETTING.findall(text)),
        cartesian=np.array(points['Cart'], dtype=float).reshape(-1, 3),
        reduced=np.array(points['Cryst'], dtype=float).reshape(-1, 3),
        cpu_time=_seconds(times[-1][0]) if times else None,
        wall_time=_seconds(times[-1][1]) if times else None,
    )


def _errors(text: str) -> tuple[str, ...]:
    messages = (f'{" ".join(message.split())} ({routine})' for routine, message in _ERROR.findall(text))
    return tuple(dict.fromkeys(messages))


def to_reduced(run: KcwRun, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return points given in units of 2π/alat in reduced coordinates, by the change of basis the mesh itself shows.

    The file has four decimals of a point; the result is the point of the mesh that is meant, up to a reciprocal lattice
    vector.

    Args:
        run: has the points of the mesh in both units.
        points: of the same mesh, shape ``(n, 3)``.

    Raises:
        ValueError: if the mesh was not printed, or a point does not belong to it.
    """
    if len(run.cartesian) == 0 or len(run.cartesian) != len(run.reduced):
        raise ValueError('the points of the mesh are not listed in both units')
    basis, *_ = np.linalg.lstsq(run.cartesian, run.reduced, rcond=None)
    back, *_ = np.linalg.lstsq(run.reduced, run.cartesian, rcond=None)
    reduced = points @ basis
    difference = reduced[:, np.newaxis] - run.reduced[np.newaxis]
    vectors = np.rint(difference)
    distance = np.abs(difference - vectors).max(axis=-1)
    nearest = distance.argmin(axis=1)
    if distance.min(axis=1).max() > _TOLERANCE or np.abs(reduced @ back - points).max() > _TOLERANCE:
        raise ValueError('a k-point does not belong to the mesh')
    return run.reduced[nearest] + vectors[np.arange(len(points)), nearest]


def _seconds(text: str) -> float:
    """Return the seconds of e.g. ``1h 2m 3.45s`` or ``1m16.35s``."""
    units = {'d': 86400.0, 'h': 3600.0, 'm': 60.0, 's': 1.0}
    return sum(float(value) * units[unit] for value, unit in re.findall(r'([\d.]+)\s*([dhms])', text))
