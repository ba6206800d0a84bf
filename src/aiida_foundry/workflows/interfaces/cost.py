"""Estimate what a heterostructure will cost before it is submitted."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import ProcessBuilder

from aiida_foundry.analysis.matching import crystal_from_cell
from aiida_foundry.structures.checks import cell_of, valence_electrons
from aiida_foundry.structures.interfaces.build import build, bulk_cells, match_of
from aiida_foundry.structures.interfaces.spec import parse_spec
from aiida_foundry.workflows.interfaces.heterostructure_calcfunctions import structure_of
from aiida_foundry.workflows.interfaces.heterostructure_parameters import bands_of, parse_parameters
from aiida_foundry.workflows.shared.estimate import irreducible_points, pw_step

LONG_CELL_ITERATIONS = 30
"""Of a self-consistent run of a heterostructure: C/BN(111) takes 15 with 12 atoms, 41 with 24, whose charge sloshes."""

IONIC_STEPS = 12
ITERATIONS_PER_STEP = 10
"""Relaxations of a few planes by BFGS, each step from the density of the one before."""


def estimate(builder: ProcessBuilder) -> list[dict[str, Any]]:
    """Return what each step will take on one core; pp.x is left out, which takes a quarter of the ground state.

    Args:
        builder: of `foundry.interfaces.heterostructure`.

    Returns:
        Records with ``step``, ``core_seconds``, ``memory_mb`` and ``basis``.
    """
    inputs = builder._inputs(prune=True)
    spec = parse_spec(inputs['interface'].get_dict())
    crystals = crystal_from_cell(cell_of(inputs['film'])), crystal_from_cell(cell_of(inputs['substrate']))
    structure = structure_of(build(*crystals, spec).cell)
    parameters = parse_parameters(inputs['parameters'].get_dict())

    def step(name: str, crystal: orm.StructureData, kpoints: orm.KpointsData, **more: Any) -> dict[str, Any]:
        by_kind = {kind.name: inputs['pseudos'][kind.symbol] for kind in crystal.kinds}
        bands = bands_of(valence_electrons(crystal, by_kind), parameters)
        points = irreducible_points(crystal, kpoints)
        cutoffs = parameters.wavefunction_cutoff, parameters.density_cutoff
        return pw_step(name, crystal, points=points, bands=bands, cutoffs=cutoffs, **more)

    bulks = map(structure_of, bulk_cells(match_of(*crystals, spec), spec.film_share))
    steps = [
        step(f'bulk of the {name}', bulk, inputs['bulk_kpoints'][name])
        for name, bulk in zip(('film', 'substrate'), bulks, strict=True)
    ]
    relaxed = 'relaxed_structure' in inputs
    if 'scan' in inputs and not relaxed:
        runs = len(inputs['scan'].get_list())
        steps.append(step(f'scan of {runs}', structure, inputs['kpoints'], iterations=LONG_CELL_ITERATIONS, runs=runs))
    if parameters.relax.enabled and not relaxed:
        iterations = LONG_CELL_ITERATIONS + (IONIC_STEPS - 1) * ITERATIONS_PER_STEP
        steps.append(step('relaxation', structure, inputs['kpoints'], iterations=iterations))
    return [*steps, step('heterostructure', structure, inputs['kpoints'], iterations=LONG_CELL_ITERATIONS)]
