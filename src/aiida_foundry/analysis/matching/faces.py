"""Crystal faces: primitive surface cells, their symmetry, and which faces are different."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from aiida_foundry.analysis.matching.crystal import Crystal
from aiida_foundry.analysis.matching.lattices import FloatArray, IntArray, gram, reduce_forms
from aiida_foundry.common.errors import InputError

#: A common multiple of the denominators of primitive vectors on conventional ones (centrings A, C, I, F: 2; R: 3).
_CENTRING = 6


@dataclass(frozen=True, eq=False)
class Face:
    """One side of a crystal, seen with its outward normal pointing at the viewer.

    Args:
        crystal: the crystal.
        miller: coprime indices on the conventional cell; the normal points along their reciprocal vector.
        basis: (3, 3) integer rows on the primitive vectors, determinant 1: a, b reduced and right-handed about the
            normal, and the shortest vector from one lattice plane to the next.
    """

    crystal: Crystal
    miller: tuple[int, int, int]
    basis: IntArray

    @property
    def vectors(self) -> FloatArray:
        """a, b and the stacking vector in Å by rows (3, 3), in the orientation of the crystal."""
        return self.basis @ self.crystal.lattice

    @property
    def form(self) -> FloatArray:
        """The Gram form (3,) of a and b in Å²."""
        return gram(self.vectors[:2])

    @property
    def index(self) -> IntArray:
        """Miller indices (3,) on the primitive cell."""
        return np.cross(self.basis[0], self.basis[1])

    @property
    def reciprocal(self) -> FloatArray:
        """The shortest reciprocal vector along the normal, 1/Å (3,): lattice vectors times it are Miller indices."""
        return np.asarray(np.linalg.solve(self.crystal.lattice, self.index), dtype=float)

    @cached_property
    def symmetry(self) -> IntArray:
        """Matrices (k, 2, 2) that carry a, b to their images under the point operations that keep the normal.

        Determinant −1 belongs to mirror planes that hold the normal.
        """
        rotations = self.crystal.rotations
        kept = rotations[(self.index @ _inverse(rotations) == self.index).all(axis=1)]
        images = self.basis[:2] @ kept.transpose(0, 2, 1)
        in_plane: IntArray = np.rint(images @ np.linalg.inv(self.basis))[:, :, :2].astype(np.int64)
        return in_plane


def distinct_faces(crystal: Crystal, max_miller: int, laue: bool = False) -> list[Face]:
    """Return the faces that no symmetry relates, by increasing indices.

    Two faces are the same if a proper rotation of the crystal carries one to the other. A face and its mirror image
    are kept apart (they coincide only where a mirror plane holds the normal, see `mirror_images`), and so are a face
    and its opposite, because turning a film over reverses its polarization.

    Args:
        crystal: the crystal.
        max_miller: largest absolute index on the conventional cell. Faces count if any of their equivalents is within.
        laue: take faces related by any operation, or opposite to each other, as the same: their surface lattices are
            equal or mirror images.

    Raises:
        InputError: the largest index is less than 1.
    """
    if max_miller < 1:
        raise InputError(f'largest Miller index {max_miller}', 'there is no face below 1', 'Give 1 or more.')
    conventional = _coprime_indices(max_miller)
    indices = _primitive_indices(crystal, conventional)
    if laue:
        operations = np.concatenate([crystal.rotations, -crystal.rotations])
    else:
        operations = crystal.rotations[crystal.determinants == 1]
    classes = _orbits(indices, operations)
    chosen = sorted(np.unique(classes, return_index=True)[1])
    bases = _bases(crystal.lattice, indices[chosen])
    millers = map(tuple, conventional[chosen].tolist())
    return [Face(crystal, miller, basis) for miller, basis in zip(millers, bases, strict=True)]


def crystal_face(crystal: Crystal, miller: tuple[int, int, int]) -> Face:
    """Return the face with coprime Miller indices on the conventional cell.

    Raises:
        InputError: the indices are all zero, or have a common divisor.
    """
    if np.gcd.reduce(miller) != 1:
        raise InputError(f'Miller indices {miller}', 'they are not coprime', 'Divide them by their common divisor.')
    index = _primitive_indices(crystal, np.array([miller]))
    return Face(crystal, miller, _bases(crystal.lattice, index)[0])


def same_planes(face: Face, other: Face) -> bool:
    """Tell whether two faces of a crystal are related by any of its operations, or opposite to such: ``laue`` above."""
    operations = np.concatenate([face.crystal.rotations, -face.crystal.rotations])
    first, second = _orbits(np.array([face.index, other.index]), operations)
    return bool(first == second)


def mirror_images(faces: list[Face]) -> list[int] | None:
    """Return for each of all the distinct faces of a crystal the index of its mirror image, None if there is none.

    Only improper operations make mirror images: a crystal without any exists in two forms, which are not exchanged.
    """
    crystal = faces[0].crystal
    improper = crystal.rotations[crystal.determinants == -1]
    if not len(improper):
        return None
    indices = np.array([face.index for face in faces])
    images = indices @ _inverse(improper[0])
    proper = crystal.rotations[crystal.determinants == 1]
    classes = _orbits(np.concatenate([indices, images]), proper)
    position = {label: place for place, label in enumerate(classes[: len(faces)])}
    return [position[label] for label in classes[len(faces) :]]


def _coprime_indices(largest: int) -> IntArray:
    """Return the coprime triples within ``largest``, simple and positive ones first."""
    triples = [
        triple for triple in itertools.product(range(-largest, largest + 1), repeat=3) if np.gcd.reduce(triple) == 1
    ]
    triples.sort(key=lambda hkl: (sum(map(abs, hkl)), sum(index < 0 for index in hkl), [-index for index in hkl]))
    return np.array(triples, dtype=np.int64)


def _primitive_indices(crystal: Crystal, conventional: IntArray) -> IntArray:
    """Convert Miller indices (n, 3) on the conventional cell to coprime ones on the primitive cell."""
    on_conventional = crystal.lattice @ np.linalg.inv(crystal.conventional)
    scaled = np.rint(conventional @ on_conventional.T * _CENTRING).astype(np.int64)
    return scaled // np.gcd.reduce(scaled, axis=1)[:, None]


def _inverse(rotations: IntArray) -> IntArray:
    return np.rint(np.linalg.inv(rotations)).astype(np.int64)


def _orbits(indices: IntArray, operations: IntArray) -> IntArray:
    """Label Miller indices (n, 3) by their orbit under point operations: equal labels, equivalent faces."""
    images = np.einsum('ni,kij->nkj', indices, _inverse(operations))
    base = 2 * int(np.abs(images).max()) + 1
    packed: IntArray = (images @ np.array([base**2, base, 1])).max(axis=1)
    return packed


def _bases(lattice: FloatArray, indices: IntArray) -> IntArray:
    """Return the bases (n, 3, 3) of faces, as `Face` has them, for coprime Miller indices (n, 3) on ``lattice``."""
    bases = np.array([_unimodular(index) for index in indices.tolist()])
    bases[:, :2] = reduce_forms(gram(bases[:, :2] @ lattice))[1] @ bases[:, :2]
    bases[:, 1] *= np.rint(np.linalg.det(bases)).astype(np.int64)[:, None]
    bases[:, 2] -= np.einsum('ni,nij->nj', _nearest(bases @ lattice), bases[:, :2])
    return bases


def _unimodular(index: list[int]) -> IntArray:
    """Complete coprime h to integer rows u₁, u₂, t of determinant ±1 with u·h = 0 and t·h = 1 (Euclid)."""
    rows = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    values = list(index)
    while sum(value != 0 for value in values) > 1:
        pivot = min((row for row in range(3) if values[row]), key=lambda row: abs(values[row]))
        for row in range(3):
            if row != pivot:
                quotient = values[row] // values[pivot]
                rows[row] = [x - quotient * y for x, y in zip(rows[row], rows[pivot], strict=True)]
                values[row] -= quotient * values[pivot]
    rows.sort(key=lambda row: abs(sum(u * h for u, h in zip(row, index, strict=True))))
    rows[2] = [x * sum(values) for x in rows[2]]
    return np.array(rows, dtype=np.int64)


def _nearest(vectors: FloatArray) -> IntArray:
    """Return the multiples (n, 2) of a and b that, taken from the third vector, leave the least of it in the plane.

    The nearest lattice point is a corner of the cell around, because a and b are reduced.
    """
    in_plane = vectors[:, :2]
    metric = in_plane @ in_plane.transpose(0, 2, 1)
    shift = np.linalg.solve(metric, in_plane @ vectors[:, 2, :, None])[:, :, 0]
    corners = np.floor(shift)[:, None] + np.array(list(itertools.product((0, 1), repeat=2)))
    rest = shift[:, None] - corners
    squares = np.einsum('nci,nij,ncj->nc', rest, metric, rest)
    return corners[np.arange(len(corners)), squares.argmin(axis=1)].astype(np.int64)
