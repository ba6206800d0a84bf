"""All coherent matches of two crystals."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from aiida_foundry.analysis.matching.alignments import alignments, distinct, equivalences
from aiida_foundry.analysis.matching.crystal import Crystal
from aiida_foundry.analysis.matching.faces import Face, distinct_faces, mirror_images
from aiida_foundry.analysis.matching.lattices import FloatArray, IntArray, area, determinant, transform
from aiida_foundry.analysis.matching.limits import Limit, largest_strain, strain_coordinates
from aiida_foundry.analysis.matching.lookup import Lookup
from aiida_foundry.analysis.matching.match import Match, build_match
from aiida_foundry.analysis.matching.orientation import misorientation
from aiida_foundry.analysis.matching.superlattices import superlattices

#: Relative differences of area below it are rounding.
_AREA_STEP = 1e-9


class _Candidates(NamedTuple):
    """Matches: face indices (n,), superlattice vectors (n, 2, 2), areas and strains (n,)."""

    film_face: IntArray
    substrate_face: IntArray
    film: IntArray
    substrate: IntArray
    area: FloatArray
    strain: FloatArray


def find_matches(
    film: Crystal, substrate: Crystal, *, max_miller: int, max_area: float, limit: Limit
) -> Iterator[Match]:
    """Find all coherent matches of two crystals, smallest area first, least strained first among equal areas.

    A match is a film face, a substrate face and a coincidence lattice. Repetitions of a smaller match are left out, and
    all but one of the matches that symmetry makes the same: rotations of either crystal, and reflections of both. What
    differs by turning the film over, by a mirror image of one crystal alone, or by a rotation that is a symmetry of
    neither, is kept.

    The search runs at the call; match objects are built as they are asked for.

    Args:
        film: the crystal that is strained.
        substrate: the crystal that is not.
        max_miller: largest Miller index of the faces, on the conventional cells.
        max_area: largest area of either superlattice cell, Å².
        limit: the criterion, e.g. ``StrainLimit(0.03)``.

    Raises:
        InputError: one of the limits makes no sense.
    """
    faces = distinct_faces(film, max_miller), distinct_faces(substrate, max_miller)
    candidates = _candidates(*faces, max_area, limit)
    rows = _ranked(candidates, _distinct_rows(candidates, *faces))
    return (_match(candidates, row, *faces) for row in rows)


def match_faces(film: Face, substrate: Face, *, max_area: float, limit: Limit) -> Iterator[Match]:
    """Find all coherent matches of two faces, reduced as by `find_matches`.

    They are ranked by area, then by strain, then by the angle between the axes of the crystals: a film may lie on its
    substrate as a twin as well as in parallel, and only the bonds tell the difference.

    Args:
        film: the face that is strained; its normal points into the film.
        substrate: the face that is not; its normal points out of the substrate.
        max_area: largest area of either superlattice cell, Å².
        limit: the criterion.

    Raises:
        InputError: one of the limits makes no sense.
    """
    candidates = _candidates([film], [substrate], max_area, limit)
    operations = equivalences(film.symmetry, substrate.symmetry)
    rows = distinct(candidates.film, candidates.substrate, operations)
    found = [_match(candidates, row, [film], [substrate]) for row in rows]
    return iter(sorted(found, key=lambda match: (*np.round([match.area, match.max_strain], 6), misorientation(match))))


def _ranked(candidates: _Candidates, rows: IntArray) -> IntArray:
    """Sort rows by area, then by strain among equal areas."""
    areas = np.rint(np.log(candidates.area[rows]) / _AREA_STEP)
    return rows[np.lexsort((candidates.strain[rows], areas))]


def _match(candidates: _Candidates, row: int, films: list[Face], substrates: list[Face]) -> Match:
    return build_match(
        (films[candidates.film_face[row]], candidates.film[row]),
        (substrates[candidates.substrate_face[row]], candidates.substrate[row]),
    )


def _candidates(films: list[Face], substrates: list[Face], max_area: float, limit: Limit) -> _Candidates:
    """Return every match of every two faces, all alignments included: the smallest, then the least strained first."""
    tables = [superlattices([face.form for face in faces], max_area) for faces in (films, substrates)]
    hits = Lookup(tables[1].form, limit).matches(tables[0].form)
    upper, lower = (table.take(side) for table, side in zip(tables, hits, strict=True))
    rows, turns = alignments(upper.form, lower.form, limit)
    # A half turn of the substrate costs no strain.
    rows, turns = np.concatenate([rows, rows]), np.concatenate([turns, -turns])
    film, substrate = upper.matrix[rows], turns @ lower.matrix[rows]
    # Two bases of one handedness are made right-handed by the same change of their second vectors.
    signs = np.sign(determinant(film))[:, None]
    film[:, 1] *= signs
    substrate[:, 1] *= signs
    forms = upper.form[rows], transform(lower.form[rows], turns)
    strains = largest_strain(*map(strain_coordinates, forms))
    areas = np.sqrt(area(forms[0]) * area(forms[1]))
    kept = np.flatnonzero(determinant(substrate) > 0)
    kept = kept[np.lexsort((strains[kept], determinant(film[kept])))]
    faces = upper.lattice[rows][kept], lower.lattice[rows][kept]
    return _Candidates(*faces, film[kept], substrate[kept], areas[kept], strains[kept])


def _distinct_rows(candidates: _Candidates, films: list[Face], substrates: list[Face]) -> IntArray:
    """Return the first row of each set of matches that repetition or symmetry makes the same."""
    images = mirror_images(films), mirror_images(substrates)
    chosen = [np.empty(0, dtype=np.int64)]
    for i, j in itertools.product(range(len(films)), range(len(substrates))):
        if images[0] and images[1] and (images[0][i], images[1][j]) < (i, j):
            continue
        rows = np.flatnonzero((candidates.film_face == i) & (candidates.substrate_face == j))
        if not len(rows):
            continue
        operations = equivalences(films[i].symmetry, substrates[j].symmetry)
        chosen.append(rows[distinct(candidates.film[rows], candidates.substrate[rows], operations)])
    return np.concatenate(chosen)
