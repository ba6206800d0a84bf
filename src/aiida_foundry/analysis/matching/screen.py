"""The best matches of all pairs of many crystals."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from aiida_foundry.analysis.matching.crystal import Crystal
from aiida_foundry.analysis.matching.faces import Face, distinct_faces
from aiida_foundry.analysis.matching.lattices import FloatArray, IntArray, area
from aiida_foundry.analysis.matching.limits import Limit, largest_strain, strain_coordinates
from aiida_foundry.analysis.matching.lookup import Lookup
from aiida_foundry.analysis.matching.superlattices import distinct_shapes, superlattices

#: Crystals handled together. Memory grows with its square, the overhead of a pair of blocks with its inverse.
BLOCK = 100
#: Strains closer than this are equal: it is far below what lattice constants are known to.
STRAIN_STEP = 1e-5


class Pairs(NamedTuple):
    """Matches of pairs of faces, one element each.

    Args:
        film, substrate: index of the crystal.
        film_face, substrate_face: index into `Screen.faces` of the crystal.
        film_multiple, substrate_multiple: superlattice area in primitive surface cells.
        area: geometric mean of the two superlattice areas, Å².
        strain: largest absolute principal logarithmic strain.
    """

    film: IntArray
    substrate: IntArray
    film_face: IntArray
    substrate_face: IntArray
    film_multiple: IntArray
    substrate_multiple: IntArray
    area: FloatArray
    strain: FloatArray


class Screen:
    """All crystals against all others.

    For every pair of faces the best superlattices are given: those to which no other is better in both area and strain
    (the Pareto front), the smallest first. Faces count as one with their opposites and mirror images, because turning a
    film over mirrors its surface lattice and changes neither area nor strain. Unless both crystals are chiral (no
    improper operation), both orientations of the film have these matches: its mirror image, turned over, has the
    lattice of the face itself. `find_matches` tells orientations and alignments apart, and gives the transformations.

    Memory is bounded: a table of the shapes of all superlattices (about 150 bytes each), and the matches of two blocks.

    Args:
        crystals: the crystals; of each pair the one that comes first is the film.
        max_miller: largest Miller index of the faces, on the conventional cells.
        max_area: largest area of either superlattice cell, Å².
        limit: the criterion, e.g. ``StrainLimit(0.03)``.

    Raises:
        InputError: one of the limits makes no sense.
    """

    def __init__(self, crystals: Sequence[Crystal], *, max_miller: int, max_area: float, limit: Limit) -> None:
        self.faces: list[list[Face]] = [distinct_faces(crystal, max_miller, laue=True) for crystal in crystals]
        starts = range(0, len(crystals), BLOCK)
        self._blocks = [_Block(self.faces[start : start + BLOCK], start, max_area, limit) for start in starts]

    @property
    def tiles(self) -> list[tuple[int, int]]:
        """Return the pairs of blocks, for ``tile``: together they hold every pair of crystals once."""
        return list(itertools.combinations_with_replacement(range(len(self._blocks)), 2))

    def tile(self, film: int, substrate: int) -> Pairs:
        """Return the matches of two blocks of crystals, ordered by crystals, faces and area."""
        return self._blocks[film].matches(self._blocks[substrate])

    def __iter__(self) -> Iterator[Pairs]:
        """Yield the matches of each two blocks of crystals."""
        return (self.tile(*tile) for tile in self.tiles)


class _Block:
    """The superlattices of consecutive crystals, ready to be looked up."""

    def __init__(self, faces: list[list[Face]], start: int, max_area: float, limit: Limit) -> None:
        counts = [len(group) for group in faces]
        self.crystal = np.repeat(np.arange(start, start + len(faces)), counts)
        self.face = np.concatenate([np.arange(count) for count in counts])
        forms = np.array([face.form for group in faces for face in group])
        self.area = area(forms)
        table = distinct_shapes(superlattices(forms, max_area))
        # In the order of the lookup, neighbours among the film's superlattices have their candidates close together.
        table = table.take(Lookup(table.form, limit).order)
        self.lattice, self.multiple, self.form = table.lattice, table.multiple, table.form
        self.place = strain_coordinates(table.form)
        self.lookup = Lookup(table.form, limit)

    def matches(self, other: _Block) -> Pairs:
        """Return the Pareto fronts of all pairs of a face here and a face of a later crystal in ``other``."""
        films, substrates = other.lookup.matches(self.form)
        later = self.crystal[self.lattice[films]] < other.crystal[other.lattice[substrates]]
        films, substrates = films[later], substrates[later]
        strain = largest_strain(self.place[:, films], other.place[:, substrates])
        group = self.lattice[films] * len(other.crystal) + other.lattice[substrates]
        front = pareto_front(group, self.multiple[films] * other.multiple[substrates], strain)
        return self._pairs(other, films[front], substrates[front], strain[front])

    def _pairs(self, other: _Block, films: IntArray, substrates: IntArray, strain: FloatArray) -> Pairs:
        film, substrate = self.lattice[films], other.lattice[substrates]
        multiples = self.multiple[films], other.multiple[substrates]
        return Pairs(
            film=self.crystal[film],
            substrate=other.crystal[substrate],
            film_face=self.face[film],
            substrate_face=other.face[substrate],
            film_multiple=multiples[0],
            substrate_multiple=multiples[1],
            area=np.sqrt(multiples[0] * self.area[film] * multiples[1] * other.area[substrate]),
            strain=strain,
        )


def pareto_front(group: IntArray, size: IntArray, strain: FloatArray) -> IntArray:
    """Return the rows that no other of their group surpasses in both size and strain, by group, then by size.

    Args:
        group: (n,) labels, not negative.
        size: (n,) positive.
        strain: (n,), compared in steps of `STRAIN_STEP`.
    """
    steps = np.rint(strain / STRAIN_STEP).astype(np.int64)
    span = int(steps.max(initial=0)) + 1
    # One integer per row sorts ten times faster than three columns do.
    order = np.argsort((group * (int(size.max(initial=0)) + 1) + size) * span + steps)
    sorted_group = group[order]
    rank = np.cumsum(np.diff(sorted_group, prepend=sorted_group[:1]) != 0)
    # The offset keeps the running minimum from reaching over from one group into the next.
    level = steps[order] - rank * span
    new = np.ones(len(order), dtype=bool)
    new[1:] = level[1:] < np.minimum.accumulate(level)[:-1]
    return order[new]
