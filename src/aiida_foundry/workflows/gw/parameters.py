"""Numerical parameters of a GW calculation, independent of the engine: what they mean, their checks and defaults."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from aiida.orm import StructureData

from aiida_foundry.common.errors import InputError
from aiida_foundry.common.units import BOHR_TO_ANGSTROM
from aiida_foundry.structures.checks import valence_electrons
from aiida_foundry.workflows.gw.methods import FREQUENCY_TREATMENTS, Method
from aiida_foundry.workflows.shared.inputs import FUNCTIONALS, functional_of, plasma_frequency, recommended_cutoff

#: Meaning of each parameter; all energies in hartree. `frequency` and `self_consistency` are groups.
PARAMETERS: dict[str, Any] = {
    'starting_functional': 'LDA, PBE or PBEsol; that of the pseudopotentials',
    'wavefunction_cutoff': 'kinetic energy of the plane waves of the states',
    'exchange_cutoff': 'kinetic energy of the plane waves of the exchange self-energy',
    'screening_cutoff': 'kinetic energy of the plane waves of the dielectric matrix',
    'plasmon_pole': 'imaginary frequency to which, beside zero, the plasmon poles of W are fitted',
    'bands': 'number of bands in the sums over states of screening and self-energy',
    'quasiparticle_bands': 'number of bands below and of bands above the gap that are corrected',
    'frequency': {
        'treatment': 'plasmon-pole or contour-deformation',
        'real_points': 'number of real frequencies',
        'real_maximum': 'highest real frequency',
        'imaginary_points': 'number of imaginary frequencies',
    },
    'self_consistency': {
        'max_iterations': 'iterations of screening and self-energy after which the method gives up',
        'gap_tolerance': 'change of the direct and of the indirect gap in eV that counts as converged',
    },
}

_TEXTS = ('starting_functional', 'treatment')
_POSITIVE_INTEGERS = ('bands', 'quasiparticle_bands', 'real_points', 'imaginary_points', 'max_iterations')


def complete_parameters(
    protocol: Mapping[str, Any], structure: StructureData, family: Any, method: Method
) -> dict[str, Any]:
    """Return parameters with everything that the protocol leaves to structure, pseudopotentials and method.

    Args:
        protocol: the parameters of the protocol with the user's overrides; `null` values are filled in.
        structure: gives the volume, from which the number of bands follows.
        family: pseudopotential family; gives the recommended cutoff and the functional.
        method: gives the frequency treatment.
    """
    parameters = dict(protocol)
    density, stringency = parameters.pop('bands_per_volume'), parameters.pop('cutoff_stringency')
    parameters['frequency'] = dict(parameters['frequency'])
    if parameters['wavefunction_cutoff'] is None:
        parameters['wavefunction_cutoff'] = recommended_cutoff(structure, family, stringency)
    if parameters['exchange_cutoff'] is None:
        parameters['exchange_cutoff'] = parameters['wavefunction_cutoff']
    if parameters['frequency']['treatment'] is None:
        parameters['frequency']['treatment'] = method.treatment
    parameters['starting_functional'] = functional_of(parameters['starting_functional'], family.label)
    electrons = valence_electrons(structure, family.get_pseudos(structure=structure))
    if parameters['plasmon_pole'] is None:
        parameters['plasmon_pole'] = plasma_frequency(structure, electrons)
    if parameters['bands'] is None:
        # at least twice the filled bands: a sum over fewer states is not one over states
        occupied = electrons // 2
        volume = structure.get_cell_volume() / BOHR_TO_ANGSTROM**3
        parameters['bands'] = max(math.ceil(density * volume), 2 * occupied + 4)
    return parameters


def check_parameters(parameters: Mapping[str, Any]) -> None:
    """Check that the parameters are those of `PARAMETERS`, all there, and possible.

    Raises:
        InputError: names the parameter.
    """
    _check_names(parameters, PARAMETERS, '')
    flat = {**parameters, **parameters['frequency'], **parameters['self_consistency']}
    for name, value in flat.items():
        _check_value(name, value)
    if flat['screening_cutoff'] > 4 * flat['wavefunction_cutoff']:
        raise InputError(
            'parameter `screening_cutoff`',
            f'{flat["screening_cutoff"]} hartree exceeds four times the wavefunction cutoff, where products of '
            'wavefunctions end',
            f'Give at most {4 * flat["wavefunction_cutoff"]} hartree',
        )
    if flat['treatment'] not in FREQUENCY_TREATMENTS:
        known = ', '.join(FREQUENCY_TREATMENTS)
        raise InputError('parameter `frequency.treatment`', f'`{flat["treatment"]}` is unknown', f'Known are {known}')
    if flat['starting_functional'] not in FUNCTIONALS:
        known = ', '.join(FUNCTIONALS)
        reason = f'`{flat["starting_functional"]}` is unknown'
        raise InputError('parameter `starting_functional`', reason, f'Known are {known}')


def check_bands(parameters: Mapping[str, Any], occupied: int) -> None:
    """Check that the sums over states reach beyond the bands that are corrected.

    Raises:
        InputError: states how many bands are needed.
    """
    needed = occupied + parameters['quasiparticle_bands'] + 1
    if parameters['bands'] < needed:
        raise InputError(
            'parameter `bands`',
            f'{parameters["bands"]} bands do not hold the {occupied} filled ones and the '
            f'{parameters["quasiparticle_bands"]} empty ones to be corrected',
            f'Give at least {needed}; converged gaps need many more',
        )


def _check_names(parameters: Mapping[str, Any], known: Mapping[str, Any], path: str) -> None:
    for name in parameters:
        if name not in known:
            raise InputError(f'parameter `{path}{name}`', 'it is unknown', f'Known here are {", ".join(known)}')
    for name, meaning in known.items():
        if name not in parameters:
            raise InputError(f'parameter `{path}{name}`', 'it is missing', f'Set it: {meaning}')
        if isinstance(meaning, Mapping):
            _check_names(parameters[name], meaning, f'{path}{name}.')


def _check_value(name: str, value: Any) -> None:
    if name in _TEXTS or isinstance(value, Mapping):
        return
    subject = f'parameter `{name}`'
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise InputError(subject, f'{value!r} is not a number', 'Give a number')
    if value <= 0:
        raise InputError(subject, f'{value!r} is not positive', 'Give a positive number')
    if name in _POSITIVE_INTEGERS and value != int(value):
        raise InputError(subject, f'{value!r} is not a whole number', 'Give a whole number')
