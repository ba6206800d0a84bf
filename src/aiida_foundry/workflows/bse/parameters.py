"""Numerical parameters of a Bethe-Salpeter calculation, independent of the engine: meaning, checks and defaults."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from aiida.orm import StructureData

from aiida_foundry.analysis.quasiparticles import EXTRAPOLATIONS
from aiida_foundry.common.errors import InputError
from aiida_foundry.common.units import BOHR_TO_ANGSTROM
from aiida_foundry.structures.checks import valence_electrons
from aiida_foundry.workflows.shared.inputs import FUNCTIONALS, functional_of, plasma_frequency, recommended_cutoff

DIAGONALISATION = 'diagonalisation'
HAYDOCK = 'haydock'
ALGORITHMS = (DIAGONALISATION, HAYDOCK)

#: Meaning of each parameter.
PARAMETERS: dict[str, Any] = {
    'starting_functional': 'LDA, PBE or PBEsol; that of the pseudopotentials',
    'wavefunction_cutoff': 'kinetic energy of the plane waves of the states, in hartree',
    'screening_cutoff': 'kinetic energy of the plane waves of W and of the exchange of electron and hole, in hartree',
    'bands': 'number of bands in the screening',
    'plasmon_pole': 'imaginary frequency at which a G0W0 with the same screening fits plasmon poles, in hartree',
    'valence_bands': 'filled bands of the electron-hole pairs, from the gap down; more where they cut a multiplet',
    'conduction_bands': 'empty bands, from the gap up; more where they cut a multiplet',
    'tamm_dancoff': 'whether the coupling of resonant and antiresonant pairs is left out',
    'algorithm': 'diagonalisation (spectrum and excitons) or haydock (spectrum only, for large Hamiltonians)',
    'symmetry': 'whether k-points are reduced by the symmetry of the crystal, or by time reversal only',
    'rpa': 'whether the spectrum with local fields but without attraction is computed beside',
    'excitons': 'number of the lowest excitons whose composition is kept',
    'spectrum': {
        'maximum': 'highest frequency, in eV',
        'step': 'spacing of the frequencies, in eV',
        'broadening': 'half width at half maximum of the lines, in eV; applied after a diagonalisation',
    },
    'haydock': {
        'max_iterations': 'iterations after which it gives up',
        'tolerance': 'relative change of the spectrum that counts as converged',
    },
    'transfer': {
        'tolerance': 'eV by which Kohn-Sham energies may differ from those of the quasiparticle calculation',
        'extrapolation': 'for states without correction: refuse, scissor or linear',
    },
}

_CHOICES = {'starting_functional': FUNCTIONALS, 'algorithm': ALGORITHMS, 'extrapolation': EXTRAPOLATIONS}
_SWITCHES = ('tamm_dancoff', 'symmetry', 'rpa')
_POSITIVE_INTEGERS = ('bands', 'valence_bands', 'conduction_bands', 'excitons', 'max_iterations')


def complete_parameters(protocol: Mapping[str, Any], structure: StructureData, family: Any) -> dict[str, Any]:
    """Return parameters with everything that the protocol leaves to structure and pseudopotentials.

    Args:
        protocol: the parameters of the protocol with the user's overrides; `null` values are filled in.
        structure: gives the volume, from which the number of bands follows.
        family: pseudopotential family; gives the recommended cutoff and the functional.
    """
    parameters = dict(protocol)
    density, stringency = parameters.pop('bands_per_volume'), parameters.pop('cutoff_stringency')
    electrons = valence_electrons(structure, family.get_pseudos(structure=structure))
    occupied = electrons // 2
    if parameters['plasmon_pole'] is None:
        parameters['plasmon_pole'] = plasma_frequency(structure, electrons)
    if parameters['wavefunction_cutoff'] is None:
        parameters['wavefunction_cutoff'] = recommended_cutoff(structure, family, stringency)
    parameters['starting_functional'] = functional_of(parameters['starting_functional'], family.label)
    if parameters['bands'] is None:
        volume = structure.get_cell_volume() / BOHR_TO_ANGSTROM**3
        parameters['bands'] = max(math.ceil(density * volume), 2 * occupied + 4)
    parameters['valence_bands'] = min(parameters['valence_bands'], occupied)
    return parameters


def check_parameters(parameters: Mapping[str, Any]) -> None:
    """Check that the parameters are those of `PARAMETERS`, all there, and possible.

    Raises:
        InputError: names the parameter.
    """
    _check_names(parameters, PARAMETERS, '')
    groups = (value for value in parameters.values() if isinstance(value, Mapping))
    flat = {**parameters, **{name: value for group in groups for name, value in group.items()}}
    for name, value in flat.items():
        _check_value(name, value)
    if flat['screening_cutoff'] > 4 * flat['wavefunction_cutoff']:
        raise InputError(
            'parameter `screening_cutoff`',
            f'{flat["screening_cutoff"]} hartree exceeds four times the wavefunction cutoff, where products of '
            'wavefunctions end',
            f'Give at most {4 * flat["wavefunction_cutoff"]} hartree',
        )


def check_bands(parameters: Mapping[str, Any], occupied: int) -> None:
    """Check that the bands of the screening hold those of the pairs.

    Raises:
        InputError: states how many there are, or how many are needed.
    """
    if parameters['valence_bands'] > occupied:
        raise InputError('parameter `valence_bands`', f'only {occupied} bands are filled', f'Give at most {occupied}')
    needed = occupied + parameters['conduction_bands'] + 1
    if parameters['bands'] < needed:
        raise InputError(
            'parameter `bands`',
            f'{parameters["bands"]} bands do not hold the {occupied} filled ones and the '
            f'{parameters["conduction_bands"]} empty ones of the electron-hole pairs',
            f'Give at least {needed}; a converged screening needs many more',
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
    subject = f'parameter `{name}`'
    if isinstance(value, Mapping):
        return
    if name in _CHOICES:
        if value not in _CHOICES[name]:
            raise InputError(subject, f'`{value}` is unknown', f'Known are {", ".join(_CHOICES[name])}')
        return
    if name in _SWITCHES:
        if not isinstance(value, bool):
            raise InputError(subject, f'{value!r} is neither true nor false', 'Give true or false')
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise InputError(subject, f'{value!r} is not a number', 'Give a number')
    if value <= 0:
        raise InputError(subject, f'{value!r} is not positive', 'Give a positive number')
    if name in _POSITIVE_INTEGERS and value != int(value):
        raise InputError(subject, f'{value!r} is not a whole number', 'Give a whole number')
