"""Variables of the ABINIT runs of a Bethe-Salpeter calculation, from the engine-neutral parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from aiida_foundry.analysis.directions import CANDIDATES
from aiida_foundry.workflows.bse.parameters import HAYDOCK

#: `ixc` by functional, as in the headers of the pseudopotentials: Perdew-Wang LDA, PBE, PBEsol.
FUNCTIONALS = {'LDA': -1012, 'PBE': 11, 'PBEsol': -116133}
#: Only the identity: k-points are then reduced by time reversal alone.
NO_SYMMETRY = {'nsym': 1, 'symrel': [1, 0, 0, 0, 1, 0, 0, 0, 1], 'tnons': [0.0, 0.0, 0.0]}

# ABINIT writes the strengths of the fourth direction with the format of energies, which is too short for large ones:
# the parser takes them from the first
_FIELDS = np.insert(CANDIDATES, 3, CANDIDATES[0], axis=0)

defaults = {
    # squared residual of the potential (hartree²): energies to 1e-8 hartree, gaps to 1e-5 eV
    'tolvrs': 1e-12,
    'scf_steps': 80,
    # squared residual of the states (hartree²) that enter the sums over states
    'tolwfr_mesh': 1e-12,
    'bands_steps': 120,
    # further bands that need not converge, as a fraction of those that must
    'buffer_fraction': 0.1,
    # bands above the gap, as a fraction of the filled ones, that tell an insulator from a metal
    'empty_fraction': 0.2,
    # [V_nl, r] in the limit q → 0 of the dielectric matrix and of the optical matrix elements
    'inclvkb': 2,
    # full W, all its plane waves
    'coulomb_term': 11,
}


def _common(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {
        'ecut': parameters['wavefunction_cutoff'],
        'ixc': FUNCTIONALS[parameters['starting_functional']],
        'istwfk': '*1',
        **({} if parameters['symmetry'] else NO_SYMMETRY),
    }


def scf(parameters: Mapping[str, Any], occupied: int) -> dict[str, Any]:
    """Return the variables of the ground state of a crystal with `occupied` filled bands."""
    return {
        **_common(parameters),
        'occopt': 1,
        'nband': occupied + max(4, math.ceil(defaults['empty_fraction'] * occupied)),
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


def screening(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the variables of the RPA screening.

    Its frequencies are those of the plasmon-pole model: the static one is used here, and G0W0 can use both.
    """
    return {
        **_common(parameters),
        'optdriver': 3,
        'gwcalctyp': 0,
        'nband': parameters['bands'],
        'ecuteps': parameters['screening_cutoff'],
        'inclvkb': defaults['inclvkb'],
        'ppmfrq': parameters['plasmon_pole'],
    }


def bethe_salpeter(
    parameters: Mapping[str, Any], cell: Any, window: tuple[int, int], *, attraction: bool
) -> dict[str, Any]:
    """Return the variables of the Bethe-Salpeter equation on injected quasiparticle energies.

    Args:
        parameters: engine-neutral parameters.
        cell: lattice vectors in Å; ABINIT's own six directions do not determine the tensor of a hexagonal crystal.
        window: first and last band of the electron-hole pairs, from 1.
        attraction: with the screened attraction, or only with local fields (RPA).
    """
    spectrum = parameters['spectrum']
    haydock = parameters['algorithm'] == HAYDOCK
    variables = {
        **_common(parameters),
        'optdriver': 99,
        'bs_calctype': 2,
        'mbpt_sciss': '0.0 eV',
        'bs_loband': window[0],
        'nband': window[1],
        'ecuteps': parameters['screening_cutoff'],
        'ecutwfn': parameters['wavefunction_cutoff'],
        'inclvkb': defaults['inclvkb'],
        'gw_nqlwl': len(_FIELDS),
        'gw_qlwl': (_FIELDS @ np.array(cell).T).round(8).tolist(),
        'bs_algorithm': 2 if haydock else 1,
        'bs_exchange_term': 1,
        'bs_coulomb_term': defaults['coulomb_term'] if attraction else 0,
        'bs_coupling': 0 if parameters['tamm_dancoff'] else 1,
        'bs_freq_mesh': f'0.0 {spectrum["maximum"]} {spectrum["step"]} eV',
        'zcut': f'{spectrum["broadening"]} eV',
    }
    if haydock:
        variables['bs_haydock_niter'] = parameters['haydock']['max_iterations']
        variables['bs_haydock_tol'] = [parameters['haydock']['tolerance'], 0.0]
    return variables
