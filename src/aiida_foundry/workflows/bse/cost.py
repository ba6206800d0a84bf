"""Estimate what excitons will cost before they are submitted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida.engine import ProcessBuilder

from aiida_foundry.analysis import exciton_cost, gw_cost
from aiida_foundry.common.units import BOHR_TO_ANGSTROM
from aiida_foundry.structures.checks import valence_electrons
from aiida_foundry.workflows.bse import abinit_variables
from aiida_foundry.workflows.bse.parameters import HAYDOCK
from aiida_foundry.workflows.shared.estimate import irreducible_points

BASIS = 'operation counts calibrated on silicon; good to a factor of about five'
KOOPMANS_BASIS = 'the same; without ε∞, trials and path of the Wannier functions'


def estimate(builder: ProcessBuilder) -> list[dict[str, Any]]:
    """Return what each step will take on one core.

    Args:
        builder: of `foundry.bse.ki` or of an adapter of `foundry.bse.spectrum`.

    Returns:
        Records with ``step``, ``core_seconds``, ``memory_mb`` and ``basis``.
    """
    inputs = builder._inputs(prune=True)
    if 'koopmans' not in inputs:
        return _spectrum_steps(
            inputs, '', ground_state='ground_state' not in inputs, screening='screening' not in inputs
        )
    common = {name: inputs[name] for name in ('structure', 'kpoints', 'pseudos')}
    steps = _koopmans_steps({**common, **inputs['koopmans']})
    spectrum = {**common, **inputs['bse']}
    steps += _spectrum_steps(spectrum, 'ki ', ground_state=True, screening=True)
    for name in ('gw', 'scissor'):
        if name in inputs:
            steps += _self_energy_steps({**common, **inputs['gw']}) if name == 'gw' else []
            steps += _spectrum_steps(spectrum, f'{name} ', ground_state=False, screening=False)
    return steps


def _spectrum_steps(
    inputs: Mapping[str, Any], prefix: str, *, ground_state: bool, screening: bool
) -> list[dict[str, Any]]:
    parameters = inputs['parameters'].get_dict()
    size, occupied = _dimensions(inputs), _occupied(inputs)
    bands, memory = gw_cost.bands_seconds, gw_cost.memory_megabytes(size)
    points = size.irreducible if parameters['symmetry'] else size.kpoints
    seconds = {}
    if ground_state:
        scf, mesh = (
            abinit_variables.scf(parameters, occupied)['nband'],
            abinit_variables.mesh_bands(parameters)['nband'],
        )
        seconds['scf'] = bands(points, scf, size.plane_waves, gw_cost.ITERATIONS['scf'])
        seconds['states on the mesh'] = bands(points, mesh, size.plane_waves, gw_cost.ITERATIONS['bands'])
    if screening:
        seconds['screening'] = gw_cost.screening_seconds(size)
    steps = [_step(prefix + step, value, memory) for step, value in seconds.items()]
    pairs = exciton_cost.Pairs(
        kpoints=size.kpoints,
        valence=parameters['valence_bands'],
        conduction=parameters['conduction_bands'],
        plane_waves=size.plane_waves,
        screening_plane_waves=size.screening_plane_waves,
        iterations=parameters['haydock']['max_iterations'] if parameters['algorithm'] == HAYDOCK else 0,
    )
    labels = ('Bethe-Salpeter equation', 'RPA') if parameters['rpa'] else ('Bethe-Salpeter equation',)
    cost, memory = exciton_cost.bethe_salpeter_seconds(pairs), exciton_cost.bethe_salpeter_megabytes(pairs)
    return steps + [_step(prefix + label, cost, memory) for label in labels]


def _self_energy_steps(inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the steps of G0W0 with a plasmon pole beyond ground state and screening, which the spectrum shares."""
    size = _dimensions(inputs)
    return [_step('gw self-energy', gw_cost.self_energy_seconds(size), gw_cost.memory_megabytes(size))]


def _koopmans_steps(inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    wannier, mesh = inputs['wannierize']['parameters'].get_dict(), inputs['kpoints'].get_kpoints_mesh()[0]
    occupied, irreducible = _occupied(inputs), irreducible_points(inputs['structure'], inputs['kpoints'])
    kpoints, bands = mesh[0] * mesh[1] * mesh[2], wannier['bands']
    waves = gw_cost.plane_waves(_volume(inputs), wannier['wavefunction_cutoff'])
    functions = occupied + wannier['empty_functions']
    # functions that are images of each other share their wave vectors: at most all functions at the irreducible ones
    screening = exciton_cost.koopmans_seconds(functions * irreducible, kpoints, occupied, bands, waves)
    memory = 150 + 32 * kpoints * bands * waves / 1e6
    seconds = {
        'scf': gw_cost.bands_seconds(irreducible, occupied, waves, gw_cost.ITERATIONS['scf']),
        'states on the mesh': gw_cost.bands_seconds(kpoints, bands, waves, gw_cost.ITERATIONS['bands']),
        'screening, at most': screening,
    }
    return [_step(f'koopmans {step}', value, memory, KOOPMANS_BASIS) for step, value in seconds.items()]


def _step(label: str, seconds: float, memory: float, basis: str = BASIS) -> dict[str, Any]:
    return {'step': label, 'core_seconds': seconds, 'memory_mb': memory, 'basis': basis}


def _dimensions(inputs: Mapping[str, Any]) -> gw_cost.Dimensions:
    structure, parameters = inputs['structure'], inputs['parameters'].get_dict()
    mesh = inputs['kpoints'].get_kpoints_mesh()[0]
    return gw_cost.Dimensions(
        kpoints=mesh[0] * mesh[1] * mesh[2],
        irreducible=irreducible_points(structure, inputs['kpoints']),
        occupied=_occupied(inputs),
        bands=parameters['bands'],
        plane_waves=gw_cost.plane_waves(_volume(inputs), parameters['wavefunction_cutoff']),
        screening_plane_waves=gw_cost.plane_waves(_volume(inputs), parameters['screening_cutoff']),
        frequencies=2,
        corrected=2 * parameters.get('quasiparticle_bands', 0),
        matrix=False,
        plasmon_pole=True,
    )


def _occupied(inputs: Mapping[str, Any]) -> int:
    return int(valence_electrons(inputs['structure'], inputs['pseudos']) // 2)


def _volume(inputs: Mapping[str, Any]) -> float:
    return float(inputs['structure'].get_cell_volume() / BOHR_TO_ANGSTROM**3)
