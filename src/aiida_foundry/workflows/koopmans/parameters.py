"""Numerical parameters of a Wannierisation: their checks, and what follows from structure and pseudopotentials."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from aiida.orm import KpointsData, StructureData

from aiida_foundry.common.errors import InputError
from aiida_foundry.engines.pw.upf import check_norm_conserving, number_of_orbitals
from aiida_foundry.structures.checks import valence_electrons
from aiida_foundry.workflows.koopmans.manifold import PROJECTIONS
from aiida_foundry.workflows.shared.inputs import recommended_cutoff

PARAMETERS: dict[str, str] = {
    'wavefunction_cutoff': 'kinetic energy of the plane waves in hartree',
    'scf_threshold': 'estimated error of the energy in hartree at which the density is converged',
    'bands': 'number of bands on the full mesh',
    'spin_channels': '1; or 2 for codes that want both channels of an unpolarised crystal',
    'empty_functions': 'number of empty Wannier functions',
    'disentanglement_bands': 'number of empty bands from which they are made',
    'path_distance': 'distance in 1/Å of the points of a path that shows the band edges',
    'block_gap_ev': 'gap in eV that separates blocks of occupied bands',
    'trials': 'projections and least projectability of kept states, by manifold, in the order in which they are tried',
    'acceptance': 'largest η in meV, up to which energy above the conduction minimum, and difference of spreads in Å²',
    'keywords': 'of Wannier90',
}
"""Meaning of each parameter."""


def complete_parameters(protocol: Mapping[str, Any], structure: StructureData, family: Any) -> dict[str, Any]:
    """Return parameters with everything that the protocol leaves to structure and pseudopotentials.

    Raises:
        InputError: no recommended cutoff, a pseudopotential that is not norm-conserving, or no empty atomic orbitals.
    """
    parameters = dict(protocol)
    stringency = parameters.pop('cutoff_stringency')
    pseudos = family.get_pseudos(structure=structure)
    for kind, pseudo in pseudos.items():
        check_norm_conserving(pseudo.get_content(), f'pseudopotential of `{kind}` in `{family.label}`')
    if parameters['wavefunction_cutoff'] is None:
        parameters['wavefunction_cutoff'] = recommended_cutoff(structure, family, stringency)
    occupied = valence_electrons(structure, pseudos) // 2
    if parameters['empty_functions'] is None:
        orbitals = sum(number_of_orbitals(pseudos[site.kind_name].get_content()) for site in structure.sites)
        parameters['empty_functions'] = _empty_orbitals(orbitals, occupied)
    if parameters['disentanglement_bands'] is None:
        functions = parameters['empty_functions']
        # silicon: 12 bands for 4 functions, which hold all antibonding states
        parameters['disentanglement_bands'] = max(3 * functions, functions + 8)
    minimum = parameters.pop('minimum_bands')
    if parameters['bands'] is None:
        parameters['bands'] = max(occupied + parameters['disentanglement_bands'], minimum)
    return parameters


def _empty_orbitals(orbitals: int, occupied: int) -> int:
    if orbitals <= occupied:
        raise InputError(
            'parameter `empty_functions`',
            f'the pseudopotentials have {orbitals} atomic orbitals for {occupied} filled bands: none is empty',
            'Set the number of empty functions',
        )
    return orbitals - occupied


def check_parameters(parameters: Mapping[str, Any]) -> None:
    """Check that the parameters are those of `PARAMETERS`, all there, and possible.

    Raises:
        InputError: names the parameter.
    """
    for name in sorted({*parameters, *PARAMETERS}):
        if name not in PARAMETERS:
            known = ', '.join(PARAMETERS)
            raise InputError(f'parameter `{name}`', 'it is unknown', f'Known are {known}')
        if name not in parameters:
            raise InputError(f'parameter `{name}`', 'it is missing', f'Set it: {PARAMETERS[name]}')
    for name in ('wavefunction_cutoff', 'scf_threshold', 'path_distance', 'block_gap_ev'):
        _check_positive(name, parameters[name])
    for name in ('bands', 'empty_functions', 'disentanglement_bands'):
        _check_positive(name, parameters[name], whole=True)
    for name in ('eta_mev', 'window_ev', 'spread_difference'):
        _check_positive(f'acceptance.{name}', parameters['acceptance'].get(name))
    if parameters['spin_channels'] not in (1, 2):
        raise InputError(
            'parameter `spin_channels`',
            f'{parameters["spin_channels"]!r} is neither 1 nor 2; spin-orbit coupling is not supported',
            'Give 1, or 2 for kcw.x',
        )
    for manifold in ('occupied', 'empty'):
        _check_trials(manifold, parameters['trials'].get(manifold))


def _check_positive(name: str, value: Any, *, whole: bool = False) -> None:
    subject = f'parameter `{name}`'
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value <= 0:
        raise InputError(subject, f'{value!r} is no positive number', 'Give a positive number')
    if whole and value != int(value):
        raise InputError(subject, f'{value!r} is not a whole number', 'Give a whole number')


def _check_trials(manifold: str, trials: Any) -> None:
    subject = f'parameter `trials.{manifold}`'
    if not isinstance(trials, (list, tuple)) or not trials:
        raise InputError(subject, 'there is none', 'Give at least one')
    for trial in trials:
        if not isinstance(trial, Mapping) or set(trial) != {'projections', 'projectability'}:
            raise InputError(subject, f'{trial!r} is no trial', 'Give `projections` and `projectability` of each')
        if trial['projections'] not in PROJECTIONS:
            known = ', '.join(PROJECTIONS)
            raise InputError(subject, f'projections `{trial["projections"]}` are unknown', f'Known are {known}')
        share = trial['projectability']
        if manifold == 'empty' and not (isinstance(share, (int, float)) and 0 < share < 1):
            raise InputError(subject, f'projectability {share!r} is not between 0 and 1', 'Give e.g. 0.8')


def check_bands(parameters: Mapping[str, Any], occupied: int) -> None:
    """Check that the bands hold the filled ones and those for the empty functions, and one more.

    Raises:
        InputError: states how many bands are needed.
    """
    functions, available = parameters['empty_functions'], parameters['disentanglement_bands']
    if available <= functions:
        raise InputError(
            'parameter `disentanglement_bands`',
            f'{available} empty bands leave nothing to choose {functions} functions from',
            f'Give at least {functions + 1}',
        )
    if parameters['bands'] < occupied + available:
        raise InputError(
            'parameter `bands`',
            f'{parameters["bands"]} bands do not hold the {occupied} filled and {available} empty ones',
            f'Give at least {occupied + available}',
        )


def dielectric_mesh(structure: StructureData, distance: float) -> KpointsData:
    """Return a mesh on which ε∞ converges fast: shifted by half a step from Γ, where direct gaps are small.

    In hexagonal lattices only the axis is shifted: a mesh shifted within the plane lacks the symmetry.

    Args:
        structure: the crystal.
        distance: between neighbouring points, in 1/Å.
    """
    kpoints = KpointsData()
    kpoints.set_cell_from_structure(structure)
    kpoints.set_kpoints_mesh_from_density(distance)
    divisions = kpoints.get_kpoints_mesh()[0]
    hexagonal = structure.get_ase().cell.get_bravais_lattice().crystal_family == 'hexagonal'
    shift = [0.0, 0.0, 0.5] if hexagonal else [0.5, 0.5, 0.5]
    kpoints.set_kpoints_mesh(divisions, offset=shift)
    return kpoints
