"""Steps around Wannier functions that belong in the provenance graph."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida.engine import calcfunction
from aiida.orm import ArrayData, BandsData, Dict, FolderData, Int, KpointsData, StructureData

from aiida_foundry.analysis import wannier
from aiida_foundry.analysis.wannier_symmetry import spread_symmetry
from aiida_foundry.engines.wannier90 import merge
from aiida_foundry.engines.wannier90.input_file import mesh_points
from aiida_foundry.engines.wannier90.parse_raw.matrices import parse_gauge, render_gauge
from aiida_foundry.structures.checks import cell_of

VERSION = 1
"""Of the steps here; bumped with every change of a number."""


@calcfunction
def list_mesh(kpoints: KpointsData, version: Int) -> KpointsData:  # noqa: ARG001
    """Return all points of a mesh with equal weights, in the order of `mesh_points`; `version` is `VERSION`."""
    points = mesh_points(kpoints.get_kpoints_mesh()[0])
    listed = KpointsData()
    listed.set_kpoints(points, weights=np.full(len(points), 1 / len(points)))
    return listed


@calcfunction
def assess_functions(
    structure: StructureData,
    bands: BandsData,
    gauge: ArrayData,
    functions: Dict,
    settings: Dict,
    version: Int,  # noqa: ARG001
) -> Dict:
    """Return centres, spreads and windows of functions with η and the symmetry of the spreads.

    Args:
        structure: the crystal.
        bands: Kohn-Sham energies on the mesh, eV.
        gauge: of the Wannier90 calculation.
        functions: its output parameters.
        settings: `bands` [first, last]; `limit`, the energy in eV up to which bands are compared.
        version: `VERSION`.
    """
    first, last = settings['bands']
    energies = first_channel(bands)[:, first - 1 : last]
    arrays = set(gauge.get_arraynames())
    subspace = gauge.get_array('disentanglement') if 'disentanglement' in arrays else None
    matrix = wannier.total_gauge(gauge.get_array('rotation'), subspace)
    made = wannier.wannier_energies(energies, matrix)
    distance = wannier.band_distance(energies[:, : made.shape[1]], made, settings['limit'])
    symmetry = spread_symmetry(cell_of(structure), functions['centres'], functions['spreads'])
    return Dict(
        {
            'bands': [first, last],
            'number_of_functions': made.shape[1],
            'centres': functions['centres'],
            'spreads': functions['spreads'],
            'windows': functions['windows'],
            'eta_mev': 1000 * distance if np.isfinite(distance) else None,
            'eta_limit_ev': settings['limit'],
            'spread_difference': symmetry.largest_difference,
            'functions_without_image': [index + 1 for index in symmetry.unmatched],
            'warnings': functions['warnings'],
        }
    )


def first_channel(bands: BandsData) -> np.ndarray:
    """Return the energies of the first spin channel, shape ``(nk, bands)``."""
    energies = bands.get_bands()
    return energies[0] if energies.ndim == 3 else energies


@calcfunction
def merge_blocks(version: Int, **blocks: Any) -> dict[str, Any]:  # noqa: ARG001
    """Return the functions of several blocks of bands as those of one manifold.

    Args:
        version: `VERSION`.
        blocks: ``folder_1``, ``parameters_1``, ``folder_2``, …: retrieved folders and results of `assess_functions`.

    Returns:
        ``retrieved`` with the block-diagonal ``aiida_u.mat``, centres and final state, and the files of each
        block in ``block_1``, …; ``parameters`` with the functions of all blocks in order.
    """
    numbers = range(1, len(blocks) // 2 + 1)
    repositories = [blocks[f'folder_{number}'].base.repository for number in numbers]
    contents = {
        f'block_{number}/{name}': repository.get_object_content(name, mode='rb')
        for number, repository in zip(numbers, repositories, strict=True)
        for name in repository.list_object_names()
    }
    gauges = [parse_gauge(contents[f'block_{number}/aiida_u.mat'].decode()) for number in numbers]
    contents['aiida_u.mat'] = render_gauge(merge.block_diagonal(gauges), 'blocks of bands merged').encode()
    centres = [contents[f'block_{number}/aiida_centres.xyz'].decode() for number in numbers]
    contents['aiida_centres.xyz'] = merge.merge_centres(centres).encode()
    outputs = [contents[f'block_{number}/aiida.wout'].decode() for number in numbers]
    contents['aiida.wout'] = merge.merge_outputs(outputs).encode()
    merged = FolderData()
    for name, content in contents.items():
        merged.base.repository.put_object_from_bytes(content, name)
    parameters = merge.merge_parameters([blocks[f'parameters_{number}'].get_dict() for number in numbers])
    return {'retrieved': merged, 'parameters': Dict(parameters)}
