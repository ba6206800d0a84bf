"""Densities of Wannier functions, resolved into wave vectors of the mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from aiida_foundry.analysis.koopmans.states import BlochStates
from aiida_foundry.analysis.koopmans.transform import SphereTransform
from aiida_foundry.common.errors import InputError

_NORM = 1e-4
_PHASE = 0.5
"""Radian; where Wannier90's centre, a mean of phases, and the phase of the mean differ, it is by far less."""


@dataclass(frozen=True)
class Manifold:
    """Wannier functions of the occupied or of the empty states.

    Attributes:
        name: ``occupied`` or ``empty``.
        first_band: the first of the Bloch states, from 0.
        gauge: from Bloch states to functions, shape ``(nk, bands, functions)``.
        centres: of the functions in bohr, Cartesian, shape ``(functions, 3)``.
    """

    name: str
    first_band: int
    gauge: NDArray[np.complex128]
    centres: NDArray[np.float64]

    @property
    def functions(self) -> int:
        """Return the number of functions."""
        return self.gauge.shape[2]


def wannier_density(states: BlochStates, manifold: Manifold, function: int, workers: int = 1) -> NDArray[np.complex128]:
    """Return the density of one function as its periodic parts ρ_q, with ρ(r) = Σ_q exp(iqr) ρ_q(r) / N_k.

    ρ_q(r) = 1/(Ω N_k) Σ_k w*_k(r) w_{k+q}(r), evaluated as |W(r)|² in the supercell of the mesh.

    Args:
        states: the Bloch states.
        manifold: the functions.
        function: number of the function in the manifold, from 0.
        workers: threads of the Fourier transforms.

    Returns:
        In bohr⁻³, shape ``(nk, points)``; the integral of ρ_0 over the cell is 1.

    Raises:
        InputError: the function is not normalised: the gauge is not that of these wavefunctions, or not unitary.
    """
    mesh = states.mesh
    bands = slice(manifold.first_band, manifold.first_band + manifold.gauge.shape[1])
    fraction = states.fractions
    bloch = np.empty((*mesh.divisions, len(fraction)), dtype=complex)
    for k, (miller, coefficients) in enumerate(zip(states.miller, states.coefficients, strict=True)):
        waves = manifold.gauge[k, :, function] @ coefficients[bands]
        norm = float(np.vdot(waves, waves).real)
        if abs(norm - 1) > _NORM:
            raise InputError(
                f'{manifold.name} Wannier function {function + 1}',
                f'its norm at k-point {k + 1} is {norm:.5f}',
                'Take the gauge matrices and the wavefunctions of the same run',
            )
        periodic = SphereTransform(miller, states.grid).to_grid(waves[:, None])[:, 0]
        phase = np.exp(2j * np.pi * (fraction @ mesh.reduced[k]))
        bloch[tuple(mesh.points[k] % mesh.divisions)] = periodic * phase
    supercell = scipy.fft.ifftn(bloch, axes=(0, 1, 2), norm='forward', workers=workers, overwrite_x=True)
    waves = scipy.fft.fftn(np.abs(supercell) ** 2, axes=(0, 1, 2), workers=workers)
    density = np.empty((len(mesh.points), len(fraction)), dtype=complex)
    for q, point in enumerate(mesh.points):
        density[q] = waves[tuple(point % mesh.divisions)] * np.exp(-2j * np.pi * (fraction @ mesh.reduced[q]))
    density /= states.volume * len(mesh.points) ** 2
    return density


def require_centre(states: BlochStates, manifold: Manifold, function: int, density: NDArray[np.complex128]) -> None:
    """Refuse a function that is not where Wannier90 says, modulo the lattice vectors of the supercell.

    This is how gauge matrices of another run show: the phases of wavefunctions are arbitrary. Directions with one
    k-point tell nothing.

    Raises:
        InputError: its centre is elsewhere.
    """
    divisions = states.mesh.divisions
    reduced = manifold.centres[function] @ np.linalg.inv(states.lattice)
    for axis in np.flatnonzero(np.array(divisions) > 1):
        point = np.eye(3, dtype=int)[axis]
        q = int(states.mesh.find(point))
        wave = (point - states.mesh.points[q]) // divisions
        component = (density[q] * np.exp(-2j * np.pi * (states.fractions @ wave))).mean() * states.volume
        expected = np.exp(-2j * np.pi * reduced[axis] / divisions[axis])
        if abs(component) < 0.05 or abs(np.angle(component / expected)) > _PHASE:
            raise InputError(
                f'{manifold.name} Wannier function {function + 1}',
                'its density is not centred where Wannier90 says, so that it is not of these wavefunctions',
                'Take the gauge matrices and the wavefunctions of the same run',
            )
