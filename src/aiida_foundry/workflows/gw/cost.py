"""Estimate what a GW builder will cost before it is submitted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida.engine import ProcessBuilder

from aiida_foundry.analysis import gw_cost
from aiida_foundry.common.units import BOHR_TO_ANGSTROM
from aiida_foundry.structures.checks import valence_electrons
from aiida_foundry.workflows.gw import abinit_variables
from aiida_foundry.workflows.gw.abinit import PATH_DISTANCE
from aiida_foundry.workflows.gw.methods import PLASMON_POLE, get_method
from aiida_foundry.workflows.gw.variants import GwVariantsWorkChain, choose_first, first_screening
from aiida_foundry.workflows.shared.band_path import number_of_points
from aiida_foundry.workflows.shared.estimate import irreducible_points

SELF_CONSISTENT_ITERATIONS = 4
"""Iterations a self-consistent method typically needs (silicon: 3 to 5)."""

BASIS = 'operation counts calibrated on silicon; good to a factor of about three'


def estimate(builder: ProcessBuilder) -> list[dict[str, Any]]:
    """Return what each step will take on one core.

    Args:
        builder: of `foundry.gw.variants` or of an adapter of `foundry.gw.gap`.

    Returns:
        Records with ``step``, ``core_seconds``, ``memory_mb`` and ``basis``.
    """
    inputs = builder._inputs(prune=True)
    if builder.process_class is not GwVariantsWorkChain:
        return _method_steps(inputs, '', ground_state='ground_state' not in inputs, screening='screening' not in inputs)
    methods = inputs['methods']
    first = choose_first(methods)
    steps = _method_steps(methods[first], f'{first} ', ground_state=True, screening=True)
    for label, method_inputs in methods.items():
        if label != first:
            own = first_screening(method_inputs) != first_screening(methods[first])
            steps += _method_steps(method_inputs, f'{label} ', ground_state=False, screening=own)
    return steps


def _method_steps(
    inputs: Mapping[str, Any], prefix: str, *, ground_state: bool, screening: bool
) -> list[dict[str, Any]]:
    size = _dimensions(inputs)
    iterations = SELF_CONSISTENT_ITERATIONS if get_method(inputs['method'].value).self_consistent else 1
    seconds = _ground_state_seconds(inputs, size) if ground_state else {}
    seconds['screening'] = (iterations - (not screening)) * gw_cost.screening_seconds(size)
    seconds['self-energy'] = iterations * gw_cost.self_energy_seconds(size)
    memory = gw_cost.memory_megabytes(size)
    return [
        {'step': prefix + step, 'core_seconds': value, 'memory_mb': memory, 'basis': BASIS}
        for step, value in seconds.items()
        if value > 0
    ]


def _ground_state_seconds(inputs: Mapping[str, Any], size: gw_cost.Dimensions) -> dict[str, float]:
    parameters = inputs['parameters'].get_dict()
    valence = abinit_variables.scf(parameters, size.occupied)['nband']
    states = abinit_variables.mesh_bands(parameters)['nband']
    points, waves = size.irreducible, size.plane_waves
    return {
        'scf': gw_cost.bands_seconds(points, valence, waves, gw_cost.ITERATIONS['scf']),
        'bands on the path': gw_cost.bands_seconds(
            number_of_points(inputs['structure'], PATH_DISTANCE),
            abinit_variables.path_bands(parameters, size.occupied)['nband'],
            waves,
            gw_cost.ITERATIONS['bands'],
        ),
        'states on the mesh': gw_cost.bands_seconds(points, states, waves, gw_cost.ITERATIONS['bands']),
    }


def _dimensions(inputs: Mapping[str, Any]) -> gw_cost.Dimensions:
    structure, parameters = inputs['structure'], inputs['parameters'].get_dict()
    method = get_method(inputs['method'].value)
    mesh = inputs['kpoints'].get_kpoints_mesh()[0]
    volume = structure.get_cell_volume() / BOHR_TO_ANGSTROM**3
    occupied = valence_electrons(structure, inputs['pseudos']) // 2
    around, frequency = parameters['quasiparticle_bands'], parameters['frequency']
    plasmon_pole = frequency['treatment'] == PLASMON_POLE
    return gw_cost.Dimensions(
        kpoints=mesh[0] * mesh[1] * mesh[2],
        irreducible=irreducible_points(structure, inputs['kpoints']),
        occupied=occupied,
        bands=parameters['bands'],
        plane_waves=gw_cost.plane_waves(volume, parameters['wavefunction_cutoff']),
        screening_plane_waves=gw_cost.plane_waves(volume, parameters['screening_cutoff']),
        frequencies=2 if plasmon_pole else frequency['real_points'] + frequency['imaginary_points'],
        corrected=occupied + around if method.self_consistent else 2 * around,
        matrix=method.updates == 'wavefunctions',
        plasmon_pole=plasmon_pole,
    )
