"""Core-seconds and memory that a Bethe-Salpeter calculation and its Koopmans energies will take, from its dimensions.

Operation counts of the sums that dominate, times the seconds per operation of ABINIT 9.6.2 and `aiida-foundry-ki`, both
on one core of a 2020s server. The steps of `bse.ki` for silicon in `make demo` took 0.2 to 2.1 times what this and
`gw_cost`, which has the steps before, say of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

#: Seconds per operation. Calibration on silicon: 1024 transitions of 4×4×4 points; the response on 2×2×2 points.
SECONDS = {
    'start': 1.0,  # reading pseudopotentials and files, setting up symmetries
    'product': 3.0e-9,  # per pair of states at two k-points and point of the Fourier transform
    'attraction': 1.5e-9,  # per pair of transitions and plane wave of W
    'diagonalisation': 1.1e-8,  # per cube of the number of transitions
    'haydock': 4.0e-9,  # per square of the number of transitions, iteration and direction
    'response': 2.0e-9,  # per wave vector, k-point, filled band, and operation on plane waves or grid
}
DIRECTIONS = 6
"""Polarisations of light that ABINIT computes."""
VECTORS = 9
"""Potentials to which the response is applied per function and wave vector, charge and spin together."""


@dataclass(frozen=True)
class Pairs:
    """What the cost of the Bethe-Salpeter equation depends on.

    Attributes:
        kpoints: of the full mesh.
        valence: filled bands of the electron-hole pairs.
        conduction: empty bands.
        plane_waves: of the wavefunctions.
        screening_plane_waves: of W.
        iterations: of Haydock's recursion; 0 for a diagonalisation.
    """

    kpoints: int
    valence: int
    conduction: int
    plane_waves: int
    screening_plane_waves: int
    iterations: int = 0

    @property
    def transitions(self) -> int:
        """Return the size of the Hamiltonian."""
        return self.kpoints * self.valence * self.conduction


def bethe_salpeter_seconds(size: Pairs) -> float:
    """Return the core-seconds of building the Hamiltonian and of its spectrum."""
    pairs_of_points = self_pairs(size.kpoints)
    products = pairs_of_points * (size.valence**2 + size.conduction**2) * grid_work(size.plane_waves)
    elements = size.transitions**2 / 2 * size.screening_plane_waves
    if size.iterations:
        spectrum = size.transitions**2 * size.iterations * DIRECTIONS * SECONDS['haydock']
    else:
        spectrum = size.transitions**3 * SECONDS['diagonalisation']
    return SECONDS['start'] + products * SECONDS['product'] + elements * SECONDS['attraction'] + spectrum


def bethe_salpeter_megabytes(size: Pairs) -> float:
    """Return the memory of the Hamiltonian, in single precision, and of its eigenvectors."""
    return 100 + (1 if size.iterations else 2) * 8 * size.transitions**2 / 1e6


def koopmans_seconds(tasks: int, kpoints: int, occupied: int, bands: int, waves: int) -> float:
    """Return the core-seconds of the screening by `aiida-foundry-ki`.

    Args:
        tasks: pairs of a Wannier function and a wave vector that are computed.
        kpoints: of the full mesh.
        occupied: filled bands.
        bands: of the sum over states.
        waves: plane waves of the wavefunctions.
    """
    per_state = grid_work(waves) + 6 * bands * waves
    return SECONDS['start'] + tasks * kpoints * occupied * VECTORS * per_state * SECONDS['response']


def self_pairs(number: int) -> int:
    """Return the number of unordered pairs, each with itself included."""
    return number * (number + 1) // 2


def grid_work(waves: int) -> float:
    """Return the operations of a Fourier transform; its box holds a sphere of twice the radius."""
    return 16 * waves * math.log2(16 * max(1, waves))
