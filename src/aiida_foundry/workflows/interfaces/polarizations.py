"""Berry phases of the profile as what a screening knows of polar crystals."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from aiida import orm
from pymatgen.core import Composition, Structure

from aiida_foundry.analysis.crystal import Cell
from aiida_foundry.analysis.interfaces.identity import same_crystal
from aiida_foundry.common.errors import InputError
from aiida_foundry.structures.checks import cell_of
from aiida_foundry.structures.collections import archive_resources, read_archive, resource_formula

PREFIX = 'crystal_'


def structure_of(polarization: orm.Dict) -> orm.StructureData:
    """Return the structure that a formal polarization was computed for.

    Raises:
        InputError: the node is no output of `foundry.polarization.berry`, or lacks a direction.
    """
    maker = polarization.creator
    subject = f'polarization {polarization.uuid}'
    if maker is None or maker.process_label != 'formal_polarization':
        reason = 'it does not come from `foundry.polarization.berry`'
        raise InputError(subject, reason, 'Give the output `polarization` of such a workflow, or a vector in `known`')
    if polarization['cartesian'] is None:
        raise InputError(subject, 'it lacks directions', 'Compute it along all three lattice vectors')
    structure: orm.StructureData = maker.inputs.structure
    return structure


def fitting(archive: str, polarizations: Iterable[orm.Dict]) -> dict[str, list[orm.Dict]]:
    """Return which polarizations are those of crystals of an archive, by `crystal_N`, N counted from 0.

    Raises:
        InputError: as `structure_of`.
    """
    by_formula: dict[str, list[tuple[Cell, orm.Dict]]] = {}
    for node in polarizations:
        structure = structure_of(node)
        formula = Composition(structure.get_composition()).reduced_formula
        by_formula.setdefault(formula, []).append((cell_of(structure), node))
    found = {}
    for index, resource in enumerate(archive_resources(archive)):
        computed = by_formula.get(resource_formula(resource))
        if computed and (crystal := _read(resource)) is not None:
            cell = Cell(crystal.lattice.matrix, crystal.frac_coords, crystal.atomic_numbers)
            if nodes := [node for one, node in computed if same_crystal(one, cell)]:
                found[f'{PREFIX}{index}'] = nodes
    return found


def assign(archive: str, polarizations: Iterable[orm.Dict]) -> dict[str, orm.Dict]:
    """Return the polarization of each crystal that has one, by `crystal_N`.

    Raises:
        InputError: one is that of no crystal, or a crystal has several.
    """
    given = list(polarizations)
    found = fitting(archive, given)
    used = {node.uuid for nodes in found.values() for node in nodes}
    for node in given:
        if node.uuid not in used:
            reason = f'no crystal is the {structure_of(node).get_formula()} that it was computed for, in the same axes'
            raise InputError(f'polarization {node.uuid}', reason, 'Compute it for the structure that is screened')
    for label, nodes in found.items():
        if len(nodes) > 1:
            uuids = ', '.join(node.uuid for node in nodes)
            raise InputError(f'crystal {_names(archive)[label]}', f'it has several polarizations: {uuids}', 'Give one')
    return {label: nodes[0] for label, nodes in found.items()}


def check(archive: str, polarizations: Mapping[str, orm.Dict]) -> None:
    """Refuse polarizations that are not those of the crystals that they are given for.

    Raises:
        InputError: names the label.
    """
    found = fitting(archive, polarizations.values())
    for label, node in polarizations.items():
        if node.uuid not in {one.uuid for one in found.get(label, [])}:
            reason = f'polarization {node.uuid} is not that of this crystal'
            raise InputError(f'polarizations.{label}', reason, 'Let `get_builder_from_protocol` find the label')


def with_polarizations(
    archive: str, known: Mapping[str, Mapping[str, Any]], polarizations: Mapping[str, orm.Dict]
) -> dict[str, dict[str, Any]]:
    """Return what is known of crystals together with their computed polarizations.

    Raises:
        InputError: a crystal has a given polarization too.
    """
    names = _names(archive)
    formulas = {str(resource.get('id')): resource_formula(resource) for resource in archive_resources(archive)}
    merged = {name: dict(values) for name, values in known.items()}
    for label, node in polarizations.items():
        name = names[label]
        values = dict(known.get(name) or known.get(formulas[name]) or {})
        if values.get('polarization') is not None:
            raise InputError(f'properties of `{name}`', 'a polarization is given and another was computed', 'Leave one')
        source = '; '.join(filter(None, [values.get('source'), f'polarization: node {node.uuid}']))
        merged[name] = {**values, 'polarization': node['cartesian'], 'source': source}
    return merged


def _names(archive: str) -> dict[str, str]:
    """Return the names of crystals by label."""
    return {f'{PREFIX}{n}': str(resource.get('id')) for n, resource in enumerate(archive_resources(archive))}


def _read(resource: Mapping[str, Any]) -> Structure | None:
    return next(read_archive(json.dumps(resource))).structure
