"""Steps between quasiparticles and excitons that belong in the provenance graph."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida.engine import calcfunction
from aiida.orm import ArrayData, BandsData, Dict, Float, Int, SinglefileData, StructureData

from aiida_foundry.analysis import optics
from aiida_foundry.analysis import quasiparticles as qp
from aiida_foundry.analysis.spectra import dielectric_function
from aiida_foundry.engines.abinit import quasiparticle_file
from aiida_foundry.structures.checks import cell_of

FUNCTIONS = ('excitonic', 'independent_quasiparticle', 'independent_particle')
STATES = {'energies', 'strengths'}


@calcfunction
def make_scissor(mesh_bands: BandsData, shift: Float, occupied: Int, version: Int) -> ArrayData:  # noqa: ARG001
    """Return the quasiparticles that a scissor makes of Kohn-Sham bands; `version` is that of `analysis`."""
    energies = mesh_bands.get_bands()
    made = qp.scissor(mesh_bands.get_kpoints(), energies, occupied.value, shift.value)
    return ArrayData(
        {
            'kpoints': made.kpoints,
            'ks_energies': made.ks_energies[np.newaxis],
            'qp_energies': (made.ks_energies + made.corrections)[np.newaxis],
        }
    )


@calcfunction
def transfer_corrections(
    quasiparticles: ArrayData,
    mesh_bands: BandsData,
    structure: StructureData,
    window: Dict,
    settings: Dict,
    version: Int,  # noqa: ARG001
) -> dict[str, Any]:
    """Return `corrections`, `quasiparticle_bands` and `transfer` (report); `version` is that of `analysis`."""
    points, first, last = mesh_bands.get_kpoints(), window['first'], window['last']
    source = qp.Quasiparticles.from_arrays(
        *(quasiparticles.get_array(name) for name in ('kpoints', 'ks_energies', 'qp_energies'))
    )
    energies = mesh_bands.get_bands()[:, first - 1 : last]
    operations = qp.reciprocal_operations(cell_of(structure))
    moved = qp.transfer(
        source, points, energies, operations, occupied=window['occupied'], first_band=first, **settings.get_dict()
    )
    bands = BandsData()
    bands.set_kpointsdata(mesh_bands)
    bands.set_bands(energies + moved.corrections, units='eV')
    corrections = ArrayData({'corrections': moved.corrections, 'covered': moved.covered})
    return {'corrections': corrections, 'quasiparticle_bands': bands, 'transfer': Dict(moved.report)}


@calcfunction
def abinit_file(corrections: ArrayData, mesh_bands: BandsData, window: Dict, version: Int) -> SinglefileData:  # noqa: ARG001
    """Return the corrections of a window of bands as ABINIT reads them; `version` is `quasiparticle_file.VERSION`."""
    values, first = corrections.get_array('corrections'), window['first']
    energies = mesh_bands.get_bands()[:, first - 1 : window['last']]
    text = quasiparticle_file.render(mesh_bands.get_kpoints(), energies, values, first)
    return SinglefileData.from_string(text, filename=quasiparticle_file.QUASIPARTICLE_FILE)


@calcfunction
def abinit_spectra(structure: StructureData, settings: Dict, version: Int, **parts: ArrayData) -> ArrayData:  # noqa: ARG001
    """Return the spectra of ABINIT along Cartesian directions; `parts`: `optical`, `excitons`, `rpa` if there."""
    optical = parts['optical']
    reciprocal = 2 * np.pi * np.linalg.inv(np.array(structure.cell)).T
    directions = optical.get_array('directions') @ reciprocal
    arrays = {name: optical.get_array(name) for name in ('frequencies', *FUNCTIONS)}
    arrays['directions'] = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    if 'excitons' in parts and 'strengths' in parts['excitons'].get_arraynames():
        energies, strengths = (parts['excitons'].get_array(name) for name in ('energies', 'strengths'))
        broadening = settings['broadening']
        arrays['excitonic'] = dielectric_function(energies, strengths.T, arrays['frequencies'], broadening)
    if 'rpa' in parts:
        arrays['rpa'] = parts['rpa'].get_array('excitonic')
    arrays['excitonic_tensor'] = optics.tensor_of(arrays['excitonic'], arrays['directions'])
    return ArrayData(arrays)


@calcfunction
def summarise(
    spectra: ArrayData,
    mesh_bands: BandsData,
    quasiparticle_bands: BandsData,
    window: Dict,
    facts: Dict,
    version: Int,  # noqa: ARG001
    **excitons: ArrayData,
) -> Dict:
    """Return the summary of spectra and excitons with the `facts` on how they were made."""
    first, occupied = window['first'], window['occupied']
    gaps = {
        'kohn_sham': optics.direct_gap(mesh_bands.get_bands(), occupied),
        'quasiparticle': optics.direct_gap(quasiparticle_bands.get_bands(), occupied - first + 1),
    }
    functions = {name: spectra.get_array(name) for name in (*FUNCTIONS, 'rpa') if name in spectra.get_arraynames()}
    states = {name: node.get_array(name) for node in excitons.values() for name in STATES & {*node.get_arraynames()}}
    summary = optics.summarise(
        spectra.get_array('frequencies'), spectra.get_array('directions'), functions, gaps, states or None
    )
    return Dict({**summary, 'bands': [first, window['last']], 'occupied': occupied, **facts.get_dict()})
