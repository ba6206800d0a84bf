"""Core-seconds and memory that a plane-wave GW calculation will take, from its dimensions.

Operation counts of the sums that dominate each step, times the seconds per operation that ABINIT 9.6.2 took for silicon
on one core of a 2020s server. Good to a factor of about three: enough to tell minutes from days.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

#: Seconds per operation, by what is counted. Calibration: silicon, 2×2×2, 8 hartree, 40 bands, screening 3 hartree.
SECONDS = {
    'start': 1.0,  # reading pseudopotentials and files, setting up symmetries
    'hamiltonian': 6.0e-8,  # per band, plane wave, log2 and iteration
    'orthogonalisation': 1.0e-10,  # per pair of bands, plane wave and iteration
    'transition': 3.0e-9,  # per pair of states and point of the Fourier transform
    'polarisability': 2.4e-9,  # per pair of states, element of the matrix and frequency
    'self_energy_ppm': 2.5e-8,  # per intermediate state, matrix element of Σ and element of W
    'self_energy_cd': 6.0e-8,
}
ITERATIONS = {'scf': 14, 'bands': 20}


@dataclass(frozen=True)
class Dimensions:
    """What the cost depends on.

    Attributes:
        kpoints: k-points of the full mesh.
        irreducible: k-points of its irreducible part.
        occupied: filled bands.
        bands: bands in the sums over states.
        plane_waves: of the wavefunctions.
        screening_plane_waves: of the dielectric matrix.
        frequencies: at which the polarisability is computed.
        corrected: bands that get a self-energy.
        matrix: whether off-diagonal elements of Σ are computed too.
        plasmon_pole: whether W is a plasmon-pole model.
    """

    kpoints: int
    irreducible: int
    occupied: int
    bands: int
    plane_waves: int
    screening_plane_waves: int
    frequencies: int
    corrected: int
    matrix: bool
    plasmon_pole: bool


def plane_waves(volume: float, cutoff: float) -> int:
    """Return the number of plane waves in a sphere, V (2E)^(3/2) / 6π², with volume in bohr³ and cutoff in hartree."""
    return max(1, round(volume * (2 * cutoff) ** 1.5 / (6 * math.pi**2)))


def bands_seconds(points: int, bands: int, waves: int, iterations: int) -> float:
    """Return the core-seconds of diagonalising at `points` k-points."""
    hamiltonian = bands * waves * math.log2(max(2, waves)) * SECONDS['hamiltonian']
    orthogonalisation = bands**2 * waves * SECONDS['orthogonalisation']
    # four applications of H per band in each iteration
    return SECONDS['start'] + points * iterations * 4 * (hamiltonian + orthogonalisation)


def screening_seconds(size: Dimensions) -> float:
    """Return the core-seconds of the polarisability at all irreducible q-points."""
    transitions = size.kpoints * size.irreducible * size.occupied * (size.bands - size.occupied)
    # the box of the Fourier transform holds a sphere of twice the radius
    box = 16 * size.plane_waves * math.log2(16 * size.plane_waves)
    per_transition = (
        box * SECONDS['transition'] + size.screening_plane_waves**2 * size.frequencies * SECONDS['polarisability']
    )
    return SECONDS['start'] + transitions * per_transition


def self_energy_seconds(size: Dimensions) -> float:
    """Return the core-seconds of Σ at all irreducible k-points."""
    elements = size.corrected * (size.corrected + 1) // 2 if size.matrix else size.corrected
    cost = SECONDS['self_energy_ppm' if size.plasmon_pole else 'self_energy_cd']
    intermediate = size.irreducible * size.kpoints * size.bands
    return SECONDS['start'] + intermediate * elements * size.screening_plane_waves**2 * cost


def memory_megabytes(size: Dimensions) -> float:
    """Return the memory of the states and of W on one process, in single precision."""
    states = 8 * size.irreducible * size.bands * size.plane_waves
    screening = 8 * size.frequencies * size.screening_plane_waves**2
    return 100 + (states + screening) / 1e6
