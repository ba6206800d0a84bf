"""Variables of the ABINIT runs of a GW calculation, from the engine-neutral parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from aiida_foundry.workflows.gw.methods import CONTOUR_DEFORMATION, PLASMON_POLE, Method

#: `gwcalctyp` by what is updated and by the frequency treatment (ABINIT manual).
GW_TYPES = {
    ('none', PLASMON_POLE): 0,
    ('none', CONTOUR_DEFORMATION): 2,
    ('energies', PLASMON_POLE): 10,
    ('energies', CONTOUR_DEFORMATION): 12,
    ('wavefunctions', PLASMON_POLE): 28,
    ('wavefunctions', CONTOUR_DEFORMATION): 29,
}
#: `ixc` by functional, as in the headers of the pseudopotentials: Perdew-Wang LDA, PBE, PBEsol.
FUNCTIONALS = {'LDA': -1012, 'PBE': 11, 'PBEsol': -116133}

defaults = {
    # squared residual of the potential (hartree²): energies to 1e-8 hartree, gaps to 1e-5 eV
    'tolvrs': 1e-12,
    'scf_steps': 80,
    # squared residual of the states (hartree²) that enter the sums over states
    'tolwfr_mesh': 1e-12,
    'tolwfr_path': 1e-8,
    # bands above those that must converge: as many as may be degenerate with the last of them
    'path_buffer': 4,
    'bands_steps': 120,
    # further bands that need not converge, as a fraction of those that must
    'buffer_fraction': 0.1,
    # bands above the gap, as a fraction of the filled ones, that tell an insulator from a metal
    'empty_fraction': 0.2,
    # Godby and Needs, Phys. Rev. Lett. 62, 1169 (1989)
    'plasmon_pole_model': 1,
    # [V_nl, r] in the limit q → 0 of the dielectric matrix
    'inclvkb': 2,
    # bootstrap kernel in W
    'vertex_kernel': -4,
}


def _common(parameters: Mapping[str, Any]) -> dict[str, Any]:
    # GW needs all plane waves at each k-point, time reversal or not
    return {
        'ecut': parameters['wavefunction_cutoff'],
        'ixc': FUNCTIONALS[parameters['starting_functional']],
        'istwfk': '*1',
    }


def _valence_bands(occupied: int) -> int:
    return occupied + max(4, math.ceil(defaults['empty_fraction'] * occupied))


def scf(parameters: Mapping[str, Any], occupied: int) -> dict[str, Any]:
    """Return the variables of the ground state of a crystal with `occupied` filled bands."""
    return {
        **_common(parameters),
        'occopt': 1,
        'nband': _valence_bands(occupied),
        'tolvrs': defaults['tolvrs'],
        'nstep': defaults['scf_steps'],
    }


def mesh_bands(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the variables of the states on the mesh that enter the sums over states."""
    buffer = max(4, math.ceil(defaults['buffer_fraction'] * parameters['bands']))
    return {
        **_common(parameters),
        'iscf': -2,
        'nband': parameters['bands'] + buffer,
        'nbdbuf': buffer,
        'tolwfr': defaults['tolwfr_mesh'],
        'nstep': defaults['bands_steps'],
    }


def path_bands(parameters: Mapping[str, Any], occupied: int) -> dict[str, Any]:
    """Return the variables of the bands around the gap on a path."""
    return {
        **_common(parameters),
        'iscf': -2,
        'nband': _valence_bands(occupied) + defaults['path_buffer'],
        'nbdbuf': defaults['path_buffer'],
        'tolwfr': defaults['tolwfr_path'],
        'nstep': defaults['bands_steps'],
        'prtwf': 0,
    }


def screening(parameters: Mapping[str, Any], method: Method, iteration: int) -> dict[str, Any]:
    """Return the variables of the screening; the first one is the same for all methods with the same W."""
    treatment = parameters['frequency']['treatment']
    updates = method.updates if iteration else 'none'
    variables = {
        **_sums_over_states(parameters),
        'optdriver': 3,
        'gwcalctyp': GW_TYPES[(updates, treatment)],
        'inclvkb': defaults['inclvkb'],
    }
    if treatment == CONTOUR_DEFORMATION:
        frequency = parameters['frequency']
        variables['nfreqre'] = frequency['real_points']
        variables['freqremax'] = frequency['real_maximum']
        variables['nfreqim'] = frequency['imaginary_points']
    else:
        variables['ppmfrq'] = parameters['plasmon_pole']
    if method.vertex:
        variables['gwgamma'] = defaults['vertex_kernel']
    return variables


def self_energy(
    parameters: Mapping[str, Any], method: Method, kpoints: Sequence[Sequence[float]], occupied: int
) -> dict[str, Any]:
    """Return the variables of the self-energy at all k-points of the mesh.

    A self-consistent method corrects all bands from the first one, the others those around the gap.
    """
    treatment = parameters['frequency']['treatment']
    around = parameters['quasiparticle_bands']
    first = 1 if method.self_consistent else max(1, occupied - around + 1)
    variables = {
        **_sums_over_states(parameters),
        'optdriver': 4,
        'gwcalctyp': GW_TYPES[(method.updates, treatment)],
        'ecutsigx': parameters['exchange_cutoff'],
        'nkptgw': len(kpoints),
        'kptgw': [list(kpoint) for kpoint in kpoints],
        'bdgw': [[first, occupied + around]] * len(kpoints),
    }
    if treatment == PLASMON_POLE:
        variables |= {'ppmodel': defaults['plasmon_pole_model'], 'ppmfrq': parameters['plasmon_pole']}
    if method.self_consistent:
        # off-diagonal elements are only right without symmetrisation over the little group
        variables['symsigma'] = 0
    return variables


def _sums_over_states(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **_common(parameters),
        'nband': parameters['bands'],
        'ecuteps': parameters['screening_cutoff'],
    }
