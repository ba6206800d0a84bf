"""Steps of a heterostructure that belong in the provenance graph."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida.engine import calcfunction
from aiida.orm import ArrayData, BandsData, Dict, Int, List, StructureData

from aiida_foundry.analysis import electron_gas
from aiida_foundry.analysis.crystal import Cell
from aiida_foundry.analysis.heterostructure import Bulk, Measured, analyse
from aiida_foundry.analysis.matching import crystal_from_cell
from aiida_foundry.common.units import RYDBERG_TO_EV
from aiida_foundry.structures.checks import cell_of
from aiida_foundry.structures.interfaces.build import build, bulk_cells, match_of
from aiida_foundry.structures.interfaces.spec import parse_spec


@calcfunction
def build_heterostructure(
    film: StructureData,
    substrate: StructureData,
    interface: Dict,
    version: Int,  # noqa: ARG001
) -> dict[str, Any]:
    """Return the heterostructure, its layout, and both crystals strained as in it; `version` is `build.VERSION`."""
    spec = parse_spec(interface.get_dict())
    crystals = crystal_from_cell(cell_of(film)), crystal_from_cell(cell_of(substrate))
    result = build(*crystals, spec)
    bulks = bulk_cells(match_of(*crystals, spec), spec.film_share)
    return {
        'structure': structure_of(result.cell),
        'layout': Dict(result.layout),
        'film': structure_of(bulks[0]),
        'substrate': structure_of(bulks[1]),
    }


def structure_of(cell: Cell) -> StructureData:
    """Return a cell as node."""
    from ase import Atoms

    atoms = Atoms(numbers=cell.numbers, scaled_positions=cell.positions, cell=cell.lattice, pbc=True)
    return StructureData(ase=atoms)


@calcfunction
def collect_scan(interfaces: List, **runs: Dict) -> Dict:
    """Return gap, shift and energy of what was scanned, and which is lowest; `runs` in the order of `interfaces`."""
    energies = [runs[name]['energy'] for name in sorted(runs, key=lambda name: int(name.removeprefix('run_')))]
    rows = [
        {'gap': values['gap'], 'shift': values['shift'], 'energy': energy}
        for values, energy in zip(interfaces.get_list(), energies, strict=True)
    ]
    return Dict({'interfaces': rows, 'best': int(np.argmin(energies)), 'units': {'gap': 'Å', 'energy': 'eV'}})


@calcfunction
def band_edges(bands: BandsData, potential: ArrayData, number_of_electrons: Int, version: Int) -> Dict:  # noqa: ARG001
    """Return edges on the mesh and mean potential of a crystal in eV; `version` is `electron_gas.VERSION`."""
    energies = bands.get_bands()
    filled = number_of_electrons.value // 2
    return Dict(
        {
            'valence': float(energies[:, filled - 1].max()),
            'conduction': float(energies[:, filled].min()),
            'gap': electron_gas.band_gap(energies, number_of_electrons.value),
            'potential': float(potential.get_array('profiles')[0].mean()) * RYDBERG_TO_EV,
        }
    )


@calcfunction
def analyse_heterostructure(
    potential: ArrayData,
    density: ArrayData,
    ldos: ArrayData,
    bands: BandsData,
    scf: Dict,
    film: Dict,
    substrate: Dict,
    layout: Dict,
    parameters: Dict,
    version: Int,  # noqa: ARG001
) -> dict[str, Any]:
    """Return findings and the arrays behind them; `version` is `heterostructure.VERSION`."""
    settings = parameters.get_dict()
    bulks = {name: bulk_of(node) for name, node in (('film', film), ('substrate', substrate))}
    measured = measured_of((potential, density, ldos), bands, scf, settings['smearing'] * RYDBERG_TO_EV)
    summary, arrays = analyse(measured, bulks, layout.get_dict(), settings)
    return {'summary': Dict(summary), 'profiles': ArrayData(arrays)}


def bulk_of(edges: Dict) -> Bulk:
    """Return the bulk of the output of `band_edges`."""
    return Bulk(**{name: edges[name] for name in ('valence', 'conduction', 'potential')})


def measured_of(
    grids: tuple[ArrayData, ArrayData, ArrayData], bands: BandsData, scf: Dict, smearing: float
) -> Measured:
    """Collect what the calculations found; smearing in eV."""
    potential, density, ldos = grids
    energies = bands.get_bands()
    return Measured(
        potential=potential.get_array('profiles')[0],
        density=density.get_array('profiles')[0],
        ldos=ldos.get_array('profiles'),
        ldos_energies=ldos.get_array('energies'),
        bands=energies,
        weights=np.asarray(bands.get_array('weights')),
        fermi=scf['fermi_energy'],
        smearing=smearing,
        broadening=float(ldos.get_array('broadenings')[0]),
        electrons=round(scf['number_of_electrons']),
        length=potential.base.attributes.get('length'),
    )
