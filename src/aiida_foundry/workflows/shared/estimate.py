"""What runs of pw.x will take, from their dimensions."""

from __future__ import annotations

from typing import Any

import spglib
from aiida import orm

from aiida_foundry.analysis.gw_cost import bands_seconds, plane_waves
from aiida_foundry.common.units import BOHR_TO_ANGSTROM
from aiida_foundry.structures.checks import cell_of

BASIS = 'operation counts calibrated on silicon, checked on the runs of the documentation; good to a factor of about 3'

SCF_ITERATIONS = 14
"""Of an insulator in a small cell, from atoms to a threshold of 1e-9 Ry."""

BYTES_PER_COEFFICIENT = 16


def pw_step(
    step: str,
    structure: orm.StructureData,
    *,
    points: int,
    bands: int,
    cutoffs: tuple[float, float],
    iterations: int = SCF_ITERATIONS,
    runs: float = 1,
) -> dict[str, Any]:
    """Return the record of a step: ``step``, ``core_seconds``, ``memory_mb`` and ``basis``.

    Args:
        step: its name.
        structure: the crystal.
        points: k-points that pw.x computes, times the number of spins.
        bands: of each.
        cutoffs: of wavefunctions and density, Ry.
        iterations: diagonalisations of each k-point.
        runs: how many such runs there are.
    """
    volume = structure.get_cell_volume() / BOHR_TO_ANGSTROM**3
    waves, density = (plane_waves(volume, cutoff / 2) for cutoff in cutoffs)
    # states, their H and S, and the search directions of Davidson; a dozen arrays on the grid of the density
    memory = 100 + BYTES_PER_COEFFICIENT * (8 * bands * waves + 12 * 2 * density) / 1e6
    seconds = runs * bands_seconds(points, bands, waves, iterations)
    return {'step': step, 'core_seconds': seconds, 'memory_mb': memory, 'basis': BASIS}


def irreducible_points(structure: orm.StructureData, kpoints: orm.KpointsData) -> int:
    """Return how many points of a mesh symmetry and time reversal leave."""
    mesh, offset = kpoints.get_kpoints_mesh()
    mapping, _ = spglib.get_ir_reciprocal_mesh(mesh, tuple(cell_of(structure)), is_shift=[2 * x for x in offset])
    return len(set(mapping.tolist()))
