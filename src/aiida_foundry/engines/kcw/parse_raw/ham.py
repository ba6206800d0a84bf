"""Output of ``calculation = 'ham'``: Kohn-Sham and Koopmans energies on the mesh and along a path."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_foundry.engines.kcw.parse_raw.run import NUMBER

_ENERGY = r'-?\d+\.\d{4}'
_ENERGIES = r'([-\d.\s]+?)'
_POINT = rf'((?:{NUMBER}\s*){{3}})'
_COORDINATES = r'k =\s*(-?\d+\.\d{4})\s*(-?\d+\.\d{4})\s*(-?\d+\.\d{4})'
_BLOCK = re.compile(
    rf'{_COORDINATES}\s+band energies \(ev\):\s+KS\s+([-\d.\s]+?)\s+KI\S*\s+([-\d.\s]+?)\s*(?=[A-Za-z=])'
)
_CHECK = re.compile(
    rf'KS Hamiltonian calculation at k=\s*{_POINT}\.\.\.\s+DONE\s+WANN\s+{_ENERGIES}\s+PWSCF\s+{_ENERGIES}'
    r'\s*(?=[A-Za-z=])'
)
_PATH = re.compile(rf'KC interpolated eigenvalues at k=\s*{_POINT}\s*\n\s*\n{_ENERGIES}\s*(?=[A-Za-z=])')
_ALPHA = re.compile(rf'iwann =\s*\d+\s+alpha =\s*({NUMBER})')
_EDGES = re.compile(rf'(KS|KI\[2nd\])\s+highest occupied, lowest unoccupied level \(ev\):\s+({_ENERGY})\s+({_ENERGY})')


@dataclass(frozen=True)
class Hamiltonian:
    """Energies in eV; the functions are ordered by energy at each k-point.

    Attributes:
        alpha: screening parameters that were read, empty if they were not found.
        kpoints: of the mesh in units of 2π/alat, shape ``(nk, 3)``.
        kohn_sham: bands of the Wannier functions, shape ``(nk, functions)``.
        koopmans: corrected bands, same shape.
        wannier: bands of the Wannier functions beside those of pw.x, shape ``(nk, functions)``; empty if not checked.
        plane_waves: bands of pw.x, same shape.
        edges: highest occupied and lowest empty level by ``KS`` and ``KI[2nd]``.
        path: points of the path in reduced coordinates, shape ``(np, 3)``.
        interpolated: corrected bands there, shape ``(np, functions)``.
    """

    alpha: NDArray[np.float64]
    kpoints: NDArray[np.float64]
    kohn_sham: NDArray[np.float64]
    koopmans: NDArray[np.float64]
    wannier: NDArray[np.float64]
    plane_waves: NDArray[np.float64]
    edges: dict[str, tuple[float, float]]
    path: NDArray[np.float64]
    interpolated: NDArray[np.float64]


def parse_ham(text: str) -> Hamiltonian:
    """Parse the energies.

    Raises:
        ValueError: if the k-points do not all have the same number of energies.
    """
    blocks, checks, path = _BLOCK.findall(text), _CHECK.findall(text), _PATH.findall(text)
    return Hamiltonian(
        alpha=np.array([float(value) for value in _ALPHA.findall(text)], dtype=float),
        kpoints=_table([' '.join(block[:3]) for block in blocks]),
        kohn_sham=_table([block[3] for block in blocks]),
        koopmans=_table([block[4] for block in blocks]),
        wannier=_table([check[1] for check in checks]),
        plane_waves=_table([check[2] for check in checks]),
        edges={name: (float(low), float(high)) for name, low, high in _EDGES.findall(text)},
        path=_table([point for point, _ in path]),
        interpolated=_table([energies for _, energies in path]),
    )


def _table(rows: list[str]) -> NDArray[np.float64]:
    """Return the numbers of each row; they may run over several lines and touch where a sign stands between."""
    values = [[float(word) for word in re.findall(r'-?\d+\.\d+', row)] for row in rows]
    if len({len(row) for row in values}) > 1:
        raise ValueError('the k-points have different numbers of energies')
    return np.array(values, dtype=float) if values else np.empty((0, 0))


def star_spread(hamiltonian: Hamiltonian, tolerance: float = 1e-3) -> float:
    """Return the largest difference in eV between Koopmans energies at k-points that symmetry makes equivalent.

    Points with the same bands of pw.x within `tolerance` (eV) count as equivalent.

    Raises:
        ValueError: if kcw.x did not print the bands of pw.x (``check_ks``) at every k-point.
    """
    if len(hamiltonian.plane_waves) != len(hamiltonian.koopmans):
        raise ValueError('the bands of pw.x are not there at every k-point')
    difference = np.abs(hamiltonian.plane_waves[:, np.newaxis] - hamiltonian.plane_waves[np.newaxis]).max(axis=-1)
    corrected = np.abs(hamiltonian.koopmans[:, np.newaxis] - hamiltonian.koopmans[np.newaxis]).max(axis=-1)
    return float(corrected[difference < tolerance].max(initial=0.0))
