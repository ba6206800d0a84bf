"""Steps of the polarization workflows that belong in the provenance graph; `version` is that of the module wrapped."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from aiida.engine import calcfunction
from aiida.orm import BandsData, Dict, Float, Int, KpointsData, StructureData

from aiida_foundry.analysis.crystal import Cell
from aiida_foundry.analysis.polarization import berry, spontaneous, strings
from aiida_foundry.analysis.polarization import path as paths
from aiida_foundry.analysis.polarization.branch import phase_modulus
from aiida_foundry.structures.checks import cell_of


@calcfunction
def string_kpoints(structure: StructureData, mesh: KpointsData, settings: Dict, version: Int) -> KpointsData:  # noqa: ARG001
    """Return the strings along one reciprocal vector; `settings`: `direction` (1 to 3), `points`, `moments`."""
    constraints = constraints_of(structure, settings['moments'])
    divisions, _ = mesh.get_kpoints_mesh()
    found = strings.make_strings(settings['direction'] - 1, divisions, settings['points'], constraints.rotations)
    kpoints = KpointsData()
    kpoints.set_cell_from_structure(structure)
    kpoints.set_kpoints(found.kpoints, weights=found.weights)
    return kpoints


@calcfunction
def string_mesh(mesh: KpointsData, direction: Int, points: Int) -> KpointsData:
    """Return a mesh whose lines along one direction, counted from 1, are strings of that many points, ends included."""
    divisions, _ = mesh.get_kpoints_mesh()
    kpoints = KpointsData()
    kpoints.set_kpoints_mesh([points.value - 1 if i == direction.value - 1 else n for i, n in enumerate(divisions)])
    return kpoints


@calcfunction
def formal_polarization(structure: StructureData, settings: Dict, version: Int, **results: Dict | BandsData) -> Dict:  # noqa: ARG001
    """Return the formal polarization from the last run of each direction, `direction_N`, and all `bands_…`.

    `settings`: `valences` and `moments` by kind, `occupied` bands by spin, `points` and `errors` by direction.
    """
    valences = [settings['valences'][site.kind_name] for site in structure.sites]
    runs = {label: node for label, node in results.items() if label.startswith('direction')}
    phases = {int(label[-1]) - 1: electronic_phase_of(run) for label, run in runs.items()}
    constraints = constraints_of(structure, settings['moments'])
    modulus = phase_modulus(valences, settings['moments'] is not None)
    record = berry.formal_record(cell_of(structure), valences, phases, modulus, constraints)
    gap = gap_of([results[label] for label in results if label not in runs], settings['occupied'])
    return Dict({**record, 'gap': gap, 'strings': {name: settings[name] for name in ('points', 'errors')}})


@calcfunction
def add_costs(**images: Dict) -> Dict:
    """Return the cost of each image and the sum in core-hours."""
    records = {label: cost['core_seconds'] for label, cost in images.items()}
    total = float(np.sum(list(records.values())))
    return Dict({'steps': records, 'core_seconds': total, 'core_hours': total / 3600})


@calcfunction
def halfway_to_inverse(structure: StructureData, version: Int) -> StructureData:  # noqa: ARG001
    """Return the centrosymmetric structure half way between a crystal and its inverse."""
    return structure_of(paths.centrosymmetric_reference(cell_of(structure)), structure)


@calcfunction
def image_of_path(reference: StructureData, structure: StructureData, fraction: Float, version: Int) -> StructureData:  # noqa: ARG001
    """Return the structure at a fraction of the straight path from the reference to the crystal."""
    path = paths.make_path(cell_of(reference), cell_of(structure))
    return structure_of(path.image(fraction.value), structure)


@calcfunction
def spontaneous_polarization(
    reference: StructureData,
    structure: StructureData,
    settings: Dict,
    version: Int,  # noqa: ARG001
    **images: Dict,
) -> Dict:
    """Return the change of polarization; `settings`: `fractions` by image, `charges` by element, free `directions`."""
    path = paths.make_path(cell_of(reference), cell_of(structure))
    labels = sorted(images, key=settings['fractions'].get)
    fractions = [settings['fractions'][label] for label in labels]
    charges = paths.site_charges(cell_of(structure), settings['charges'])
    phases = spontaneous.along([images[label]['phases'] for label in labels], settings['directions'])
    record = spontaneous.spontaneous_record(path, fractions, phases, images[labels[0]]['modulus'], charges)
    gaps = [images[label]['gap']['indirect'] for label in labels]
    return Dict({**record, 'gaps': gaps})


def constraints_of(structure: StructureData, moments: dict[str, float] | None) -> berry.Constraints:
    """Return what the symmetry of a structure with moments by kind says of its phases."""
    values = [(moments or {}).get(site.kind_name, 0.0) for site in structure.sites]
    return berry.find_constraints(cell_of(structure), values)


def ionic_phases_of(structure: StructureData, valences: dict[str, float]) -> np.ndarray:
    """Return the ionic phases in e along the lattice vectors, from valences by kind."""
    return berry.ionic_phases(cell_of(structure).positions, [valences[site.kind_name] for site in structure.sites])


def gap_of(bands: Sequence[BandsData], occupied: Sequence[int]) -> dict[str, float]:
    """Return the gap of bands in one potential; raises `MetallicBandsError` where there is none."""
    # those with empty bands first
    ordered = sorted((node.get_bands() for node in bands), key=lambda values: -values.shape[-1])
    return berry.insulating_gap(ordered, occupied)


def electronic_phase_of(parameters: Dict) -> float:
    """Return the electronic phase in e of a run along one direction."""
    record = parameters['berry_phase']
    return berry.electronic_phase(record['weights'], record['phases'])


def structure_of(cell: Cell, like: StructureData) -> StructureData:
    """Return a cell as a structure with the kinds, site by site, of another."""
    structure = StructureData(cell=cell.lattice.tolist())
    for kind in like.kinds:
        structure.append_kind(kind)
    for site, position in zip(like.sites, cell.positions @ cell.lattice, strict=True):
        structure.append_site(type(site)(kind_name=site.kind_name, position=position.tolist()))
    return structure
