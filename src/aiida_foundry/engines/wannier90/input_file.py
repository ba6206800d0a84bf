"""Text of the input file (``.win``): keywords, cell, atoms, mesh, trial projections, path."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from aiida import orm
from numpy.typing import NDArray


def mesh_points(divisions: Sequence[int]) -> NDArray[np.float64]:
    """Return the reduced coordinates of a mesh from Γ, the last index running fastest, shape ``(nk, 3)``.

    This is the order in which pw.x must have them: Wannier90 and pw2wannier90 match k-points by their number.
    """
    numbers = np.moveaxis(np.indices(divisions), 0, -1).reshape(-1, 3)
    return numbers / np.asarray(divisions, dtype=float)


def render(
    parameters: dict[str, Any],
    structure: orm.StructureData,
    divisions: Sequence[int],
    projections: Sequence[str] = (),
    path: orm.KpointsData | None = None,
) -> str:
    """Return the text of the input file.

    Args:
        parameters: keywords and values; a list becomes numbers with blanks between.
        structure: gives cell and atoms.
        divisions: of the mesh.
        projections: lines of the block of trial projections.
        path: list of k-points with labels, along which bands are interpolated.
    """
    lines = [f'{name} = {format_value(value)}' for name, value in parameters.items()]
    lines.append(f'mp_grid = {" ".join(str(n) for n in divisions)}')
    if projections:
        lines += _block('projections', projections)
    if path is not None:
        lines += ['bands_plot = true', *_block('kpoint_path', list(_segments(path)))]
    lines += _block('unit_cell_cart', ['ang', *(_row(vector) for vector in structure.cell)])
    atoms = structure.get_ase()
    positions = zip(atoms.get_chemical_symbols(), atoms.get_scaled_positions(wrap=False), strict=True)
    lines += _block('atoms_frac', [f'{symbol} {_row(position)}' for symbol, position in positions])
    lines += _block('kpoints', [_row(point) for point in mesh_points(divisions)])
    return '\n'.join(lines) + '\n'


def format_value(value: Any) -> str:
    """Return a value as Wannier90 reads it."""
    if isinstance(value, bool):
        return 'true' if value else 'false'
    if isinstance(value, (list, tuple)):
        return ' '.join(format_value(entry) for entry in value)
    return repr(value) if isinstance(value, float) else str(value)


def band_ranges(first: int, last: int, total: int) -> list[str]:
    """Return the ranges of bands outside ``first`` to ``last``, from 1 to `total`, for ``exclude_bands``."""
    outside = [(1, first - 1), (last + 1, total)]
    return [f'{low}-{high}' for low, high in outside if low <= high]


def _block(name: str, lines: Sequence[str]) -> list[str]:
    return ['', f'begin {name}', *lines, f'end {name}']


def _row(numbers: Sequence[float]) -> str:
    return ' '.join(f'{round(float(number), 12) + 0.0:.12f}' for number in numbers)  # no negative zero


def _segments(path: orm.KpointsData) -> Iterator[str]:
    """Yield one line for each pair of labelled points that follow each other on the path."""
    points, labels = path.get_kpoints(), path.labels
    for (start, first), (end, last) in pairwise(labels):
        if end > start + 1:
            yield f'{first} {_row(points[start])} {last} {_row(points[end])}'
