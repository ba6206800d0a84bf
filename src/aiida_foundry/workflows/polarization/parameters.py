"""Numerical parameters of a Berry-phase calculation, independent of the engine: meaning, defaults, checks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from aiida import orm

from aiida_foundry.common.errors import InputError
from aiida_foundry.structures.checks import check_even_electrons, valence_electrons

#: Meaning of each parameter.
PARAMETERS = {
    'functional': 'LDA, PBE or PBEsol; that of the pseudopotentials',
    'wavefunction_cutoff': 'kinetic energy of the plane waves of the states, hartree',
    'density_cutoff': 'kinetic energy of the plane waves of the density, hartree',
    'scf_threshold': 'error of the energy per atom at which the ground state is converged, hartree',
    'empty_bands': 'number of empty bands of the ground state, which show the gap',
    'string_points': 'points of a string in the first run, both ends included',
    'phase_tolerance': 'change of a phase with the number of points, in e, that counts as converged',
    'max_iterations': 'runs with more and more points after which the workflow gives up',
}
FUNCTIONALS = ('LDA', 'PBE', 'PBEsol')
_INTEGERS = ('empty_bands', 'string_points', 'max_iterations')
MINIMUM_POINTS = 4
"""A string of three intervals: the fewest whose steps are below half the circle for one full turn."""


def complete_parameters(protocol: Mapping[str, Any], structure: orm.StructureData, family: Any) -> dict[str, Any]:
    """Return parameters with everything that the protocol leaves to the pseudopotentials.

    Args:
        protocol: the parameters of the protocol with the user's overrides; `null` values are filled in.
        structure: the crystal.
        family: pseudopotential family; gives the recommended cutoffs and the functional.
    """
    parameters = dict(protocol)
    stringency = parameters.pop('cutoff_stringency')
    if parameters['wavefunction_cutoff'] is None or parameters['density_cutoff'] is None:
        recommended = _recommended_cutoffs(structure, family, stringency)
        for name, cutoff in zip(('wavefunction_cutoff', 'density_cutoff'), recommended, strict=True):
            parameters[name] = round(float(cutoff), 6) if parameters[name] is None else parameters[name]
    parameters['functional'] = _functional(parameters['functional'], family.label)
    return parameters


def _recommended_cutoffs(structure: orm.StructureData, family: Any, stringency: str) -> tuple[float, float]:
    try:
        wavefunction, density = family.get_recommended_cutoffs(
            structure=structure, stringency=stringency, unit='hartree'
        )
    except (ValueError, AttributeError) as exception:
        raise InputError(
            f'pseudopotential family `{family.label}`',
            f'it recommends no `{stringency}` cutoffs',
            'Set `parameters.wavefunction_cutoff` and `parameters.density_cutoff` in hartree',
        ) from exception
    return wavefunction, density


def _functional(choice: str | None, label: str) -> str:
    """Return the functional chosen, or that in the label of the family, e.g. `PseudoDojo/0.4/PBE/SR/standard/upf`.

    Raises:
        InputError: if neither is given, or they differ.
    """
    made_for = next((part for part in label.split('/') if part in FUNCTIONALS), None)
    if choice is None and made_for is None:
        raise InputError(
            f'pseudopotential family `{label}`',
            'its label does not tell the functional',
            f'Set `parameters.functional` to one of {", ".join(FUNCTIONALS)}',
        )
    if choice is not None and made_for not in (None, choice):
        reason = f'it is {choice}, but the pseudopotentials are for {made_for}'
        raise InputError('parameter `functional`', reason, f'Choose a family made for {choice}')
    return choice or str(made_for)


def check_parameters(parameters: Mapping[str, Any]) -> None:
    """Check that the parameters are those of `PARAMETERS`, all there, and possible.

    Raises:
        InputError: names the parameter.
    """
    for name in parameters:
        if name not in PARAMETERS:
            raise InputError(f'parameter `{name}`', 'it is unknown', f'Known are {", ".join(PARAMETERS)}')
    for name, meaning in PARAMETERS.items():
        if name not in parameters:
            raise InputError(f'parameter `{name}`', 'it is missing', f'Set it: {meaning}')
        if name != 'functional':
            _check_number(name, parameters[name])
    if parameters['functional'] not in FUNCTIONALS:
        known = ', '.join(FUNCTIONALS)
        raise InputError('parameter `functional`', f'`{parameters["functional"]}` is unknown', f'Known are {known}')
    if parameters['string_points'] < MINIMUM_POINTS:
        reason = f'{parameters["string_points"]} points do not resolve a turn of the phase'
        raise InputError('parameter `string_points`', reason, f'Give at least {MINIMUM_POINTS}')
    if parameters['density_cutoff'] < 4 * parameters['wavefunction_cutoff'] * (1 - 1e-6):
        reason = f'{parameters["density_cutoff"]} hartree do not hold the density of the wavefunctions'
        remedy = f'Give at least {4 * parameters["wavefunction_cutoff"]} hartree'
        raise InputError('parameter `density_cutoff`', reason, remedy)


def _check_number(name: str, value: Any) -> None:
    subject = f'parameter `{name}`'
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise InputError(subject, f'{value!r} is not a number', 'Give a number')
    if value <= 0:
        raise InputError(subject, f'{value!r} is not positive', 'Give a positive number')
    if name in _INTEGERS and value != int(value):
        raise InputError(subject, f'{value!r} is not a whole number', 'Give a whole number')


def check_directions(directions: Sequence[Any]) -> None:
    """Refuse what are not different lattice vectors.

    Raises:
        InputError: none, a number other than 1, 2 or 3, or one given twice.
    """
    if not directions or set(directions) - {1, 2, 3} or len(set(directions)) < len(directions):
        raise InputError('directions', f'{list(directions)} are no lattice vectors', 'Give some of 1, 2 and 3, once')


def occupied_bands(
    structure: orm.StructureData, pseudos: Mapping[str, Any], moments: Mapping[str, float] | None
) -> tuple[int, ...]:
    """Return the number of filled bands of each spin channel of an insulator.

    Args:
        structure: the crystal.
        pseudos: pseudopotentials by kind.
        moments: collinear moment by kind in μ_B; None for a crystal without spin polarization.

    Raises:
        InputError: an odd number of electrons without moments; moments of unknown kinds or that do not add up to a
            whole number of the right parity, as those of an insulator do.
    """
    subject = f'structure `{structure.get_formula()}`'
    if moments is None:
        check_even_electrons(structure, pseudos, subject)
        return (valence_electrons(structure, pseudos) // 2,)
    unknown = sorted(set(moments) - set(structure.get_kind_names()))
    if unknown:
        known = ', '.join(structure.get_kind_names())
        raise InputError('magnetic_moments', f'{unknown[0]} is no kind of the structure', f'Its kinds are {known}')
    total = sum(moments.get(site.kind_name, 0.0) for site in structure.sites)
    electrons = valence_electrons(structure, pseudos)
    if abs(total - round(total)) > 1e-6 or (electrons - round(total)) % 2:
        raise InputError(
            'magnetic_moments',
            f'they add up to {total:g} μ_B per cell with {electrons} electrons; an insulator has a whole number of '
            'electrons in each spin channel',
            'Give moments with a whole sum that is even or odd as the number of electrons',
        )
    return (electrons + round(total)) // 2, (electrons - round(total)) // 2
