"""From a match and a specification to the atoms of a heterostructure, and what lies where in it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import spglib
from ase.formula import Formula

from aiida_foundry.analysis.crystal import Cell, FloatArray, IntArray
from aiida_foundry.analysis.matching import Crystal, Match, MatchSide, crystal_face
from aiida_foundry.analysis.matching.match import build_match
from aiida_foundry.common.errors import InputError
from aiida_foundry.structures.interfaces.planes import PLANE_TOLERANCE, Stack, formula_of
from aiida_foundry.structures.interfaces.registry import continuation
from aiida_foundry.structures.interfaces.spec import InterfaceSpec, Side
from aiida_foundry.structures.interfaces.vacancies import SYMPREC, arrangements

VERSION = 1
"""Raise it with every change of a position."""

ROUNDING = 1e-6
"""Å; smaller components of the third vector in the plane are rounding."""


@dataclass(frozen=True, eq=False)
class Slab:
    """A finite piece of a crystal; z is counted from its lower boundary, half a spacing below its lowest plane.

    Args:
        stack: the crystal.
        first: index of the lowest plane.
        count: number of planes.
        numbers: atomic numbers (n,).
        positions: Cartesian positions (n, 3), Å.
    """

    stack: Stack
    first: int
    count: int
    numbers: IntArray
    positions: FloatArray

    @property
    def thickness(self) -> float:
        """Distance of the boundaries, Å."""
        return self.stack.cut(self.first + self.count) - self.stack.cut(self.first)

    def plane(self, index: int) -> tuple[IntArray, FloatArray]:
        """Return numbers and in-plane positions (n, 2) of a plane, those beyond the ends included."""
        numbers, positions = self.stack.atoms(self.first + index)
        return numbers, positions[:, :2]


@dataclass(frozen=True, eq=False)
class Heterostructure:
    """Atoms, and what lies where.

    Args:
        cell: the atoms.
        layout: plain values: ``kind``; ``gap`` in Å; ``area`` in Å²; ``orthogonal``: whether the third vector is along
            the normal; ``slabs`` from the lowest, with ``name``, ``formula``, ``bottom`` and ``top`` in Å, ``period``
            in Å, ``atoms`` and ``ends``; ``interfaces`` with ``height`` in Å, the names of the slabs ``below`` and
            ``above`` and ``label``, the formulas of the planes that meet; ``surfaces`` of slabs with ``height`` and
            ``label``.
    """

    cell: Cell
    layout: dict[str, Any]


def match_of(film: Crystal, substrate: Crystal, spec: InterfaceSpec) -> Match:
    """Return the match that a specification describes."""
    sides = [
        (crystal_face(crystal, side.miller), np.array(side.transformation, dtype=np.int64))
        for crystal, side in ((film, spec.film), (substrate, spec.substrate))
    ]
    for (_, matrix), name in zip(sides, ('film', 'substrate'), strict=True):
        if round(float(np.linalg.det(matrix))) < 1:
            raise InputError(f'interface `{name}.transformation`', 'it is not right-handed', 'Exchange its rows')
    return build_match(*sides)


def stacks(match: Match, film_share: float) -> tuple[Stack, Stack]:
    """Return film and substrate as stacks of planes, strained to the common superlattice."""
    film, substrate = match.cells(film_share)
    return Stack(film), Stack(substrate)


def bulk_cells(match: Match, film_share: float) -> tuple[Cell, Cell]:
    """Return the primitive cells of film and substrate, strained as in the heterostructure and in its frame."""
    return (
        _bulk_cell(match.film, match.stretch(film_share)),
        _bulk_cell(match.substrate, match.stretch(film_share - 1)),
    )


def _bulk_cell(side: MatchSide, stretch: FloatArray) -> Cell:
    primitive, basis = side.face.crystal.cell, side.face.basis
    lattice = basis @ primitive.lattice @ side.rotation.T @ stretch
    return Cell(lattice, (primitive.positions @ np.linalg.inv(basis)) % 1.0, primitive.numbers)


def cut_slab(stack: Stack, side: Side, name: str, interface: Literal['bottom', 'top']) -> Slab:
    """Cut a slab out of a crystal and leave its vacancies out.

    Args:
        stack: the crystal.
        side: how thick, and where it is cut.
        name: for messages.
        interface: the end that has the vacancies.

    Raises:
        InputError: there is no such termination or arrangement of vacancies.
    """
    repeat = len(stack.planes)
    if side.termination >= repeat:
        raise InputError(
            f'interface `{name}.termination`', f'{side.termination} is not below {repeat}', 'See `terminations`'
        )
    count = side.layers * repeat + side.symmetric
    planes = [stack.atoms(side.termination + index) for index in range(count)]
    if side.vacancies is not None:
        index = 0 if interface == 'bottom' else count - 1
        planes[index] = _without(stack, side, side.termination + index, name)
    numbers = np.concatenate([plane[0] for plane in planes])
    positions = np.concatenate([plane[1] for plane in planes])
    return Slab(stack, side.termination, count, numbers, positions - [0, 0, stack.cut(side.termination)])


def _without(stack: Stack, side: Side, plane: int, name: str) -> tuple[IntArray, FloatArray]:
    vacancies = side.vacancies
    assert vacancies is not None  # noqa: S101  for mypy: the caller has looked
    choices = arrangements(stack, plane, vacancies.element, vacancies.count)
    if vacancies.choice >= len(choices):
        raise InputError(
            f'interface `{name}.vacancies.choice`', f'there are {len(choices)} arrangements', 'Count from zero'
        )
    numbers, positions = stack.atoms(plane)
    kept = np.setdiff1d(np.arange(len(numbers)), choices[vacancies.choice])
    return numbers[kept], positions[kept]


def build(film: Crystal, substrate: Crystal, spec: InterfaceSpec) -> Heterostructure:
    """Put a film on a substrate.

    Args:
        film: the film's crystal.
        substrate: the substrate's crystal.
        spec: what is wanted.

    Raises:
        InputError: the specification contradicts the crystals.
    """
    match = match_of(film, substrate, spec)
    upper, lower = stacks(match, spec.film_share)
    above = cut_slab(upper, spec.film, 'film', 'bottom')
    below = cut_slab(lower, spec.substrate, 'substrate', 'top')
    plane = lower.cell.lattice[:2]
    raised = _place(plane, above, below, spec)
    if spec.kind == 'symmetric-slab':
        return _symmetric(plane, above, below, raised, spec)
    top = below.thickness + spec.gap + above.thickness
    c = _next_cell(plane, above, below, raised, spec, top) if spec.kind == 'superlattice' else None
    lattice = np.array([*plane, [0, 0, top + spec.vacuum] if c is None else c])
    pieces = [('substrate', below, below.positions, 0.0), ('film', above, raised, below.thickness + spec.gap)]
    return _assemble(lattice, pieces, spec)


def _place(plane: FloatArray, above: Slab, below: Slab, spec: InterfaceSpec) -> FloatArray:
    """Return the positions of the film on the substrate."""
    best = continuation(plane[:, :2], above.plane(0), below.plane(below.count))
    shift = best + np.array(spec.shift) @ plane[:, :2]
    return above.positions + np.array([*shift, below.thickness + spec.gap])


def _next_cell(
    plane: FloatArray, above: Slab, below: Slab, raised: FloatArray, spec: InterfaceSpec, top: float
) -> FloatArray:
    """Return the third vector (3,) of a superlattice: the next substrate best continues the film."""
    numbers, beyond = above.plane(above.count)
    beyond = beyond + (raised - above.positions)[0, :2]
    shift = continuation(plane[:, :2], below.plane(0), (numbers, beyond))
    shift[np.abs(shift) < ROUNDING] = 0.0
    return np.array([*shift, top + spec.gap])


def _symmetric(plane: FloatArray, above: Slab, below: Slab, raised: FloatArray, spec: InterfaceSpec) -> Heterostructure:
    """Put the film on both sides, by an operation of the substrate that exchanges its surfaces."""
    height = below.thickness + 2 * (above.thickness + spec.gap) + spec.vacuum
    lattice = np.array([*plane, [0, 0, height]])
    inverse = np.linalg.inv(lattice)
    symmetry = spglib.get_symmetry((lattice, below.positions @ inverse, below.numbers), symprec=SYMPREC)
    flips = [
        (rotation, translation)
        for rotation, translation in zip(symmetry['rotations'], symmetry['translations'], strict=True)
        if rotation[2].tolist() == [0, 0, -1]
    ]
    if not flips:
        raise InputError(
            'kind `symmetric-slab`',
            'no symmetry of the substrate exchanges its two surfaces',
            'Set `substrate.symmetric`, choose another termination, or take kind `slab`',
        )
    rotation, translation = flips[0]
    mirrored = ((raised @ inverse) @ rotation.T + translation) @ lattice
    # the operation is known modulo the cell: the film comes to lie right below the substrate
    mirrored[:, 2] -= height * np.rint((mirrored[:, 2].mean() + above.thickness / 2) / height)
    base = above.thickness + spec.gap
    lift = np.array([0, 0, base])
    pieces = [
        ('film below', above, mirrored + lift, 0.0),
        ('substrate', below, below.positions + lift, base),
        ('film', above, raised + lift, base + below.thickness + spec.gap),
    ]
    return _assemble(lattice, pieces, spec)


def _assemble(
    lattice: FloatArray, pieces: list[tuple[str, Slab, FloatArray, float]], spec: InterfaceSpec
) -> Heterostructure:
    numbers = np.concatenate([piece.numbers for _, piece, _, _ in pieces])
    positions = np.concatenate([place for _, _, place, _ in pieces])
    slabs: list[dict[str, Any]] = []
    start = 0
    for name, piece, place, bottom in pieces:
        slabs.append(
            {
                'name': name,
                'formula': str(Formula(formula_of(piece.stack.cell.numbers)).reduce()[0]),
                'bottom': bottom,
                'top': bottom + piece.thickness,
                'period': piece.stack.period,
                'atoms': list(range(start, start + len(place))),
                'ends': [_formula_at(piece.numbers, place, end) for end in (place[:, 2].min(), place[:, 2].max())],
            }
        )
        start += len(place)
    layout = {
        'kind': spec.kind,
        'gap': spec.gap,
        'area': float(np.linalg.norm(np.cross(lattice[0], lattice[1]))),
        'orthogonal': bool(np.abs(lattice[2, :2]).max() < ROUNDING),
        'slabs': slabs,
        'interfaces': _interfaces(slabs, lattice[2, 2], periodic=spec.kind == 'superlattice'),
        'surfaces': [] if spec.kind == 'superlattice' else _surfaces(slabs),
    }
    # tiny negative coordinates would become 1
    reduced = (positions @ np.linalg.inv(lattice) + 1e-9) % 1.0 - 1e-9
    return Heterostructure(Cell(lattice, reduced, numbers), layout)


def _formula_at(numbers: IntArray, positions: FloatArray, height: float) -> str:
    return formula_of(numbers[np.abs(positions[:, 2] - height) < PLANE_TOLERANCE])


def _interfaces(slabs: list[dict[str, Any]], height: float, periodic: bool) -> list[dict[str, Any]]:
    pairs = list(pairwise(slabs))
    if periodic:
        pairs.append((slabs[-1], {**slabs[0], 'bottom': height}))
    return [
        {
            'height': float(((low['top'] + high['bottom']) / 2) % height),
            'below': low['name'],
            'above': high['name'],
            'label': f'{low["ends"][1]}/{high["ends"][0]}',
        }
        for low, high in pairs
    ]


def _surfaces(slabs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the two surfaces of a slab; they lie half a spacing beyond the outermost planes."""
    return [
        {'height': slabs[0]['bottom'], 'label': f'surface {slabs[0]["ends"][0]}'},
        {'height': slabs[-1]['top'], 'label': f'surface {slabs[-1]["ends"][1]}'},
    ]
