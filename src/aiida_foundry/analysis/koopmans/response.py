"""Density response of independent electrons, summed over states, with a closure for the bands not computed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aiida_foundry.analysis.koopmans.states import BlochStates
from aiida_foundry.analysis.koopmans.transform import Precision, SphereTransform

_DEGENERATE = 1e-4  # Ry
_BATCH = 64
"""Columns of one matrix product: more do not make it faster, but take memory."""


class IndependentResponse:
    """The response per spin of a spin-degenerate insulator at wave vector q.

    S V = -(2/(Ω N_k)) Σ_kv u*_vk Σ_c |c⟩⟨c|V u_vk⟩ / (ε_v - ε_c), c at k + q; the 2 is the other half of the response,
    by time reversal. Beyond the last band used, |c⟩⟨c|/(ε_v - ε_c) becomes P D P with the projector P on what is left
    and D = 1/(ε_v - |k+q+G|² - v), where v is the mean of ε - ⟨T⟩ over the upper half of the bands computed; |D| is at
    most that of the first band left out.

    Args:
        states: the Bloch states.
        closure: whether to include P D P; without it the sum ends at the last band.
        precision: of the products; the sum over k-points is in double precision.
    """

    def __init__(self, states: BlochStates, closure: bool = True, precision: Precision = 'complex128') -> None:
        self._states = states
        self._closure = closure
        self._precision = precision
        self._coefficients = [values.astype(precision) for values in states.coefficients]
        self._transforms = [SphereTransform(miller, states.grid, precision) for miller in states.miller]
        self._kinetic = [
            (((miller + point) @ states.reciprocal) ** 2).sum(axis=1)
            for miller, point in zip(states.miller, states.mesh.reduced, strict=True)
        ]
        self.bands_used = [_complete_shells(energies, states.occupied) for energies in states.energies]
        self._floor = self._mean_potential()

    def _mean_potential(self) -> float:
        """Return the mean of ε - ⟨T⟩ over the upper half of the bands, in Ry."""
        start = self._states.energies.shape[1] // 2
        means = [
            (energies[start:] - (np.abs(coefficients[start:]) ** 2) @ kinetic).mean()
            for energies, coefficients, kinetic in zip(
                self._states.energies, self._states.coefficients, self._kinetic, strict=True
            )
        ]
        return float(np.mean(means))

    def apply(self, potentials: NDArray[np.complex128], q: int) -> NDArray[np.complex128]:
        """Return S V, minus the change of the density of one spin, in bohr⁻³.

        Args:
            potentials: periodic parts of potentials of wave vector q in Ry, shape ``(points, batch)``.
            q: number of the point of the mesh.
        """
        result = np.zeros_like(potentials)
        given: NDArray[np.complexfloating] = potentials.astype(self._precision)
        per_call = max(1, _BATCH // self._states.occupied)
        for k in range(len(self._states.mesh.points)):
            valence = self._transforms[k].to_grid(self._coefficients[k][: self._states.occupied].T)
            for start in range(0, potentials.shape[1], per_call):
                columns = slice(start, start + per_call)
                change = self._change_of_states(valence, given[:, columns], k, q)
                result[:, columns] -= np.einsum('rv,rbv->rb', valence.conj(), change)
        return 2 / (self._states.volume * len(self._states.mesh.points)) * result

    def _change_of_states(
        self, valence: NDArray[np.complexfloating], potentials: NDArray[np.complexfloating], k: int, q: int
    ) -> NDArray[np.complexfloating]:
        """Return Δu on the grid, shape ``(points, batch, occupied)``."""
        states, occupied = self._states, self._states.occupied
        target, umklapp = states.mesh.add(k, q)
        last = self.bands_used[target]
        shifted = SphereTransform(states.miller[target] - umklapp, states.grid, self._precision)
        batch = potentials.shape[1]
        product = (potentials[:, :, None] * valence[:, None, :]).reshape(len(potentials), batch * occupied)
        waves = shifted.to_sphere(product)
        bands = self._coefficients[target]
        amplitudes = bands[:last].conj() @ waves
        energies = states.energies[k, :occupied]
        weights = self._inverse(energies[None, :] - states.energies[target, occupied:last, None], batch)
        change = bands[occupied:last].T @ (amplitudes[occupied:] * weights)
        if self._closure and last < bands.shape[1]:
            rest = waves - bands[:last].T @ amplitudes
            others = np.maximum(self._kinetic[target] + self._floor, states.energies[target, last])
            rest *= self._inverse(energies[None, :] - others[:, None], batch)
            rest -= bands[:last].T @ (bands[:last].conj() @ rest)
            change += rest
        return shifted.to_grid(change).reshape(len(potentials), batch, occupied)

    def _inverse(self, gaps: NDArray[np.float64], batch: int) -> NDArray[np.floating]:
        """Return 1/gaps for a batch of potentials, shape ``(states, batch * occupied)``."""
        real = np.float32 if self._precision == 'complex64' else np.float64
        return np.tile((1 / gaps).astype(real), batch)


def _complete_shells(energies: NDArray[np.float64], occupied: int) -> int:
    """Return how many bands end in a complete degenerate multiplet; the last one computed may continue.

    A multiplet cut in two depends on how the diagonalisation happened to mix it.
    """
    for last in range(len(energies) - 1, occupied, -1):
        if energies[last] - energies[last - 1] > _DEGENERATE:
            return last
    raise ValueError('all empty bands are degenerate: too few were computed')
