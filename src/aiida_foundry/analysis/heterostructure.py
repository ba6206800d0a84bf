"""From planar averages, local densities of states and bands to fields, band offsets and where free carriers are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import trapezoid

from aiida_foundry.analysis import electron_gas as gas
from aiida_foundry.analysis import planar
from aiida_foundry.common.errors import InputError
from aiida_foundry.common.units import BOHR_TO_ANGSTROM, RYDBERG_TO_EV

FloatArray = NDArray[np.float64]

VERSION = 2 + planar.VERSION * 100 + gas.VERSION * 10_000
"""Raise the first number with every change of a number in this module."""

INTERFACE_DECAY = 1.0
"""Å. The charge that an interface of two insulators induces decays within a bond length: for C/BN(111) fields fitted
beyond it change by 0.02 eV/Å when the margin is varied by half a bond."""

GAS_THRESHOLD = 1e-3
"""Carriers per cell below which there is no gas: the tails of the smearing. A tenth of a per cent of a polar charge."""


@dataclass(frozen=True, eq=False)
class Bulk:
    """A crystal, strained as in the heterostructure.

    Args:
        valence, conduction: band edges on the mesh, eV.
        potential: mean electrostatic potential energy of an electron, eV.
    """

    valence: float
    conduction: float
    potential: float


@dataclass(frozen=True, eq=False)
class Measured:
    """What was computed of a heterostructure.

    Args:
        potential: (n,) planar average of the electrostatic potential energy of an electron, Ry.
        density: (m,) planar average of the electron density, 1/bohr³.
        ldos: (e, l) planar averages of the local density of states, 1/(Ry bohr³).
        ldos_energies: (e,) ascending, eV.
        bands: (k, b) eigenvalues, eV.
        weights: (k,).
        fermi: eV.
        smearing: width of the Gaussian smearing of the occupations, eV.
        broadening: width of the Gaussians that the local densities of states are made of, eV.
        electrons: per cell.
        length: of the cell along the normal, Å.
    """

    potential: FloatArray
    density: FloatArray
    ldos: FloatArray
    ldos_energies: FloatArray
    bands: FloatArray
    weights: FloatArray
    fermi: float
    smearing: float
    broadening: float
    electrons: int
    length: float


def analyse(
    measured: Measured, bulks: Mapping[str, Bulk], layout: Mapping[str, Any], settings: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, FloatArray]]:
    """Return the findings as plain values and the arrays behind them.

    Args:
        measured: the heterostructure.
        bulks: ``film`` and ``substrate``.
        layout: as `build.Heterostructure` has it.
        settings: ``dielectric_constants`` of film and substrate (None: not known), ``polar_charge`` in e per cell
            (None: not known), ``window`` in eV about the Fermi energy.

    Returns:
        A dictionary for a node, all energies in eV, lengths in Å, fields in eV/Å, charges in e per cell; and arrays.
    """
    profiles = _profiles(measured, layout)
    lines = _lines(profiles, measured.length, layout)
    midgap = _midgap(profiles['macroscopic_potential'], measured.length, bulks, layout)
    ldos = _ldos(measured, layout)
    # two Gaussians in a row are one whose squared width is the sum
    width = float(np.sqrt(max(measured.smearing**2 - measured.broadening**2, 0.0)))
    free = gas.carriers(ldos, measured.ldos_energies, measured.fermi, midgap_at(midgap, len(ldos)), width)
    edges = [layer for slab in layout['slabs'] for layer in gas.layers_of(slab)]
    window = np.abs(measured.ldos_energies - measured.fermi) <= settings['window'] + 1e-9
    weight = trapezoid(ldos[:, window], measured.ldos_energies[window], axis=1)
    summary = {
        'slabs': [_slab_record(slab, line, settings) for slab, line in zip(layout['slabs'], lines, strict=True)],
        'interfaces': _interfaces(lines, bulks, layout, settings),
        **_verdict(measured, free, layout),
        'ldos_contrast': gas.contrast(weight, measured.length, layout),
        'ldos_window': settings['window'],
        'polar_charge': settings['polar_charge'],
        'units': {'energy': 'eV', 'length': 'Å', 'field': 'eV/Å', 'charge': 'e per cell', 'density': 'e/Å²'},
    }
    arrays = {
        **profiles,
        'midgap': midgap,
        'free_carriers': free,
        'ldos': ldos,
        'ldos_energies': measured.ldos_energies - measured.fermi,
        'layers': np.array(edges),
        'layer_dos': gas.layer_dos(ldos, measured.length, edges),
    }
    return summary, arrays


def _profiles(measured: Measured, layout: Mapping[str, Any]) -> dict[str, FloatArray]:
    """Return planar and macroscopic averages: potential energy in eV, electrons per Å and cell."""
    periods = sorted({slab['period'] for slab in layout['slabs']})
    windows = [periods[0], periods[-1]]
    potential = measured.potential * RYDBERG_TO_EV
    density = measured.density / BOHR_TO_ANGSTROM**3 * layout['area']
    return {
        'height': np.arange(len(potential)) * measured.length / len(potential),
        'potential': potential,
        'macroscopic_potential': planar.macroscopic_average(potential, measured.length, windows),
        'density': density,
        'macroscopic_density': planar.macroscopic_average(density, measured.length, windows),
    }


def _lines(
    profiles: Mapping[str, FloatArray], length: float, layout: Mapping[str, Any]
) -> list[planar.Line | InputError]:
    """Fit the potential in each slab, averaged over the slab's own period, or say why that is not possible."""
    found: list[planar.Line | InputError] = []
    for slab in layout['slabs']:
        averaged = planar.macroscopic_average(profiles['potential'], length, [slab['period']])
        try:
            span = planar.bulk_range(slab['bottom'], slab['top'], slab['period'] / 2 + INTERFACE_DECAY)
            found.append(planar.fit_line(averaged, length, *span))
        except InputError as error:
            found.append(error)
    return found


def _slab_record(
    slab: Mapping[str, Any], line: planar.Line | InputError, settings: Mapping[str, Any]
) -> dict[str, Any]:
    record = {name: slab[name] for name in ('name', 'formula', 'bottom', 'top', 'period')}
    record['dielectric_constant'] = settings['dielectric_constants'][_side(slab['name'])]
    if isinstance(line, InputError):
        return {**record, 'field': None, 'reason': str(line)}
    return {**record, 'field': line.slope, 'field_error': line.error, 'fitted': [line.start, line.end]}


def _side(name: str) -> str:
    return name.split(maxsplit=1)[0]


def _interfaces(
    lines: list[planar.Line | InputError],
    bulks: Mapping[str, Bulk],
    layout: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Return offsets and charge of each interface; without fields on both sides there are none."""
    by_name = {slab['name']: (line, slab) for slab, line in zip(layout['slabs'], lines, strict=True)}
    records = []
    for interface in layout['interfaces']:
        (below, lower), (above, upper) = by_name[interface['below']], by_name[interface['above']]
        record: dict[str, Any] = dict(interface)
        records.append(record)
        if isinstance(below, InputError) or isinstance(above, InputError):
            continue
        # each at its own end: in a superlattice the slab above may lie at the other end of the cell
        step = above.at(upper['bottom'] - layout['gap'] / 2) - below.at(lower['top'] + layout['gap'] / 2)
        record |= _offsets(step, bulks, interface)
        constants = [settings['dielectric_constants'][_side(interface[side])] for side in ('below', 'above')]
        if None not in constants:
            charge = gas.displacement_step(below.slope, above.slope, (constants[0], constants[1]), layout['area'])
            record['charge'] = charge
            if settings['polar_charge'] is not None:
                record['missing_charge'] = abs(settings['polar_charge']) - abs(charge)
    return records


def _offsets(step: float, bulks: Mapping[str, Bulk], interface: Mapping[str, Any]) -> dict[str, float]:
    """Return the band offsets from substrate to film, by the step of the potential across the interface."""
    below, above = (bulks[_side(interface[side])] for side in ('below', 'above'))
    sign = 1.0 if _side(interface['above']) == 'film' else -1.0
    valence = (above.valence - above.potential) - (below.valence - below.potential) + step
    conduction = (above.conduction - above.potential) - (below.conduction - below.potential) + step
    return {'potential_step': step, 'valence_offset': sign * valence, 'conduction_offset': sign * conduction}


def _midgap(potential: FloatArray, length: float, bulks: Mapping[str, Bulk], layout: Mapping[str, Any]) -> FloatArray:
    """Return the middle of the local gap (n,): the macroscopic potential and the crystal's gap above its potential."""
    heights = np.arange(len(potential)) * length / len(potential)
    tops = np.array([slab['top'] for slab in layout['slabs']])
    owner = np.minimum(np.searchsorted(tops, heights), len(tops) - 1)
    shifts = []
    for slab in layout['slabs']:
        bulk = bulks[_side(slab['name'])]
        shifts.append((bulk.valence + bulk.conduction) / 2 - bulk.potential)
    return potential + np.array(shifts)[owner]


def midgap_at(midgap: FloatArray, points: int) -> FloatArray:
    """Interpolate a periodic profile to another number of points."""
    wanted = np.arange(points) / points
    return np.interp(wanted, np.arange(len(midgap) + 1) / len(midgap), np.append(midgap, midgap[0]))


def _ldos(measured: Measured, layout: Mapping[str, Any]) -> FloatArray:
    """Return the local density of states (l, e) per eV and Å, per cell."""
    return measured.ldos.T / RYDBERG_TO_EV / BOHR_TO_ANGSTROM**3 * layout['area']


def _verdict(measured: Measured, free: FloatArray, layout: Mapping[str, Any]) -> dict[str, Any]:
    """Return gap and state, and where electrons and holes are in a metallic one."""
    gap = gas.band_gap(measured.bands, measured.electrons)
    total = gas.band_carriers(measured.bands, measured.weights, measured.electrons, measured.fermi, measured.smearing)
    # beyond the critical thickness carriers pin the gap near zero, and on which side of it the smearing decides
    metallic = gap <= 0 or total > GAS_THRESHOLD
    verdict: dict[str, Any] = {
        'state': 'metallic' if metallic else 'insulating',
        'gap': gap,
        'fermi_energy': measured.fermi,
        'carriers_from_bands': total,
        'electron_gas': None,
        'hole_gas': None,
    }
    if not metallic:
        return verdict
    places = [*layout['interfaces'], *layout['surfaces']]
    located = gas.locate(free, measured.length, places, periodic=layout['kind'] == 'superlattice')
    for kind, name in (('electrons', 'electron_gas'), ('holes', 'hole_gas')):
        index = int(np.argmax([place[kind] for place in located]))
        charge = located[index][kind]
        if charge > GAS_THRESHOLD:
            verdict[name] = {
                'place': places[index]['label'],
                'height': places[index]['height'],
                'charge': charge,
                'density': charge / layout['area'],
                'spread': located[index]['spread'],
            }
    verdict['places'] = [{'label': place['label'], **found} for place, found in zip(places, located, strict=True)]
    return verdict
