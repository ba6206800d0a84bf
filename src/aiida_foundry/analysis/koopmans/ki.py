"""Screening parameters of all Wannier functions: plan, one task per wave vector, results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiida_foundry.analysis.crystal import Cell
from aiida_foundry.analysis.koopmans.densities import Manifold, require_centre, wannier_density
from aiida_foundry.analysis.koopmans.equivalence import (
    Fingerprints,
    Operation,
    equivalent_points,
    image_points,
    mesh_operations,
    stabiliser,
)
from aiida_foundry.analysis.koopmans.kernels import Kernels, head_correction
from aiida_foundry.analysis.koopmans.response import IndependentResponse
from aiida_foundry.analysis.koopmans.screening import Channel, solve_channels
from aiida_foundry.analysis.koopmans.states import BlochStates

VERSION = 2


@dataclass(frozen=True)
class Settings:
    """What a user may choose.

    Attributes:
        functional: ``lda``, ``pbe`` or ``pbesol``.
        dielectric_constant: ε∞ of the head correction; None leaves it out, as kcw.x does with ``l_vcut`` false.
        symmetry: whether equivalent functions and wave vectors are computed once.
        symmetry_tolerance: relative norm of the difference of densities that count as equivalent. An error of α may
            be as large as this, but hardly is.
        tolerance: of the screening, see `screening.solve_channels`; 1e-4 is 2e-6 eV in silicon.
        closure: whether bands that were not computed are accounted for.
        single_precision: whether the response is; α of silicon then differs by 1e-7, at half the time.
        workers: threads of the Fourier transforms.
    """

    functional: str
    dielectric_constant: float | None
    symmetry: bool = True
    symmetry_tolerance: float = 2e-3
    tolerance: float = 1e-4
    closure: bool = True
    single_precision: bool = True
    workers: int = 1


@dataclass(frozen=True)
class Function:
    """One Wannier function and what it stands for.

    Attributes:
        manifold: its manifold.
        number: its number in the manifold, from 0.
        representative: position, in the list of all functions, of the function that is computed in its place.
        orbits: for each q the q of the representative that is computed in its place.
        self_hartree: per q in Ry, shape ``(nk,)``.
    """

    manifold: Manifold
    number: int
    representative: int
    orbits: NDArray[np.int64]
    self_hartree: NDArray[np.float64]


@dataclass(frozen=True)
class Integrals:
    """Integrals in Ry of all functions, each per wave vector, shape ``(functions, nk)``; their sums are physical.

    Attributes:
        self_hartree: ½⟨ρ|v_H|ρ⟩.
        bare: ⟨ρ|v_H + f↑↑|ρ⟩.
        screened: the same with the response of all other electrons.
    """

    self_hartree: NDArray[np.float64]
    bare: NDArray[np.float64]
    screened: NDArray[np.float64]


class KoopmansScreening:
    """Integrals of Wannier functions, one wave vector after the other.

    Args:
        states: Bloch states.
        cell: the crystal in Å, for its symmetry.
        density: of valence and core electrons in bohr⁻³ on the grid.
        manifolds: the Wannier functions.
        settings: what to compute.

    Raises:
        InputError: see `wannier_density` and `require_centre`; metals.
    """

    def __init__(
        self,
        states: BlochStates,
        cell: Cell,
        density: NDArray[np.float64],
        manifolds: Sequence[Manifold],
        settings: Settings,
    ) -> None:
        states.require_gap()
        self.states, self.settings = states, settings
        self._kernels = Kernels(states, density, settings.functional, settings.workers)
        self._response = IndependentResponse(
            states, settings.closure, 'complex64' if settings.single_precision else 'complex128'
        )
        operations = mesh_operations(cell, states.mesh)
        self._fingerprints = Fingerprints(states, operations if settings.symmetry else operations[:1])
        self._densities: dict[int, NDArray[np.complex128]] = {}
        self._components: dict[int, NDArray[np.complex128]] = {}
        self.functions: list[Function] = []
        for manifold in manifolds:
            for number in range(manifold.functions):
                self.functions.append(self._function(manifold, number))

    @property
    def representatives(self) -> list[int]:
        """Return the positions of the functions that are computed."""
        return sorted(self._densities)

    def _function(self, manifold: Manifold, number: int) -> Function:
        """Read one function, compare it with those that came before, and keep its density if it is a new one."""
        density = wannier_density(self.states, manifold, number, self.settings.workers)
        require_centre(self.states, manifold, number, density)
        hartree = self._self_hartree(density)
        components = self._fingerprints.of(density)
        position = len(self.functions)
        for other in self.representatives:
            if self.functions[other].manifold is not manifold:
                continue
            operation = self._operation(other, components, hartree)
            if operation is not None:
                orbits = self.functions[other].orbits[image_points(self.states.mesh, operation)]
                return Function(manifold, number, other, orbits, hartree)
        operations: list[Operation] = stabiliser(self._fingerprints, components, self.settings.symmetry_tolerance)
        orbits = equivalent_points(self.states.mesh, operations)
        self._densities[position], self._components[position] = density, components
        return Function(manifold, number, position, orbits, hartree)

    def _operation(
        self, other: int, components: NDArray[np.complex128], hartree: NDArray[np.float64]
    ) -> Operation | None:
        """Return an operation that maps the function at a position onto one with these components."""
        tolerance = self.settings.symmetry_tolerance
        sums = self.functions[other].self_hartree.sum(), hartree.sum()
        if not self.settings.symmetry or abs(sums[0] - sums[1]) > tolerance * sums[0]:
            return None
        for number, operation in enumerate(self._fingerprints.operations):
            if self._fingerprints.mapping(self._components[other], components, number) <= tolerance:
                return operation
        return None

    def _self_hartree(self, density: NDArray[np.complex128]) -> NDArray[np.float64]:
        """Return ½⟨ρ_q|v_H|ρ_q⟩ in Ry for each q."""
        values = [self._kernels.hartree_norm(part, q) for q, part in enumerate(density)]
        return 0.5 * self._weight * np.array(values)

    @property
    def _weight(self) -> float:
        """Return the factor from sums over the grid to the share of a wave vector in an integral over all space."""
        return self.states.volume / (len(self.states.mesh.points) * np.prod(self.states.grid))

    def tasks(self) -> Iterator[tuple[int, list[int]]]:
        """Yield the numbers of wave vectors to compute, with the positions of the functions that need them."""
        for q in range(len(self.states.mesh.points)):
            needed = [position for position in self.representatives if self.functions[position].orbits[q] == q]
            if needed:
                yield q, needed

    def compute(self, q: int, positions: Sequence[int]) -> NDArray[np.float64]:
        """Return bare and screened integrals in Ry of functions at one q, shape ``(functions, 2)``."""
        density = np.stack([self._densities[position][q] for position in positions], axis=1)
        hartree = self._kernels.hartree(density, q)
        charge, spin = hartree + self._kernels.charge(density, q), self._kernels.spin(density, q)
        bare = (density.conj() * (charge + spin)).sum(axis=0).real
        dielectric = self._model_dielectric(q)
        dependent = 1e-6 if self.settings.single_precision else 1e-10
        channels = [
            Channel(
                charge,
                lambda change: self._kernels.hartree(change, q) + self._kernels.charge(change, q),
                lambda residual: self._kernels.filtered(residual, 1 / dielectric),
                dependent,
            ),
            Channel(spin, lambda change: self._kernels.spin(change, q), lambda residual: residual, dependent),
        ]
        energies = solve_channels(lambda v: self._response.apply(v, q), channels, self.settings.tolerance)
        relaxation = 2 * np.prod(self.states.grid) * (energies[0] + energies[1])
        return self._weight * np.stack([bare, bare - relaxation], axis=1)

    def _model_dielectric(self, q: int) -> NDArray[np.float64]:
        """Return the model of G. Cappellini et al., Phys. Rev. B 47, 9892 (1993), on the grid; it only saves steps."""
        squared = (self.states.wave_vectors(q) ** 2).sum(axis=-1)
        electrons = 2 * self.states.occupied / self.states.volume
        thomas_fermi = 4 * (3 * electrons / np.pi) ** (1 / 3)
        plasma = 16 * np.pi * electrons
        head = 1 / max((self.settings.dielectric_constant or 10.0) - 1, 0.01)
        return 1 + 1 / (head + 1.563 * squared / thomas_fermi + squared**2 / plasma)

    def integrals(self, results: Callable[[int, int], NDArray[np.float64]]) -> Integrals:
        """Collect the integrals of all functions at all q.

        Args:
            results: returns what `compute` gave for a q and a position.
        """
        shape = len(self.functions), len(self.states.mesh.points)
        hartree, bare, screened = (np.empty(shape) for _ in range(3))
        for position, function in enumerate(self.functions):
            hartree[position] = function.self_hartree
            for q, first in enumerate(function.orbits):
                bare[position, q], screened[position, q] = results(int(first), function.representative)
        return Integrals(hartree, bare, screened)


@dataclass(frozen=True)
class Totals:
    """Integrals over all space in Ry of each function, shape ``(functions,)``, with the correction of the head.

    Attributes:
        self_hartree: ½⟨ρ|v_H|ρ⟩.
        bare: ⟨ρ|v_H + f↑↑|ρ⟩.
        screened: the same with the response of all other electrons.
        head: the correction that is part of `bare`.
    """

    self_hartree: NDArray[np.float64]
    bare: NDArray[np.float64]
    screened: NDArray[np.float64]
    head: float

    @property
    def alpha(self) -> NDArray[np.float64]:
        """Return the screening parameters."""
        return self.screened / self.bare


def total_integrals(integrals: Integrals, states: BlochStates, dielectric_constant: float | None) -> Totals:
    """Sum integrals over wave vectors.

    Args:
        integrals: per q.
        states: give cell and mesh.
        dielectric_constant: ε∞ of the head correction, None for none.
    """
    hartree, bare, screened = (
        part.sum(axis=1) for part in (integrals.self_hartree, integrals.bare, integrals.screened)
    )
    if dielectric_constant is None:
        return Totals(hartree, bare, screened, 0.0)
    head = head_correction(states.lattice, states.mesh)
    return Totals(hartree + head / 2, bare + head, screened + head / dielectric_constant, head)
