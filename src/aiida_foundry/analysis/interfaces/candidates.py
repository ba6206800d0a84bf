"""From matches of crystal faces to candidates for polar interfaces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aiida_foundry.analysis.interfaces.charge import charge_quantum, interface_charge
from aiida_foundry.analysis.interfaces.crystals import Assessed
from aiida_foundry.analysis.interfaces.fronts import pareto_fronts, unsurpassed
from aiida_foundry.analysis.interfaces.properties import ScreenParameters
from aiida_foundry.analysis.interfaces.thickness import band_barrier, superlattice_thickness
from aiida_foundry.analysis.matching import Face, Pairs
from aiida_foundry.analysis.matching.lattices import area as area_of

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: Raise it with every change of a number that a screening returns.
VERSION = 1


class Candidates(NamedTuple):
    """Polar interfaces, one element each.

    Args:
        film, substrate: index of the crystal among those that take part.
        film_face, substrate_face: index of the face of the crystal.
        film_multiple, substrate_multiple: primitive surface cells in the superlattice cell.
        orientation: 1: both crystals along the directions that their Miller indices give; −1: the film along the
            opposite one; 0: both have this charge.
        area: geometric mean of the two superlattice cells, Å².
        strain: largest principal logarithmic strain.
        atoms: of a superlattice with one layer of each crystal of the thickness asked for.
        charge: of least magnitude, e per superlattice cell; one interface of a superlattice has it, the other its
            opposite.
        charge_quantum: what it is known modulo, e per superlattice cell.
        charge_density: its magnitude, e/Å².
        critical_thickness: of each layer of a superlattice, Å; NaN where gap or dielectric constant are not known.
    """

    film: IntArray
    substrate: IntArray
    film_face: IntArray
    substrate_face: IntArray
    film_multiple: IntArray
    substrate_multiple: IntArray
    orientation: IntArray
    area: FloatArray
    strain: FloatArray
    atoms: IntArray
    charge: FloatArray
    charge_quantum: IntArray
    charge_density: FloatArray
    critical_thickness: FloatArray


@dataclass(frozen=True, eq=False)
class Ingredients:
    """What is looked up for every match, as arrays: crystals (n,), and crystals by faces (n, f), padded.

    Args:
        kind: (n,) equal for crystals of one formula and space group.
        fractions: (n, f) P·n̂ in e per primitive surface cell; NaN where it is not known.
        atoms: (n, f) atoms of one primitive surface cell of a layer of the thickness asked for.
        known: (3, n) gap and electron affinity in eV, dielectric constant.
    """

    kind: IntArray
    fractions: FloatArray
    atoms: IntArray
    known: FloatArray


def gather(crystals: Sequence[Assessed], faces: Sequence[Sequence[Face]], min_thickness: float) -> Ingredients:
    """Put what matches need into arrays.

    Args:
        crystals: those that take part.
        faces: of each crystal, in the order of its fractions.
        min_thickness: Å; a layer has as many lattice planes as it takes, one at least.
    """
    width = max(map(len, faces), default=0)
    fractions = np.full((len(crystals), width), np.nan)
    atoms = np.zeros((len(crystals), width), dtype=np.int64)
    for row, (crystal, group) in enumerate(zip(crystals, faces, strict=True)):
        fractions[row, : len(group)] = crystal.fractions
        atoms[row, : len(group)] = [crystal.sites * lattice_planes(face, min_thickness) for face in group]
    kinds = {key: number for number, key in enumerate(dict.fromkeys(map(_kind, crystals)))}
    return Ingredients(
        kind=np.array([kinds[_kind(crystal)] for crystal in crystals], dtype=np.int64),
        fractions=fractions,
        atoms=atoms,
        known=np.array([crystal.known for crystal in crystals]).reshape(-1, 3).T[[0, 2, 1]],
    )


def lattice_planes(face: Face, min_thickness: float) -> int:
    """Return how many lattice planes of a face make a layer of at least a thickness in Å."""
    spacing = abs(np.linalg.det(face.crystal.lattice)) / float(area_of(face.form))
    return max(1, int(np.ceil(min_thickness / spacing - 1e-9)))


def candidates(pairs: Pairs, given: Ingredients, parameters: ScreenParameters) -> tuple[Candidates, dict[str, int]]:
    """Choose the matches with a charge at the interface, in both orientations of the film.

    Of each two faces in one orientation only matches are kept that no other surpasses in charge, strain and atoms.

    The faces of a match stand for their opposites as well; turning the film over changes the sign of its P·n̂. Of two
    chiral crystals one orientation may not match: `find_matches` decides.

    Args:
        pairs: matches of crystal faces.
        given: what is known of the crystals.
        parameters: limits.

    Returns:
        The candidates, and how many matches were dropped by which limit.
    """
    sides = (pairs.film, pairs.film_face), (pairs.substrate, pairs.substrate_face)
    film, substrate = (given.fractions[side] for side in sides)
    atoms = given.atoms[sides[0]] * pairs.film_multiple + given.atoms[sides[1]] * pairs.substrate_multiple
    dropped = {}
    kept = np.ones(len(pairs.area), dtype=bool)
    for reason, bad in (
        ('same material on both sides', given.kind[pairs.film] == given.kind[pairs.substrate]),
        ('more atoms than the limit', atoms > parameters.max_atoms),
        ('polarization along the normal not known', np.isnan(film) | np.isnan(substrate)),
    ):
        dropped[reason] = int((kept & bad).sum())
        kept &= ~bad
    rows = np.flatnonzero(kept)
    chosen = Pairs._make(column[rows] for column in pairs)
    multiples = chosen.film_multiple, chosen.substrate_multiple
    along, against = (
        interface_charge(substrate[rows], sign * film[rows], multiples[1], multiples[0]) for sign in (1, -1)
    )
    both = np.isclose(np.abs(along), np.abs(against), rtol=0, atol=1e-9)
    tables = [
        _oriented(chosen, atoms[rows], given, along, np.where(both, 0, 1)),
        _oriented(chosen, atoms[rows], given, against, np.where(both, 2, -1)),
    ]
    merged = Candidates(*(np.concatenate(columns) for columns in zip(*tables, strict=True)))
    merged = take(merged, merged.orientation != 2)
    charged = merged.charge_density >= parameters.min_charge_density
    dropped['no charge'] = int((~charged).sum())
    merged = take(merged, charged)
    width = given.fractions.shape[1]
    group = (merged.film * width + merged.film_face) * len(given.kind) + merged.substrate
    group = 3 * (group * width + merged.substrate_face) + merged.orientation
    rows = unsurpassed(group, merged.charge_density, merged.strain, merged.atoms)
    dropped['surpassed by another match of the same faces'] = len(group) - len(rows)
    return take(merged, rows), dropped


def _oriented(
    pairs: Pairs, atoms: IntArray, given: Ingredients, charge: FloatArray, orientation: IntArray
) -> Candidates:
    density = np.abs(charge) / pairs.area
    known = given.known[:, np.stack([pairs.film, pairs.substrate])]
    barrier = band_barrier(known[0], known[1])
    return Candidates(
        *pairs[:6],
        orientation=orientation,
        area=pairs.area,
        strain=pairs.strain,
        atoms=atoms,
        charge=charge,
        charge_quantum=charge_quantum(pairs.film_multiple, pairs.substrate_multiple),
        charge_density=density,
        critical_thickness=superlattice_thickness(density, known[2], barrier),
    )


def take(table: Candidates, rows: NDArray) -> Candidates:
    """Return some of the candidates."""
    return Candidates(*(column[rows] for column in table))


def best_pairs(
    film: IntArray, substrate: IntArray, table: tuple[FloatArray, FloatArray, IntArray], number: int
) -> tuple[IntArray, IntArray]:
    """Choose candidates of different pairs of crystals by Pareto front, then charge, strain and atoms.

    Args:
        film: (n,) index of the crystal.
        substrate: (n,) index of the other crystal.
        table: magnitude of the charge density in e/Å², strain and atoms, (n,) each.
        number: how many are wanted.

    Returns:
        Rows, the best first, and the Pareto front of each.
    """
    density, strain, atoms = table
    wanted = number
    while True:
        fronts = pareto_fronts(density, strain, atoms, wanted)
        rows = np.flatnonzero(fronts)
        rows = rows[np.lexsort((rows, atoms[rows], strain[rows], -density[rows], fronts[rows]))]
        pairs = np.column_stack([film[rows], substrate[rows]])
        rows = rows[np.sort(np.unique(pairs, axis=0, return_index=True)[1])]
        if len(rows) >= number or wanted >= len(density):
            return rows[:number], fronts[rows[:number]]
        wanted = min(4 * max(wanted, 1), len(density))


def _kind(crystal: Assessed) -> tuple[str, str]:
    return crystal.formula, crystal.space_group
