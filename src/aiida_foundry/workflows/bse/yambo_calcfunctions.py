"""Steps between Yambo's results and the outputs of the interface."""

from __future__ import annotations

import numpy as np
from aiida.engine import calcfunction
from aiida.orm import ArrayData, Dict, Int, SinglefileData, StructureData

from aiida_foundry.analysis import directions, optics
from aiida_foundry.analysis import quasiparticles as qp
from aiida_foundry.analysis.spectra import dielectric_function
from aiida_foundry.engines.yambo.qp_database import parse_setup, write_database
from aiida_foundry.structures.checks import cell_of

VERSION = 1
DATABASE = 'ndb.QP'


@calcfunction
def yambo_database(corrections: ArrayData, setup: SinglefileData, window: Dict, version: Int) -> SinglefileData:  # noqa: ARG001
    """Return the corrections of a window of bands as Yambo reads them; `version` is the one of this module."""
    values = corrections.get_array('corrections')
    content = write_database(parse_setup(setup.get_content('rb')), values, window['first'])
    return SinglefileData.from_bytes(content, filename=DATABASE)


@calcfunction
def yambo_spectra(structure: StructureData, settings: Dict, version: Int, **parts: ArrayData) -> ArrayData:  # noqa: ARG001
    """Return the spectra along all directions equivalent to those that were run.

    `parts`: `bse_N`, `ip_N` and, if there, `rpa_N`, spectra along direction N, and `excitons_N`; `version` is the one
    of this module.
    """
    cell = cell_of(structure)
    runs = sorted((label for label in parts if label.startswith('bse_')), key=lambda label: int(label[4:]))
    given = [parts[label].get_array('direction') for label in runs]
    points, source = directions.stars(given, cell.lattice, qp.reciprocal_operations(cell))

    def spread(kind: str, name: str) -> np.ndarray:
        return np.array([parts[f'{kind}_{n}'].get_array(name) for n in range(len(runs))])[source]

    frequencies = parts['bse_0'].get_array('frequencies')
    arrays = {
        'frequencies': frequencies,
        'directions': points,
        'excitonic': spread('bse', 'excitonic'),
        'independent_quasiparticle': spread('bse', 'independent'),
        'independent_particle': spread('ip', 'independent'),
    }
    if 'rpa_0' in parts:
        arrays['rpa'] = spread('rpa', 'excitonic')
    if 'excitons_0' in parts:
        energies, strengths = parts['excitons_0'].get_array('energies'), spread('excitons', 'strengths')
        arrays['excitonic'] = dielectric_function(energies, strengths, frequencies, settings['broadening'])
    arrays['excitonic_tensor'] = optics.tensor_of(arrays['excitonic'], points)
    return ArrayData(arrays)


@calcfunction
def yambo_excitons(structure: StructureData, version: Int, **parts: ArrayData) -> ArrayData:  # noqa: ARG001
    """Return excitons with strengths along all directions of `yambo_spectra`; `parts`: `bse_N` and `excitons_N`.

    Strengths along a direction that symmetry adds are those of the direction that was run: within a multiplet only
    their sum has a meaning.
    """
    cell = cell_of(structure)
    number = sum(label.startswith('bse_') for label in parts)
    given = [parts[f'bse_{n}'].get_array('direction') for n in range(number)]
    _, source = directions.stars(given, cell.lattice, qp.reciprocal_operations(cell))
    arrays = {name: parts['excitons_0'].get_array(name) for name in parts['excitons_0'].get_arraynames()}
    strengths = np.array([parts[f'excitons_{n}'].get_array('strengths') for n in range(number)])
    return ArrayData({**arrays, 'strengths': strengths[source].T})
