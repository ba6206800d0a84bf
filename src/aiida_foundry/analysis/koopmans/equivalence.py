"""Which Wannier functions, and which wave vectors of one function, symmetry makes equivalent.

Functions are grouped only if an operation of the space group, followed by a lattice translation, maps the density of
one onto that of the other; spreads that happen to agree are not enough. The operations that map a function onto itself
make wave vectors equivalent, so that each integral is computed once per orbit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import spglib
from numpy.typing import NDArray

from aiida_foundry.analysis.crystal import Cell
from aiida_foundry.analysis.koopmans.states import BlochStates, Mesh

FINGERPRINT_CUTOFF = 6.0
"""Ry; Fourier components of densities up to here are compared. They hold almost all of the Hartree energy."""


@dataclass(frozen=True)
class Operation:
    """An operation of the space group that maps the mesh onto itself.

    Attributes:
        rotation: acts on reduced positions as columns, and from the right on reduced wave vectors as rows.
        translation: reduced.
    """

    rotation: NDArray[np.int64]
    translation: NDArray[np.float64]


def mesh_operations(cell: Cell, mesh: Mesh, tolerance: float = 1e-4) -> list[Operation]:
    """Return the operations of the space group of a crystal that map a mesh onto itself; the identity is the first."""
    symmetry = spglib.get_symmetry(tuple(cell), symprec=tolerance)
    divisions = np.array(mesh.divisions)
    operations = []
    for rotation, translation in zip(symmetry['rotations'], symmetry['translations'], strict=True):
        scaled = rotation * divisions[None, :]
        if not (scaled % divisions[:, None]).any():
            operations.append(Operation(np.asarray(rotation, dtype=np.int64), translation))
    return sorted(operations, key=lambda entry: not np.array_equal(entry.rotation, np.eye(3)))


class Fingerprints:
    """Long-range Fourier components of densities, in a form that operations map onto each other.

    Args:
        states: give cell, mesh and grid.
        operations: see `mesh_operations`.
    """

    def __init__(self, states: BlochStates, operations: list[Operation]) -> None:
        self.operations = operations
        self._mesh = states.mesh
        divisions = np.array(states.mesh.divisions)
        metric = states.reciprocal / divisions[:, None]
        reach = [
            int(np.ceil(np.sqrt(FINGERPRINT_CUTOFF) / h)) for h in 1 / np.linalg.norm(np.linalg.inv(metric), axis=0)
        ]
        box = np.stack(np.meshgrid(*[np.arange(-n, n + 1) for n in reach], indexing='ij'), axis=-1).reshape(-1, 3)
        squared = ((box @ metric) ** 2).sum(axis=1)
        last_shell = squared[squared <= FINGERPRINT_CUTOFF].max() + 1e-6
        keep = (squared <= last_shell) & (squared > 1e-10)
        self._points, self._weights = box[keep], 1 / squared[keep]
        self._q = states.mesh.find(self._points)
        self._waves = (self._points - states.mesh.points[self._q]) // divisions
        self._grid = states.grid
        lookup = {tuple(point): index for index, point in enumerate(self._points)}
        scale = divisions[:, None] / divisions[None, :]
        self._images = []
        for operation in operations:
            images = np.rint(self._points @ (operation.rotation / scale)).astype(int)
            self._images.append(np.array([lookup[tuple(image)] for image in images]))
        phases = states.mesh.points @ np.diag(1 / divisions) @ states.mesh.points.T
        self._lattice = np.exp(-2j * np.pi * phases)

    def of(self, density: NDArray[np.complex128]) -> NDArray[np.complex128]:
        """Return the components of a density, shape ``(nk, points)``."""
        components = np.empty(len(self._points), dtype=complex)
        for q in range(len(density)):
            here = np.flatnonzero(self._q == q)
            waves = np.fft.fftn(density[q].reshape(self._grid), norm='forward')
            components[here] = waves[tuple((self._waves[here] % self._grid).T)]
        return components

    def mapping(self, source: NDArray[np.complex128], target: NDArray[np.complex128], number: int) -> float:
        """Return by how much an operation fails to map one density onto another.

        Returns:
            The norm of the difference over the norm, for the lattice translation that fits best; norms weighted with
            the Coulomb interaction.
        """
        operation = self.operations[number]
        translation = np.exp(-2j * np.pi * (self._points / self._mesh.divisions) @ operation.translation)
        product = self._weights * target.conj() * translation * source[self._images[number]]
        per_q = np.bincount(self._q, product.real, len(self._lattice)) + 1j * np.bincount(
            self._q, product.imag, len(self._lattice)
        )
        overlap = (self._lattice @ per_q).real.max()
        norms = [float((self._weights * np.abs(entry) ** 2).sum()) for entry in (source, target)]
        return float(np.sqrt(max(0.0, norms[0] + norms[1] - 2 * overlap) / norms[1]))


def stabiliser(fingerprints: Fingerprints, components: NDArray[np.complex128], tolerance: float) -> list[Operation]:
    """Return the operations that map a density onto itself within a tolerance, see `Fingerprints.mapping`."""
    return [
        operation
        for number, operation in enumerate(fingerprints.operations)
        if fingerprints.mapping(components, components, number) <= tolerance
    ]


def image_points(mesh: Mesh, operation: Operation) -> NDArray[np.int64]:
    """Return for each q the index of the q of the source that the operation maps to it."""
    return mesh.find(np.rint(mesh.reduced @ operation.rotation * mesh.divisions).astype(np.int64))


def equivalent_points(mesh: Mesh, operations: list[Operation]) -> NDArray[np.int64]:
    """Return for each q the smallest index of a q equivalent to it; the density is real, so that -q is.

    Args:
        mesh: the mesh.
        operations: that map the density onto itself.
    """
    opposite = mesh.find(-mesh.points)
    first = np.minimum(np.arange(len(mesh.points)), opposite)
    for operation in operations:
        image = image_points(mesh, operation)
        first = np.minimum(first, np.minimum(image, opposite[image]))
    return first
