"""Estimate what a builder of a polarization will cost before it is submitted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ProcessBuilder

from aiida_foundry.analysis.polarization import path as paths
from aiida_foundry.analysis.polarization import spontaneous
from aiida_foundry.analysis.polarization.branch import phase_modulus
from aiida_foundry.analysis.polarization.convergence import next_points
from aiida_foundry.analysis.polarization.strings import make_strings
from aiida_foundry.structures.checks import cell_of
from aiida_foundry.workflows.polarization.calcfunctions import constraints_of, structure_of
from aiida_foundry.workflows.polarization.parameters import occupied_bands
from aiida_foundry.workflows.polarization.path import PolarizationPathWorkChain
from aiida_foundry.workflows.shared.estimate import irreducible_points, pw_step

STRING_ITERATIONS = 3
"""What the states of a point on a string take, in iterations of self-consistency: AlN, KNbO3 and PbTiO3, 2 to 4."""

RYDBERG_PER_HARTREE = 2.0


def estimate(builder: ProcessBuilder) -> list[dict[str, Any]]:
    """Return what each step will take on one core.

    Strings are taken to converge at the first number of points where symmetry fixes the phase, at the second elsewhere;
    a path to need the images that it starts with.

    Args:
        builder: of `foundry.polarization.path` or of an adapter of `foundry.polarization.berry`.

    Returns:
        Records with ``step``, ``core_seconds``, ``memory_mb`` and ``basis``.
    """
    inputs = builder._inputs(prune=True)
    if builder.process_class is not PolarizationPathWorkChain:
        return _steps(inputs, inputs['structure'], (0, 1, 2), 1)
    end = cell_of(inputs['structure'])
    start = cell_of(inputs['reference']) if 'reference' in inputs else paths.centrosymmetric_reference(end)
    path = paths.make_path(start, end)
    middle = structure_of(path.image(0.5), inputs['structure'])
    charges = inputs['charges'].get_dict() if 'charges' in inputs else None
    valences = [inputs['pseudos'][site.kind_name].z_valence for site in inputs['structure'].sites]
    modulus = phase_modulus(valences, 'magnetic_moments' in inputs)
    images = spontaneous.first_fractions(path, paths.site_charges(end, charges), modulus)
    free = constraints_of(middle, _moments(inputs)).continuous
    steps = _steps(inputs, middle, free, len(images))
    return [{**step, 'step': f'{step["step"]} of {len(images)} images'} for step in steps]


def _steps(
    inputs: Mapping[str, Any], structure: orm.StructureData, directions: tuple[int, ...], images: int
) -> list[dict[str, Any]]:
    parameters, moments = inputs['parameters'].get_dict(), _moments(inputs)
    occupied = occupied_bands(structure, inputs['pseudos'], moments)
    constraints = constraints_of(structure, moments)
    mesh, _ = inputs['kpoints'].get_kpoints_mesh()
    points = 0
    for direction in constraints.independent(directions):
        first = parameters['string_points']
        lengths = [first] if constraints.is_fixed(direction) else [first, next_points(first)]
        points += sum(len(make_strings(direction, mesh, length, constraints.rotations).kpoints) for length in lengths)
    names = ('wavefunction_cutoff', 'density_cutoff')
    cutoffs = [RYDBERG_PER_HARTREE * parameters[name] for name in names]
    common: dict[str, Any] = {'cutoffs': tuple(cutoffs), 'runs': images}
    steps = []
    if 'ground_state' not in inputs:
        mesh_points = len(occupied) * irreducible_points(structure, inputs['kpoints'])
        bands = max(occupied) + parameters['empty_bands']
        steps.append(pw_step('scf', structure, points=mesh_points, bands=bands, **common))
    bands = max(occupied) + 1
    points *= len(occupied)
    strings = pw_step('strings', structure, points=points, bands=bands, iterations=STRING_ITERATIONS, **common)
    return [*steps, strings]


def _moments(inputs: Mapping[str, Any]) -> dict[str, float] | None:
    return inputs['magnetic_moments'].get_dict() if 'magnetic_moments' in inputs else None
