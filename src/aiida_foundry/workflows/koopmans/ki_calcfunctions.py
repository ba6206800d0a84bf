"""Steps between Wannier functions and Koopmans energies that belong in the provenance graph."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida.engine import calcfunction
from aiida.orm import ArrayData, BandsData, Dict, Float, Int

from aiida_foundry.analysis import gaps
from aiida_foundry.analysis.koopmans_bands import assign_corrections, complete_lowest_empty_band, match_points
from aiida_foundry.common.units import RYDBERG_TO_EV
from aiida_foundry.workflows.koopmans.calcfunctions import first_channel

VERSION = 1
"""Of the steps here; bumped with every change of a number."""


@calcfunction
def mean_dielectric_constant(parameters: Dict, version: Int) -> Float:  # noqa: ARG001
    """Return a third of the trace of the dielectric tensor of ph.x; `version` is `VERSION`."""
    return Float(float(np.trace(np.array(parameters['dielectric_constant']))) / 3)


@calcfunction
def koopmans_gaps(
    quasiparticles: ArrayData,
    path_bands: BandsData,
    number_of_electrons: Float,
    version: Int,  # noqa: ARG001
) -> Dict:
    """Return the gaps over the bands that are corrected at the band edges; `version` is `gaps.VERSION`."""
    return Dict({'method': 'ki', 'units': 'eV', **compare(quasiparticles, path_bands, number_of_electrons.value)})


def compare(quasiparticles: ArrayData, path_bands: BandsData, electrons: float) -> dict[str, Any]:
    """Return what `gaps.compare_gaps` does, which raises the same errors; states away from the edges may be missed."""
    before, after = (quasiparticles.get_array(name) for name in ('ks_energies', 'qp_energies'))
    return gaps.compare_gaps(
        before,
        complete_lowest_empty_band(before[0], after[0], round(electrons / 2))[np.newaxis],
        quasiparticles.get_array('kpoints'),
        electrons,
        path=(first_channel(path_bands), path_bands.get_kpoints()),
    )


@calcfunction
def assign_energies(bands: BandsData, koopmans: ArrayData, tolerance: Float, version: Int) -> ArrayData:  # noqa: ARG001
    """Return `quasiparticles` from the energies of Wannier functions of kcw.x; `version` is `VERSION`.

    Args:
        bands: Kohn-Sham energies on the full mesh, eV.
        koopmans: of `KcwHamCalculation`.
        tolerance: see `assign_corrections`, eV.
        version: `VERSION`.
    """
    energies, points = first_channel(bands), bands.get_kpoints()
    order = match_points(points, koopmans.get_array('kpoints'))
    corrected = assign_corrections(
        energies, koopmans.get_array('kohn_sham')[order], koopmans.get_array('koopmans')[order], tolerance.value
    )
    arrays = {'kpoints': points, 'ks_energies': energies[np.newaxis], 'qp_energies': corrected[np.newaxis]}
    return ArrayData(arrays)


@calcfunction
def combine_screening(groups: Dict, version: Int, **computed: ArrayData) -> ArrayData:  # noqa: ARG001
    """Return the screening of all functions from that of one of each group of equivalent ones.

    Args:
        groups: `representatives`: for each function, from 1, the number of the one that was computed; `occupied`: how
            many functions are occupied.
        version: `VERSION`.
        computed: outputs `screening` of kcw.x by ``orbital_N``.

    Returns:
        The arrays of the output `screening` of `foundry.koopmans.ki`, energies in eV.
    """
    rows = [computed[f'orbital_{number}'] for number in groups['representatives']]
    lines = RYDBERG_TO_EV * np.array([row.get_array('integrals') for row in rows])
    heads = RYDBERG_TO_EV * np.array([row.get_array('head') for row in rows])
    screened, bare, self_hartree = np.moveaxis(lines, 2, 0)
    arrays = {
        'alpha': np.array([row.get_array('alpha')[0] for row in rows]),
        'occupied': np.arange(len(rows)) < groups['occupied'],
        'representative': np.array(groups['representatives']),
        'screened': screened.sum(axis=1),
        'bare': bare.sum(axis=1),
        'self_hartree': self_hartree.sum(axis=1),
    }
    at_gamma = (np.arange(lines.shape[1]) == 0)[np.newaxis, :, np.newaxis] * heads[:, np.newaxis]
    arrays |= {'screened_q': screened - at_gamma[..., 0], 'bare_q': bare - at_gamma[..., 1]}
    # ½⟨ρ|v_H|ρ⟩ has half of the head of the bare integral, the rest of which is exchange and correlation
    return ArrayData({**arrays, 'self_hartree_q': self_hartree - at_gamma[..., 1] / 2})
