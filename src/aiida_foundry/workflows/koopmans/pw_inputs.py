"""Inputs of Quantum ESPRESSO for Koopmans functionals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida_foundry.engines.pw.options import checked_options

DIELECTRIC = {'epsil': True, 'trans': False, 'tr2_ph': 1e-14}
"""Of ph.x: the dielectric tensor alone."""

PROJWFC = {'degauss': 0.01, 'deltae': 0.1}
"""Of the densities of states that projwfc.x insists on; nothing uses them."""


def scf(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the namelists of the self-consistent ground state."""
    return {
        'CONTROL': {'calculation': 'scf'},
        'SYSTEM': _system(parameters),
        'ELECTRONS': {'conv_thr': 2 * parameters['scf_threshold']},
    }


def nscf(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the namelists of the states on the full mesh: no symmetry, empty states converged like filled ones."""
    return {
        'CONTROL': {'calculation': 'nscf'},
        'SYSTEM': {**_system(parameters), 'nbnd': parameters['bands'], 'nosym': True, 'noinv': True},
        'ELECTRONS': {'conv_thr': 2 * parameters['scf_threshold'], 'diago_full_acc': True},
    }


def path(parameters: Mapping[str, Any], occupied: int) -> dict[str, Any]:
    """Return the namelists of the bands on a path, with a few empty ones to show the gap."""
    return {
        'CONTROL': {'calculation': 'bands'},
        'SYSTEM': {**_system(parameters), 'nbnd': occupied + 4},
        'ELECTRONS': {'conv_thr': 2 * parameters['scf_threshold']},
    }


def dielectric_scf(cutoff: float, threshold: float) -> dict[str, Any]:
    """Return the namelists of the ground state before ph.x.

    Args:
        cutoff: of the wavefunctions, Ry.
        threshold: `conv_thr`, Ry.
    """
    system = {'ecutwfc': cutoff, 'ecutrho': 4 * cutoff, 'occupations': 'fixed'}
    return {'CONTROL': {'calculation': 'scf'}, 'SYSTEM': system, 'ELECTRONS': {'conv_thr': threshold}}


def _system(parameters: Mapping[str, Any]) -> dict[str, Any]:
    cutoff = 2 * parameters['wavefunction_cutoff']
    system = {'ecutwfc': cutoff, 'ecutrho': 4 * cutoff, 'occupations': 'fixed'}
    return {**system, 'nspin': 2, 'tot_magnetization': 0} if parameters['spin_channels'] == 2 else system


def options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return options of pw.x: those given, one process where nothing is said, and the fast parser."""
    return checked_options(one_process(given))


def one_process(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with one process where nothing is said."""
    return {'resources': {'num_machines': 1, 'num_mpiprocs_per_machine': 1}, **given}
