"""A coherent match of two crystal faces."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from pymatgen.util.coord import lattice_points_in_supercell

from aiida_foundry.analysis.crystal import Cell
from aiida_foundry.analysis.matching.faces import Face
from aiida_foundry.analysis.matching.lattices import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class MatchSide:
    """One of the two crystals of a match.

    The frame of the interface has z along the normal, from substrate to film, and x along the substrate's first
    superlattice vector. The miller indices of both crystals are those of the direction that ends up along z: it points
    out of the substrate and into the film, so that σ = (P_substrate − P_film)·z.

    Args:
        face: the face: crystal, Miller indices, primitive surface vectors.
        transformation: (2, 2) integer rows: superlattice vectors on the primitive surface vectors of ``face``.
        rotation: (3, 3) proper rotation from the crystal's orientation to the frame of the interface, on columns.
    """

    face: Face
    transformation: IntArray
    rotation: FloatArray

    @property
    def miller(self) -> tuple[int, int, int]:
        """Indices on the conventional cell."""
        return self.face.miller

    @cached_property
    def supercell(self) -> IntArray:
        """(3, 3) integer rows on the primitive vectors of the crystal; the third leads to the next lattice plane."""
        rows: IntArray = np.concatenate([self.transformation @ self.face.basis[:2], self.face.basis[2:]])
        return rows

    @cached_property
    def lattice(self) -> FloatArray:
        """Supercell vectors in Å by rows (3, 3), unstrained, in the frame of the interface."""
        return self.supercell @ self.face.crystal.lattice @ self.rotation.T

    @property
    def area(self) -> float:
        """Area of the unstrained superlattice cell, Å²."""
        (ax, ay, _), (bx, by, _), _ = self.lattice
        return float(ax * by - ay * bx)

    @property
    def atoms(self) -> int:
        """Atoms in the supercell, one lattice plane thick."""
        return len(self.face.crystal.cell.numbers) * round(float(np.linalg.det(self.transformation)))

    @property
    def atoms_per_area(self) -> float:
        """Atoms of one lattice plane per area, 1/Å²."""
        return self.atoms / self.area

    def cell(self, stretch: FloatArray) -> Cell:
        """Return the supercell with its atoms, under a deformation (3, 3) of the frame of the interface (symmetric)."""
        primitive = self.face.crystal.cell
        points = lattice_points_in_supercell(self.supercell)
        positions = (primitive.positions @ np.linalg.inv(self.supercell))[:, None] + points
        # Rounding must not put an atom on the far side of the cell.
        reduced = (positions.reshape(-1, 3) + 1e-9) % 1.0 - 1e-9
        return Cell(self.lattice @ stretch, reduced, np.repeat(primitive.numbers, len(points)))


@dataclass(frozen=True, eq=False)
class Match:
    """A film and a substrate whose superlattices coincide once the film is strained.

    Args:
        film: the crystal on the +z side.
        substrate: the crystal on the −z side.
        strain: (2, 2) logarithmic (Hencky) strain in the plane that takes the film to the substrate: the film's
            in-plane lattice times exp(strain) is the substrate's. Exchanging the crystals changes its sign.
    """

    film: MatchSide
    substrate: MatchSide
    strain: FloatArray

    @property
    def max_strain(self) -> float:
        """Largest absolute principal strain."""
        return float(np.abs(np.linalg.eigvalsh(self.strain)).max())

    @property
    def area(self) -> float:
        """Geometric mean of the two unstrained areas, Å²."""
        return float(np.sqrt(self.film.area * self.substrate.area))

    @property
    def atoms(self) -> int:
        """Atoms in one lattice plane of each crystal."""
        return self.film.atoms + self.substrate.atoms

    @property
    def atoms_per_area(self) -> float:
        """Atoms in one lattice plane of each crystal per area, 1/Å²."""
        return self.atoms / self.area

    def stretch(self, share: float) -> FloatArray:
        """Return the deformation (3, 3) exp(share · strain) of the frame of the interface; z stays as it is."""
        values, axes = np.linalg.eigh(self.strain)
        deformation = np.eye(3)
        deformation[:2, :2] = axes * np.exp(share * values) @ axes.T
        return deformation

    def cells(self, film_share: float = 1.0) -> tuple[Cell, Cell]:
        """Return the supercells of film and substrate, with equal in-plane vectors, in the frame of the interface.

        Args:
            film_share: fraction of the strain that the film takes: 1 for a film on a rigid substrate, ½ for both alike.
        """
        return self.film.cell(self.stretch(film_share)), self.substrate.cell(self.stretch(film_share - 1))


def build_match(film: tuple[Face, IntArray], substrate: tuple[Face, IntArray]) -> Match:
    """Build the match of faces and their superlattices (2, 2) of the same handedness, vector on vector."""
    frames = _frame(*film), _frame(*substrate)
    cells = [
        (transformation @ face.vectors[:2] @ frame.T)[:, :2]
        for (face, transformation), frame in zip((film, substrate), frames, strict=True)
    ]
    rotation, stretch = _polar(np.linalg.solve(*cells))
    values, axes = np.linalg.eigh(stretch)
    turn = np.eye(3)
    turn[:2, :2] = rotation.T
    return Match(
        film=MatchSide(*film, rotation=turn @ frames[0]),
        substrate=MatchSide(*substrate, rotation=frames[1]),
        strain=axes * np.log(values) @ axes.T,
    )


def _frame(face: Face, transformation: IntArray) -> FloatArray:
    """Return the axes by rows: x along the first superlattice vector, z along the normal."""
    a, b = transformation @ face.vectors[:2]
    z = np.cross(a, b)
    axes = np.array([a, np.cross(z, a), z])
    return axes / np.linalg.norm(axes, axis=1)[:, None]


def _polar(deformation: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Split a deformation (2, 2) of row vectors into a rotation and then a symmetric stretch."""
    left, values, right = np.linalg.svd(deformation)
    return left @ right, right.T * values @ right
