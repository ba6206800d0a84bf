"""High-symmetry path through the Brillouin zone of the cell as it is given."""

from __future__ import annotations

import seekpath
from aiida.engine import calcfunction
from aiida.orm import Float, Int, KpointsData, StructureData

VERSION = 1


@calcfunction
def band_path(structure: StructureData, distance: Float, version: Int) -> KpointsData:  # noqa: ARG001
    """Return the path of Hinuma et al., Comput. Mater. Sci. 128, 140 (2017), without changing the cell.

    Args:
        structure: the crystal.
        distance: the largest distance between neighbouring points, in 1/Å.
        version: `VERSION`; a cached result of older code is not taken.
    """
    atoms = structure.get_ase()
    cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    path = seekpath.get_explicit_k_path_orig_cell(cell, reference_distance=distance.value)
    points = KpointsData()
    points.set_cell_from_structure(structure)
    points.set_kpoints(path['explicit_kpoints_rel'])
    points.labels = [(index, label) for index, label in enumerate(path['explicit_kpoints_labels']) if label]
    return points
