"""The exact match behind a candidate: transformations, rotations, strain, and the terminations of both crystals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pymatgen.core import Structure

from aiida_foundry.analysis.interfaces.charge import charge_quantum, interface_charge
from aiida_foundry.analysis.interfaces.crystals import face_fraction, given_fractions, matching_crystal
from aiida_foundry.analysis.interfaces.cuts import Cut, cuts
from aiida_foundry.analysis.interfaces.properties import KnownProperties
from aiida_foundry.analysis.matching import (
    Face,
    Match,
    MatchSide,
    StrainLimit,
    build_match,
    crystal_face,
    find_matches,
    match_faces,
    same_planes,
)
from aiida_foundry.analysis.matching.lattices import determinant
from aiida_foundry.analysis.polarization import FormalPolarization, formal_polarization
from aiida_foundry.common.errors import InputError

#: Raise it with every change of what `exact_match` returns.
VERSION = 1
#: Candidates are stored in single precision.
STORED = 1e-4


def exact_match(
    film: tuple[Structure, KnownProperties],
    substrate: tuple[Structure, KnownProperties],
    candidate: Mapping[str, Any],
    max_strain: float,
) -> dict[str, Any]:
    """Return the match that a candidate of a screening stands for.

    Args:
        film: the crystal on the +z side, and what is known of it.
        substrate: the crystal on the −z side.
        candidate: a row of the table of pairs: Miller indices, multiples, orientation, area, strain and charge.
        max_strain: limit that the screening had.

    Returns:
        Both sides (Miller indices on spglib's standard conventional cell and on the cell given; ``transformation``,
        integer rows of the superlattice on the primitive surface vectors; ``supercell``, the same on the cell given,
        with the vector to the next lattice plane; ``rotation`` into the frame of the interface; area in Å²; cuts), the
        logarithmic strain that takes the film to the substrate, the charge in e per superlattice cell with its
        quantum, signed for the terminations of least charge, the number of other alignments of the same size, and the
        arguments that `foundry.interfaces.heterostructure` builds this match from (``heterostructure``).

    Raises:
        InputError: no match has these numbers in this orientation, as may happen with two chiral crystals.
    """
    sides = [_Side(*film, candidate['film_miller']), _Side(*substrate, candidate['substrate_miller'])]
    limits: dict[str, Any] = {
        'max_miller': max(abs(index) for side in sides for index in side.face.miller),
        'max_area': candidate['area_A2'] * np.exp(2 * max_strain),
        'limit': StrainLimit(max_strain),
    }
    found = [
        match
        for match in find_matches(sides[0].crystal, sides[1].crystal, **limits)
        if _is_candidate(match, sides, candidate)
    ]
    if not found:
        raise InputError(
            f'match of {film[0].composition.reduced_formula} and {substrate[0].composition.reduced_formula}',
            'the film does not fit in this orientation',
            'Two chiral crystals match with one face of each; take the next candidate.',
        )
    # the same search that a heterostructure is built from, so that the place in it tells which one is meant
    faces = found[0].film.face, found[0].substrate.face
    limits.pop('max_miller')
    ranked = enumerate(match_faces(*faces, **limits))
    choice, match = next((place, match) for place, match in ranked if _is_candidate(match, sides, candidate))
    quantum = int(charge_quantum(*(int(determinant(side.transformation)) for side in (match.film, match.substrate))))
    return {
        'film': sides[0].record(match.film),
        'substrate': sides[1].record(match.substrate),
        'strain': match.strain.tolist(),
        'max_strain': match.max_strain,
        'area_A2': match.area,
        'charge_e': _charge(match, sides),
        'charge_quantum_e': quantum,
        'other_alignments': len(found) - 1,
        'heterostructure': {
            'film_miller': list(match.film.miller),
            'substrate_miller': list(match.substrate.miller),
            'overrides': {
                'matching': {'max_area': float(limits['max_area']), 'max_strain': max_strain, 'choice': choice},
                'properties': {'film': _handed_on(film[1]), 'substrate': _handed_on(substrate[1])},
            },
        },
    }


def match_of(film: Structure, substrate: Structure, record: Mapping[str, Any]) -> Match:
    """Return the match object that a record of ``exact_match`` describes.

    Args:
        film: the crystal of the record's film, in the orientation it had.
        substrate: the other crystal.
        record: as ``exact_match`` returns it.
    """
    sides = [
        (crystal_face(matching_crystal(structure), tuple(side['miller'])), np.array(side['transformation']))
        for structure, side in ((film, record['film']), (substrate, record['substrate']))
    ]
    return build_match(*sides)


def _handed_on(known: KnownProperties) -> dict[str, Any]:
    names = ('gap', 'dielectric_constant', 'oxidation_states')
    return {name: value for name in names if (value := getattr(known, name)) is not None}


class _Side:
    """A crystal of the pair with its polarization."""

    def __init__(self, structure: Structure, known: KnownProperties, miller: str) -> None:
        self.structure = structure
        self.crystal = matching_crystal(structure)
        self.formal: FormalPolarization = formal_polarization(structure, known.oxidation_states, known.moments)
        self.vector = given_fractions(self.formal, known.polarization)
        h, k, l = map(int, miller.split())  # noqa: E741
        self.face = crystal_face(self.crystal, (h, k, l))

    def fraction(self, face: Face) -> float:
        """Return P·n̂ in e per primitive surface cell, modulo 1."""
        return face_fraction(self.formal, self.structure, face, self.vector)

    def indices(self, face: Face) -> list[int]:
        """Return Miller indices on the cell given."""
        indices: list[int] = np.rint(self.structure.lattice.matrix @ face.reciprocal).astype(int).tolist()
        return indices

    def record(self, side: MatchSide) -> dict[str, Any]:
        """Return what is needed to build this side."""
        crystal = self.formal.crystal
        symbols = [site.specie.symbol for site in crystal.structure]
        found: list[Cut] = cuts(
            side.face, crystal.lattice, crystal.positions, symbols, list(self.formal.oxidation.charges)
        )
        on_given = side.supercell @ side.face.crystal.lattice @ np.linalg.inv(self.structure.lattice.matrix)
        return {
            'formula': self.structure.composition.reduced_formula,
            'miller': list(side.miller),
            'miller_on_cell': self.indices(side.face),
            'transformation': side.transformation.tolist(),
            'supercell': on_given.round(9).tolist(),
            'rotation': side.rotation.tolist(),
            'area_A2': side.area,
            'spacing_A': float(side.lattice[2, 2]),
            'fraction_e': self.fraction(side.face),
            'cuts': [cut._asdict() for cut in found],
        }


def _charge(match: Match, sides: list[_Side]) -> float:
    (film, substrate), pair = sides, (match.film, match.substrate)
    multiples = [int(determinant(side.transformation)) for side in pair]
    return float(
        interface_charge(substrate.fraction(pair[1].face), film.fraction(pair[0].face), multiples[1], multiples[0])
    )


def _is_candidate(match: Match, sides: list[_Side], candidate: Mapping[str, Any]) -> bool:
    multiples = [int(determinant(side.transformation)) for side in (match.film, match.substrate)]
    return (
        multiples == [candidate['film_multiple'], candidate['substrate_multiple']]
        and abs(match.max_strain - candidate['strain']) < STORED
        and all(
            same_planes(side.face, made.face) for side, made in zip(sides, (match.film, match.substrate), strict=True)
        )
        and abs(abs(_charge(match, sides)) - abs(candidate['charge_e'])) < STORED
    )
