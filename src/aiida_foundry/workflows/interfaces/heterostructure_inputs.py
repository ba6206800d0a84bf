"""From two crystals and a protocol to the inputs of a heterostructure, all checks included."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from aiida import orm
from pymatgen.analysis.structure_matcher import StructureMatcher

from aiida_foundry.analysis.interfaces.charge import interface_charge
from aiida_foundry.analysis.interfaces.crystals import assess, face_fraction, matching_crystal
from aiida_foundry.analysis.interfaces.insulators import magnetic_shells
from aiida_foundry.analysis.interfaces.properties import KnownProperties, parse_known, parse_parameters
from aiida_foundry.analysis.matching import Crystal, Match, StrainLimit, crystal_face, match_faces
from aiida_foundry.analysis.matching.lattices import determinant
from aiida_foundry.analysis.polarization import formal_polarization
from aiida_foundry.common.errors import InputError
from aiida_foundry.common.units import RYDBERG_TO_EV
from aiida_foundry.structures.checks import check_structure_data, valence_electrons
from aiida_foundry.structures.interfaces.build import Heterostructure, build, match_of, stacks
from aiida_foundry.structures.interfaces.planes import Stack, terminations
from aiida_foundry.structures.interfaces.registry import distinct_shifts
from aiida_foundry.structures.interfaces.spec import InterfaceSpec, parse_spec
from aiida_foundry.workflows.interfaces.heterostructure_parameters import parse_parameters as parse_numbers
from aiida_foundry.workflows.shared.inputs import mesh_of

Crystals = tuple[orm.StructureData, orm.StructureData]


def check_crystals(film: orm.StructureData, substrate: orm.StructureData, known: Mapping[str, KnownProperties]) -> None:
    """Refuse metals, two-dimensional and disordered crystals, magnets, and two that are the same material.

    Raises:
        InputError: names the crystal and the reason.
    """
    for name, structure in (('film', film), ('substrate', substrate)):
        subject = f'{name} `{structure.get_formula()}`'
        check_structure_data(structure, subject)
        found = assess(name, structure.get_pymatgen(), known[name], parse_parameters({'sureness': 'unsure'}))
        if found.reason:
            raise InputError(subject, found.reason, f'Give `properties.{name}.gap` in eV if it is an insulator')
        _check_moments(name, subject, structure, known[name])
    if StructureMatcher(scale=True).fit(film.get_pymatgen(), substrate.get_pymatgen()):
        raise InputError('film and substrate', 'they are the same material, which has no interface', 'Choose another')


def _check_moments(name: str, subject: str, structure: orm.StructureData, known: KnownProperties) -> None:
    """Refuse magnets: the run has no spin, without which their gap closes. Low spin has to be said."""
    if known.moments is None:
        shells = magnetic_shells(formal_polarization(structure.get_pymatgen(), known.oxidation_states))
        reason = f'open shells of {", ".join(shells)} make it a magnet' if shells else ''
    else:
        reason = 'its moments are not zero' if any(known.moments) else ''
    if reason:
        raise InputError(
            subject,
            f'{reason}, and heterostructures are computed without spin',
            f'If its ions are in low-spin states, say so: `properties.{name}.moments` of zero for every site',
        )


def choose_match(
    crystals: tuple[Crystal, Crystal], millers: tuple[Sequence[int], Sequence[int]], matching: Mapping[str, Any]
) -> Match:
    """Return one of the matches of two faces: by area, then by strain, then by the angle between the crystals' axes.

    Raises:
        InputError: there are not as many within the limits.
    """
    faces = []
    for crystal, (h, k, l) in zip(crystals, millers, strict=True):  # noqa: E741  the third Miller index
        faces.append(crystal_face(crystal, (h, k, l)))
    found = list(match_faces(*faces, max_area=matching['max_area'], limit=StrainLimit(matching['max_strain'])))
    if matching['choice'] >= len(found):
        raise InputError(
            f'faces {tuple(millers[0])} of the film and {tuple(millers[1])} of the substrate',
            f'they have {len(found)} matches up to {matching["max_area"]} Å² and a strain of {matching["max_strain"]}',
            'Raise `matching.max_area` or `matching.max_strain`, or choose other faces',
        )
    return found[matching['choice']]


def complete_spec(match: Match, inputs: Mapping[str, Any]) -> InterfaceSpec:
    """Return the specification of a protocol with the match and the widest cuts filled in."""
    given = inputs['interface']
    sides = {}
    for name, stack in zip(('film', 'substrate'), stacks(match, given['film_share']), strict=True):
        side = getattr(match, name)
        termination = given[name]['termination']
        sides[name] = {
            **given[name],
            'miller': side.miller,
            'transformation': side.transformation.tolist(),
            'termination': widest_cut(stack) if termination is None else termination,
        }
    return parse_spec({**given, **sides})


def widest_cut(stack: Stack) -> int:
    """Return the termination with the widest spacing, which breaks the fewest bonds; among equals the lowest plane."""
    return int(np.argmax([round(cut.spacing, 3) for cut in terminations(stack)]))


def polar_charge(crystals: Crystals, match: Match, known: Mapping[str, KnownProperties]) -> float | None:
    """Return the bound charge of the ideal interface of least magnitude, e per superlattice cell, or None if unknown.

    σ = (P_substrate − P_film)·z with formal polarizations that symmetry fixes; polar crystals need a calculation.
    """
    fractions, multiples = [], []
    for name, structure in zip(('film', 'substrate'), crystals, strict=True):
        pymatgen = structure.get_pymatgen()
        formal = formal_polarization(pymatgen, known[name].oxidation_states)
        side = getattr(match, name)
        fractions.append(face_fraction(formal, pymatgen, side.face))
        multiples.append(int(determinant(side.transformation)))
    charge = float(interface_charge([fractions[1]], [fractions[0]], [multiples[1]], [multiples[0]])[0])
    return None if np.isnan(charge) else charge


def scanned(crystals: tuple[Crystal, Crystal], spec: InterfaceSpec, scan: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the specifications of a scan: all distinct shifts with all gaps; a single one is no scan.

    Raises:
        InputError: no divisions or no gaps.
    """
    if len(scan['shifts']) != 2 or min(scan['shifts']) < 1 or not scan['gaps']:
        raise InputError('scan', f'{dict(scan)} asks for nothing', 'Give two divisions and at least one gap')
    result = build(*crystals, spec)
    parts = []
    for slab in result.layout['slabs'][-2:]:
        atoms = np.array(slab['atoms'])
        parts.append((result.cell.numbers[atoms], result.cell.positions[atoms] @ result.cell.lattice))
    shifts = distinct_shifts(result.cell.lattice, parts[1], parts[0], scan['shifts'])
    base = spec.model_dump(mode='json')
    return [
        {
            **base,
            'gap': base['gap'] + gap,
            'shift': [base['shift'][0] + shift[0], base['shift'][1] + shift[1]],
        }
        for shift in shifts
        for gap in scan['gaps']
    ]


def prepare(
    crystals: Crystals, film_miller: Sequence[int], substrate_miller: Sequence[int], inputs: Mapping[str, Any]
) -> tuple[InterfaceSpec, Heterostructure, Match, dict[str, KnownProperties]]:
    """Check two crystals and return what is built of them.

    Raises:
        InputError: for anything that cannot work, with the reason.
    """
    known = parse_known(inputs['properties'])
    check_crystals(*crystals, known)
    pair = matching_pair(crystals)
    match = choose_match(pair, (film_miller, substrate_miller), inputs['matching'])
    spec = complete_spec(match, inputs)
    result = build(*pair, spec)
    if len(result.cell.numbers) > inputs['max_atoms']:
        raise InputError(
            f'heterostructure of {len(result.cell.numbers)} atoms',
            f'the limit is {inputs["max_atoms"]}',
            'Raise `max_atoms`, lessen the layers, or choose a smaller match',
        )
    return spec, result, match_of(*pair, spec), known


def choose_pseudos(crystals: Crystals, given: Mapping[str, Any] | None, family: Any) -> dict[str, Any]:
    """Return pseudopotentials by element: those given, or those of a family.

    Raises:
        InputError: an element has none.
    """
    symbols = sorted({symbol for structure in crystals for symbol in structure.get_symbols_set()})
    source = family.get_pseudos(elements=symbols) if given is None else given
    missing = [symbol for symbol in symbols if symbol not in source]
    if missing:
        raise InputError('pseudos', f'there is none of {", ".join(missing)}', 'Give one for each element')
    return {symbol: source[symbol] for symbol in symbols}


def check_bulk_electrons(crystals: Crystals, pseudos: Mapping[str, Any]) -> None:
    """Refuse a crystal with an odd number of electrons: without spin it is a metal.

    Raises:
        InputError: names the crystal.
    """
    for structure in crystals:
        by_kind = {kind.name: pseudos[kind.symbol] for kind in structure.kinds}
        if valence_electrons(structure, by_kind) % 2:
            raise InputError(
                f'crystal `{structure.get_formula()}`', 'it has an odd number of electrons', 'Choose an insulator'
            )


def matching_pair(crystals: Crystals) -> tuple[Crystal, Crystal]:
    """Return both crystals as lattice matching takes them."""
    return matching_crystal(crystals[0].get_pymatgen()), matching_crystal(crystals[1].get_pymatgen())


def complete_parameters(
    inputs: Mapping[str, Any], family: Any, structure: orm.StructureData, known: Mapping[str, KnownProperties]
) -> dict[str, Any]:
    """Return the parameters of a protocol with cutoffs of the family and what is known of the crystals, checked.

    Raises:
        InputError: cutoffs that are neither given nor recommended, or parameters that make no sense.
    """
    values = {
        **inputs['parameters'],
        'dielectric_constants': {name: known[name].dielectric_constant for name in ('film', 'substrate')},
    }
    stringency = values.pop('cutoff_stringency')
    for name, index in (('wavefunction_cutoff', 0), ('density_cutoff', 1)):
        if values[name] is not None:
            continue
        if family is None:
            raise InputError(f'parameters.{name}', 'pseudopotentials without a family recommend none', 'Give it in Ry')
        try:
            recommended = family.get_recommended_cutoffs(structure=structure, stringency=stringency, unit='Ry')
        except (AttributeError, ValueError) as error:
            raise InputError(f'parameters.{name}', f'the family recommends none ({error})', 'Give it in Ry') from error
        values[name] = recommended[index]
    values['ldos'] = _complete_ldos(values['ldos'], values['smearing'])
    parse_numbers(values)
    return values


def _complete_ldos(ldos: Mapping[str, Any], smearing: Any) -> dict[str, Any]:
    """Return states as broad as the smearing (Ry) and energies (eV) as far apart, where nothing else is given."""
    completed = dict(ldos)
    if completed['broadening'] is None and isinstance(smearing, float | int):
        completed['broadening'] = round(smearing * RYDBERG_TO_EV, 6)
    if completed['step'] is None:
        completed['step'] = completed['broadening']
    return completed


def plane_mesh(structure: orm.StructureData, inputs: Mapping[str, Any]) -> orm.KpointsData:
    """Return a mesh with one point along the normal: two divisions as given, or by a distance."""
    mesh = inputs['kpoints_mesh']
    if mesh is not None and len(mesh) != 2:
        raise InputError('override `kpoints_mesh`', f'{mesh!r} are not two divisions in the plane', 'Give e.g. [6, 6]')
    if mesh is None:
        mesh = mesh_of(structure, inputs).get_kpoints_mesh()[0][:2]
    return mesh_of(structure, {**inputs, 'kpoints_mesh': [*mesh, 1]})


def distance_of(kpoints: orm.KpointsData, structure: orm.StructureData) -> float:
    """Return the largest distance of neighbouring points in the plane, 1/Å, with 2π."""
    reciprocal = 2 * np.pi * np.linalg.norm(np.linalg.inv(np.array(structure.cell)), axis=0)[:2]
    return float((reciprocal / np.array(kpoints.get_kpoints_mesh()[0][:2])).max()) * (1 + 1e-9)


def bulk_meshes(
    crystals: Iterable[orm.StructureData], kpoints: orm.KpointsData, structure: orm.StructureData
) -> list[orm.KpointsData]:
    """Return meshes of crystals that are as dense as that of the heterostructure in its plane."""
    distance = distance_of(kpoints, structure)
    return [mesh_of(crystal, {'kpoints_mesh': None, 'kpoints_distance': distance}) for crystal in crystals]
