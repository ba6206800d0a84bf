"""Output of ``calculation = 'screen'``: the integrals of each orbital and q, and the screening parameters."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_foundry.engines.kcw.parse_raw.run import NUMBER

_PAIR = rf'({NUMBER})\s+({NUMBER})'
_INTEGRALS = re.compile(
    rf'iq =\s*(\d+)\s+iwann =\s*(\d+)\s+rPi_q =\s*{_PAIR}(?:\s+rPi_q_RS =\s*{NUMBER}\s+{NUMBER})?'
    rf'\s+uPi_q =\s*{_PAIR}\s+(?:SH_q|Self Hartree) =\s*{_PAIR}'
)
_RESULT = re.compile(
    rf'iwann(\*?)\s*=\s*(\d+)\s+relaxed =\s*({NUMBER})\s+unrelaxed =\s*({NUMBER})\s+alpha =\s*({NUMBER})'
    rf'\s+self Hartree =\s*({NUMBER})'
)
_HEAD_AT_START = re.compile(
    rf'uPi\(q\+G=0\) estimation\s+(?P<bare>{NUMBER})\s+INFO: rPi\(q\+G=0\) estimation\s+(?P<screened>{NUMBER})'
)
_HEAD_AT_GAMMA = re.compile(
    rf'rPi\(q\+G=0\)\s*(?P<screened>{NUMBER})\s+uPi\(q\+G=0\)\s*(?P<bare>{NUMBER})'
)  # a continued run has left Γ behind
_START = re.compile(r'Start (?:LR|linear response) calculation for the wannier #\s*(\d+)', re.IGNORECASE)
_STEP = re.compile(rf'\|ddv_scf\|\^2 =\s*({NUMBER})')


@dataclass(frozen=True)
class Screening:
    """Integrals in rydberg and the parameters that follow.

    Attributes:
        orbitals: numbers of the orbitals with a result, from 1.
        alpha: screening parameter of each.
        relaxed: Σ_q of the screened integral of each, Ry.
        unrelaxed: Σ_q of the bare integral of each, Ry.
        self_hartree: Σ_q of the self-Hartree energy of each, Ry.
        computed: whether an orbital was computed itself, or took the values of an equivalent one.
        points: (q-point, orbital), both from 1, of each line of integrals, shape ``(n, 2)``.
        integrals: real parts of screened, bare and self-Hartree integrals of each line, weight of q included, Ry,
            shape ``(n, 3)``.
        head: correction of q + G = 0 in the screened and in the bare integral of Γ, Ry; None without it.
        largest_imaginary: largest imaginary part of an integral, Ry.
        residuals: |Δv|² of the last step of each linear response.
    """

    orbitals: NDArray[np.int64]
    alpha: NDArray[np.float64]
    relaxed: NDArray[np.float64]
    unrelaxed: NDArray[np.float64]
    self_hartree: NDArray[np.float64]
    computed: NDArray[np.bool_]
    points: NDArray[np.int64]
    integrals: NDArray[np.float64]
    head: tuple[float, float] | None
    largest_imaginary: float
    residuals: NDArray[np.float64]


def parse_screen(text: str) -> Screening:
    """Parse the integrals and parameters; arrays are empty where the run did not come so far."""
    lines = [(int(q), int(orbital), *(float(x) for x in values)) for q, orbital, *values in _INTEGRALS.findall(text)]
    table = np.array(lines, dtype=float).reshape(-1, 8)
    results = _RESULT.findall(text)
    # a q-point that a symmetry replaces is announced, but has no steps
    steps = [found for response in _START.split(text)[2::2] if (found := _STEP.findall(response))]
    return Screening(
        orbitals=np.array([int(entry[1]) for entry in results], dtype=int),
        alpha=np.array([float(entry[4]) for entry in results], dtype=float),
        relaxed=np.array([float(entry[2]) for entry in results], dtype=float),
        unrelaxed=np.array([float(entry[3]) for entry in results], dtype=float),
        self_hartree=np.array([float(entry[5]) for entry in results], dtype=float),
        computed=np.array([not entry[0] for entry in results], dtype=bool),
        points=table[:, :2].astype(int),
        integrals=table[:, [2, 4, 6]],
        head=_head(text),
        largest_imaginary=float(np.abs(table[:, [3, 5, 7]]).max(initial=0.0)),
        residuals=np.array([float(found[-1]) for found in steps], dtype=float),
    )


def _head(text: str) -> tuple[float, float] | None:
    found = _HEAD_AT_START.search(text) or _HEAD_AT_GAMMA.search(text)
    return (float(found['screened']), float(found['bare'])) if found else None
