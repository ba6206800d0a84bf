"""Elastic energy of a coherent interface."""

from __future__ import annotations

import numpy as np
from scipy.constants import angstrom, eV, giga

from aiida_foundry.analysis.matching.lattices import FloatArray
from aiida_foundry.analysis.matching.match import Match
from aiida_foundry.common.errors import InputError

#: 1 GPa in eV/Å³.
GPA: float = giga * angstrom**3 / eV
#: Voigt order: xx, yy, zz, yz, xz, xy.
_VOIGT = np.array([[0, 5, 4], [5, 1, 3], [4, 3, 2]])
_IN_PLANE = [0, 1, 5]
_FREE = [2, 3, 4]


def elastic_energy(
    match: Match, film: FloatArray, substrate: FloatArray | None = None, film_fraction: float = 0.5
) -> float:
    """Return the energy that makes two crystals coherent, in eV/Å³ of strained material.

    Linear elasticity with the strain of the match; layers relax freely along the normal (σ_zz = σ_yz = σ_xz = 0).

    Args:
        match: the match.
        film: (6, 6) stiffness of the film in GPa, Voigt order xx, yy, zz, yz, xz, xy, in the Cartesian axes that the
            film's cell was given in.
        substrate: the same for the substrate. Without it the substrate is rigid and the energy is per volume of film.
            With it the two share the strain so that the energy is least, and the energy is per volume of both.
        film_fraction: volume fraction of the film where both are strained.

    Raises:
        InputError: a stiffness that is not symmetric and positive definite, or a fraction outside (0, 1).
    """
    (xx, xy), (_, yy) = match.strain
    strain = np.array([xx, yy, 2 * xy])
    stiffness = in_plane_stiffness(film, match.film.rotation)
    if substrate is not None:
        if not 0 < film_fraction < 1:
            raise InputError(f'volume fraction {film_fraction}', 'it is not between 0 and 1', 'Try 0.5.')
        other = in_plane_stiffness(substrate, match.substrate.rotation)
        compliance = np.linalg.inv(stiffness) / film_fraction + np.linalg.inv(other) / (1 - film_fraction)
        stiffness = np.linalg.inv(compliance)
    return float(0.5 * strain @ stiffness @ strain) * GPA


def in_plane_stiffness(stiffness: FloatArray, rotation: FloatArray) -> FloatArray:
    """Return the stiffness (3, 3) for xx, yy, 2xy of a layer that is free of stress along z, in the units given.

    The out-of-plane strains are eliminated: C_pp − C_pf C_ff⁻¹ C_fp.

    Args:
        stiffness: (6, 6) in Voigt order xx, yy, zz, yz, xz, xy.
        rotation: (3, 3) from the axes of ``stiffness`` to those of the layer, on columns.

    Raises:
        InputError: the stiffness is not symmetric and positive definite.
    """
    _check(stiffness)
    tensor = stiffness[_VOIGT[:, :, None, None], _VOIGT]
    rotated = np.einsum('ai,bj,ck,dl,ijkl->abcd', rotation, rotation, rotation, rotation, tensor, optimize=True)
    first, second = np.array([[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]])
    voigt = rotated[first[:, None], second[:, None], first, second]
    coupling = voigt[np.ix_(_IN_PLANE, _FREE)]
    return voigt[np.ix_(_IN_PLANE, _IN_PLANE)] - coupling @ np.linalg.solve(voigt[np.ix_(_FREE, _FREE)], coupling.T)


def _check(stiffness: FloatArray) -> None:
    if stiffness.shape != (6, 6) or not np.allclose(stiffness, stiffness.T, rtol=1e-3, atol=1e-3):
        raise InputError('stiffness', 'it is not a symmetric 6 × 6 matrix', 'Give C_ij in GPa in Voigt order.')
    if np.linalg.eigvalsh(stiffness).min() <= 0:
        raise InputError('stiffness', 'it is not positive definite: the crystal is unstable', 'Check C_ij and units.')
