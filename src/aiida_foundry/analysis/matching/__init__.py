"""Coherent matches of crystal faces: all of two crystals, or the best of all pairs of thousands."""

from aiida_foundry.analysis.matching.crystal import Crystal, crystal_from_cell
from aiida_foundry.analysis.matching.elasticity import elastic_energy
from aiida_foundry.analysis.matching.faces import Face, crystal_face, distinct_faces, same_planes
from aiida_foundry.analysis.matching.limits import LengthAngleLimit, Limit, StrainLimit
from aiida_foundry.analysis.matching.match import Match, MatchSide, build_match
from aiida_foundry.analysis.matching.orientation import misorientation
from aiida_foundry.analysis.matching.screen import Pairs, Screen
from aiida_foundry.analysis.matching.search import find_matches, match_faces

__all__ = (
    'Crystal',
    'Face',
    'LengthAngleLimit',
    'Limit',
    'Match',
    'MatchSide',
    'Pairs',
    'Screen',
    'StrainLimit',
    'build_match',
    'crystal_face',
    'crystal_from_cell',
    'distinct_faces',
    'elastic_energy',
    'find_matches',
    'match_faces',
    'misorientation',
    'same_planes',
)
