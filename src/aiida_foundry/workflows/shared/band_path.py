"""High-symmetry path through the Brillouin zone of the cell as it is given."""

from __future__ import annotations

import numpy as np
from aiida.engine import calcfunction
from aiida.orm import Float, Int, KpointsData, StructureData

VERSION = 1


def number_of_points(structure: StructureData, distance: float) -> int:
    """Return the number of points that `band_path` has."""
    return len(structure.get_ase().cell.bandpath(density=1 / distance).kpts)


@calcfunction
def band_path(structure: StructureData, distance: Float, version: Int) -> KpointsData:  # noqa: ARG001
    """Return the path of Setyawan and Curtarolo, Comput. Mater. Sci. 49, 299 (2010), without changing the cell.

    Args:
        structure: the crystal.
        distance: the distance between neighbouring points, in 1/Å, 2π included.
        version: `VERSION`; a cached result of older code is not taken.
    """
    path = structure.get_ase().cell.bandpath(density=1 / distance.value)
    points = KpointsData()
    points.set_cell_from_structure(structure)
    points.set_kpoints(path.kpts)
    points.labels = [
        (index, name)
        for index, kpoint in enumerate(path.kpts)
        for name, special in path.special_points.items()
        if np.allclose(kpoint, special)
    ]
    return points
