"""Steps around Wannier functions that belong in the provenance graph."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from aiida.engine import calcfunction
from aiida.orm import ArrayData, BandsData, Dict, FolderData, Int, KpointsData, StructureData

from aiida_foundry.analysis import wannier
from aiida_foundry.analysis.wannier_symmetry import spread_symmetry
from aiida_foundry.engines.wannier90.input_file import mesh_points
from aiida_foundry.engines.wannier90.parse_raw.matrices import GaugeMatrices, parse_gauge, render_gauge
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
        ``retrieved`` with the block-diagonal ``aiida_u.mat``, the centres, and the files of each block in
        ``block_1``, …; ``parameters`` with the functions of all blocks in order.
    """
    labels = [str(number) for number in range(1, len(blocks) // 2 + 1)]
    folders = [blocks[f'folder_{label}'] for label in labels]
    merged = FolderData()
    for label, folder in zip(labels, folders, strict=True):
        for name in folder.base.repository.list_object_names():
            content = folder.base.repository.get_object_content(name, mode='rb')
            merged.base.repository.put_object_from_bytes(content, f'block_{label}/{name}')
    texts = [folder.base.repository.get_object_content('aiida_u.mat') for folder in folders]
    gauge = block_diagonal([parse_gauge(text) for text in texts])
    comment = f'{len(labels)} blocks of bands merged'
    merged.base.repository.put_object_from_filelike(BytesIO(render_gauge(gauge, comment).encode()), 'aiida_u.mat')
    parameters = merge_parameters([blocks[f'parameters_{label}'].get_dict() for label in labels])
    centres = merge_centres([folder.base.repository.get_object_content('aiida_centres.xyz') for folder in folders])
    merged.base.repository.put_object_from_filelike(BytesIO(centres.encode()), 'aiida_centres.xyz')
    return {'retrieved': merged, 'parameters': Dict(parameters)}


def block_diagonal(gauges: list[GaugeMatrices]) -> GaugeMatrices:
    """Return the direct sum of square gauge matrices on one mesh."""
    size = sum(gauge.matrices.shape[2] for gauge in gauges)
    total = np.zeros((len(gauges[0].kpoints), size, size), dtype=complex)
    start = 0
    for gauge in gauges:
        end = start + gauge.matrices.shape[2]
        total[:, start:end, start:end] = gauge.matrices
        start = end
    return GaugeMatrices(gauges[0].kpoints, total)


def merge_centres(files: list[str]) -> str:
    """Return one ``_centres.xyz``: the functions (``X``) of all files, then the atoms of the first."""
    rows = [[line for line in text.splitlines()[2:] if line.strip()] for text in files]
    functions = [line for lines in rows for line in lines if line.split()[0] == 'X']
    atoms = [line for line in rows[0] if line.split()[0] != 'X']
    return '\n'.join([f'{len(functions) + len(atoms):6d}', ' Wannier centres', *functions, *atoms]) + '\n'


def merge_parameters(blocks: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the parameters of the manifold from those of its blocks."""
    return {
        'bands': [blocks[0]['bands'][0], blocks[-1]['bands'][1]],
        'number_of_functions': sum(block['number_of_functions'] for block in blocks),
        'centres': [centre for block in blocks for centre in block['centres']],
        'spreads': [spread for block in blocks for spread in block['spreads']],
        'windows': {'outer': None, 'frozen': None, 'units': 'eV'},
        'eta_mev': max(block['eta_mev'] for block in blocks),
        'eta_limit_ev': max(block['eta_limit_ev'] for block in blocks),
        'spread_difference': max(block['spread_difference'] for block in blocks),
        'functions_without_image': _renumber(blocks),
        'warnings': [warning for block in blocks for warning in block['warnings']],
        'blocks': [block['bands'] for block in blocks],
    }


def _renumber(blocks: list[dict[str, Any]]) -> list[int]:
    numbers, start = [], 0
    for block in blocks:
        numbers += [start + number for number in block['functions_without_image']]
        start += block['number_of_functions']
    return numbers
