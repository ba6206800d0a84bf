"""Several blocks of isolated bands as the functions of one manifold; free of aiida."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from aiida_foundry.engines.wannier90.parse_raw.matrices import GaugeMatrices


def block_diagonal(gauges: Sequence[GaugeMatrices]) -> GaugeMatrices:
    """Return the direct sum of square gauge matrices on one mesh.

    Raises:
        ValueError: if the meshes differ.
    """
    kpoints = gauges[0].kpoints
    if any(not np.array_equal(gauge.kpoints, kpoints) for gauge in gauges):
        raise ValueError('the blocks are on different meshes')
    size = sum(gauge.matrices.shape[2] for gauge in gauges)
    total = np.zeros((len(kpoints), size, size), dtype=complex)
    start = 0
    for gauge in gauges:
        end = start + gauge.matrices.shape[2]
        total[:, start:end, start:end] = gauge.matrices
        start = end
    return GaugeMatrices(kpoints, total)


def merge_centres(files: Sequence[str]) -> str:
    """Return one ``_centres.xyz``: the functions (``X``) of all files, then the atoms of the first."""
    rows = [[line for line in text.splitlines()[2:] if line.strip()] for text in files]
    functions = [line for lines in rows for line in lines if line.split()[0] == 'X']
    atoms = [line for line in rows[0] if line.split()[0] != 'X']
    return '\n'.join([f'{len(functions) + len(atoms):6d}', ' Wannier centres', *functions, *atoms]) + '\n'


def merge_outputs(files: Sequence[str]) -> str:
    """Return the final states of all ``.wout`` as one, in the format of Wannier90 and saying that it is merged."""
    lines = [f' Merged by aiida-foundry: the final states of {len(files)} runs of Wannier90', '', ' Final State']
    for text in files:
        final = text.rpartition('Final State')[2].splitlines()
        lines += [line for line in final if 'WF centre and spread' in line]
    return '\n'.join(lines) + '\n'


def merge_parameters(blocks: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the record of the manifold from those of its blocks: lists joined in order, worst of each measure."""
    numbers, start = [], 0
    for block in blocks:
        numbers += [start + number for number in block['functions_without_image']]
        start += block['number_of_functions']
    return {
        'bands': [blocks[0]['bands'][0], blocks[-1]['bands'][1]],
        'blocks': [block['bands'] for block in blocks],
        'number_of_functions': start,
        'centres': [centre for block in blocks for centre in block['centres']],
        'spreads': [spread for block in blocks for spread in block['spreads']],
        'windows': {'outer': None, 'frozen': None, 'units': 'eV'},
        'eta_mev': max(block['eta_mev'] for block in blocks),
        'eta_limit_ev': max(block['eta_limit_ev'] for block in blocks),
        'spread_difference': max(block['spread_difference'] for block in blocks),
        'functions_without_image': numbers,
        'warnings': [warning for block in blocks for warning in block['warnings']],
    }
