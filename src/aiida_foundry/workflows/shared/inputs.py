"""What the builders and the validators of all areas ask of meshes and pseudopotential families."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aiida import orm
from aiida.common.exceptions import NotExistent

from aiida_foundry.common.errors import InputError
from aiida_foundry.common.units import BOHR_TO_ANGSTROM

FUNCTIONALS = ('LDA', 'PBE', 'PBEsol')
"""Functionals of the pseudopotential families."""


def refuse_interface(name: str, adapters: Iterable[str]) -> Callable[[Any, Any], str]:
    """Return the validator of an interface, which cannot run itself; adapters replace it by their own."""
    message = (
        f'{name} is an interface. Take its builder from `get_builder_from_protocol`, which chooses the adapter, or use '
        f'one of {", ".join(adapters)}'
    )
    return lambda _, __: message


def load_family(label: str) -> Any:
    """Return a pseudopotential family.

    Raises:
        InputError: if the profile has none of that label.
    """
    try:
        return orm.load_group(label)
    except NotExistent as exception:
        raise InputError(
            f'pseudopotential family `{label}`',
            'the profile does not have it',
            f'Install it: `aiida-foundry setup --family {label}`',
        ) from exception


def recommended_cutoff(structure: orm.StructureData, family: Any, stringency: str) -> float:
    """Return the cutoff of the wavefunctions that the family recommends, in hartree.

    Raises:
        InputError: if it recommends none of that stringency.
    """
    try:
        cutoff, _ = family.get_recommended_cutoffs(structure=structure, stringency=stringency, unit='hartree')
    except (ValueError, AttributeError) as exception:
        raise InputError(
            f'pseudopotential family `{family.label}`',
            f'it recommends no `{stringency}` cutoff',
            'Set `parameters.wavefunction_cutoff` in hartree, or use a family with recommended cutoffs',
        ) from exception
    return round(float(cutoff), 6)


def plasma_frequency(structure: orm.StructureData, electrons: int) -> float:
    """Return √(4πn) of a homogeneous gas as dense as the valence electrons, in hartree to four digits.

    Args:
        structure: gives the volume.
        electrons: of the pseudopotentials of the cell.
    """
    volume = structure.get_cell_volume() / BOHR_TO_ANGSTROM**3
    return round(math.sqrt(4 * math.pi * electrons / volume), 4)


def functional_of(choice: str | None, label: str) -> str:
    """Return the functional chosen, or that in the label of the family, e.g. `PseudoDojo/0.4/PBE/SR/standard/upf`.

    Raises:
        InputError: if neither is given, or they differ: pseudopotentials are made for one functional.
    """
    made_for = next((part for part in label.split('/') if part in FUNCTIONALS), None)
    if choice is None and made_for is None:
        raise InputError(
            f'pseudopotential family `{label}`',
            'its label does not tell the functional',
            f'Set `parameters.starting_functional` to one of {", ".join(FUNCTIONALS)}',
        )
    if choice in FUNCTIONALS and made_for not in (None, choice):
        raise InputError(
            'parameter `starting_functional`',
            f'it is {choice}, but the pseudopotentials are for {made_for}',
            f'Choose a family made for {choice}, e.g. `PseudoDojo/0.4/{choice}/SR/standard/upf`',
        )
    return choice or str(made_for)


def mesh_of(structure: orm.StructureData, inputs: Mapping[str, Any]) -> orm.KpointsData:
    """Return the mesh of a protocol: the one given, or the coarsest that is as dense as the distance asks for.

    Args:
        structure: the crystal.
        inputs: has `kpoints_mesh`, three integers or `None`, and `kpoints_distance` in 1/Å.

    Raises:
        InputError: if what counts is neither.
    """
    kpoints = orm.KpointsData()
    kpoints.set_cell_from_structure(structure)
    if inputs['kpoints_mesh'] is not None:
        mesh = inputs['kpoints_mesh']
        if len(mesh) != 3 or any(not isinstance(n, int) or n < 1 for n in mesh):
            raise InputError('override `kpoints_mesh`', f'{mesh!r} is not a mesh', 'Give three positive integers')
        kpoints.set_kpoints_mesh(mesh)
    elif inputs['kpoints_distance'] <= 0:
        raise InputError('override `kpoints_distance`', 'it must be positive', 'Give a distance in 1/Å')
    else:
        kpoints.set_kpoints_mesh_from_density(inputs['kpoints_distance'])
    return kpoints


def check_gamma_mesh(kpoints: orm.KpointsData, reason: str) -> None:
    """Refuse k-points that are not a mesh through Γ.

    Args:
        kpoints: the points.
        reason: why Γ is needed, e.g. `where W(q → 0) is needed`.

    Raises:
        InputError: a list of k-points, or a mesh with an offset.
    """
    if 'mesh' not in kpoints.base.attributes.all:
        raise InputError('kpoints', 'they are a list', 'Give a mesh, e.g. `set_kpoints_mesh([4, 4, 4])`')
    if any(kpoints.base.attributes.get('offset', [0, 0, 0])):
        raise InputError('kpoints', f'the mesh is shifted from Γ, {reason}', 'Give it no offset')
