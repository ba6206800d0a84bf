"""Whether a heterostructure is insulating, and where free carriers are if it is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.constants import elementary_charge, epsilon_0
from scipy.interpolate import CubicSpline
from scipy.special import erfc

from aiida_foundry.common.errors import InputError

FloatArray = NDArray[np.float64]

#: Raise it with every change of a number.
VERSION = 3

#: ε₀ in e/(V Å).
EPSILON_0: float = epsilon_0 / elementary_charge * 1e-10

NODES = np.linspace(-4, 4, 201)
"""Of the smearing, in its widths: beyond lie 1e-8 of it, and states broadened by a twentieth of it are resolved."""
WEIGHTS = np.exp(-(NODES**2)) / np.exp(-(NODES**2)).sum()


def band_gap(energies: FloatArray, electrons: int) -> float:
    """Return the fundamental gap in eV on a mesh; negative where the bands overlap.

    An odd number of electrons leaves a band half filled, as in a superlattice with two like polar interfaces: the gap
    is then minus the width of that band.

    Args:
        energies: (k, n) eigenvalues in eV, ascending, of spin-degenerate bands.
        electrons: per cell.

    Raises:
        InputError: no band above them.
    """
    highest, lowest = (electrons - 1) // 2, electrons // 2
    if energies.shape[-1] <= lowest:
        raise InputError(
            'bands', f'{energies.shape[-1]} bands do not tell a gap above {electrons} electrons', 'Add some'
        )
    return float(energies[:, lowest].min() - energies[:, highest].max())


def band_carriers(energies: FloatArray, weights: FloatArray, electrons: int, fermi: float, width: float) -> float:
    """Return the electrons per cell in bands beyond the filled ones; as many holes are below, the cell being neutral.

    Occupations are those of a Gaussian of standard deviation ``width``/√2 about the Fermi energy.

    Args:
        energies: (k, n) eigenvalues in eV.
        weights: (k,) of the k-points.
        electrons: per cell.
        fermi: Fermi energy, eV.
        width: eV.
    """
    above = erfc((energies[:, electrons // 2 :] - fermi) / width)
    return float((weights / weights.sum()) @ above.sum(axis=1))


def displacement_step(below: float, above: float, dielectric: tuple[float, float], area: float) -> float:
    """Return ε₀(ε_above E_above − ε_below E_below) A, the charge at an interface in e per cell.

    Args:
        below: electric field on the lower side, V/Å, positive along z.
        above: the same on the upper side.
        dielectric: constants below and above, of clamped ions if these were not relaxed.
        area: of the cell, Å².
    """
    return EPSILON_0 * (dielectric[1] * above - dielectric[0] * below) * area


def carriers(
    ldos: FloatArray, energies: FloatArray, fermi: float, midgap: FloatArray, width: float = 0.0
) -> FloatArray:
    """Return the density of free carriers by position: electrons positive, holes negative.

    The middle of the local gap follows the macroscopic potential. States between it and the Fermi energy are filled
    conduction bands where it lies below, and empty valence bands where it lies above.

    Args:
        ldos: (n, e) states per eV and Å, per cell.
        energies: (e,) ascending, eV.
        fermi: Fermi energy, eV.
        midgap: (n,) middle of the local gap, eV; values beyond the energies count as their ends.
        width: of the Gaussian smearing of the occupations beyond the broadening of the states, eV.

    Returns:
        (n,) carriers per Å and cell.
    """
    counted = CubicSpline(energies, ldos, axis=1).antiderivative()

    def upto(limits: FloatArray) -> FloatArray:
        return np.array(counted(np.clip(limits, energies[0], energies[-1])))

    # the smeared step by parts: the mean of what lies below an energy that scatters about the Fermi energy
    filled = upto(fermi + width * NODES) @ WEIGHTS
    return filled - upto(midgap).diagonal()


def locate(density: FloatArray, length: float, places: Sequence[Mapping[str, Any]], periodic: bool) -> list[dict]:
    """Assign carriers to the nearest interface or surface.

    Args:
        density: (n,) as from `carriers`, on an equidistant grid from 0 to ``length``.
        length: of the cell along the normal, Å.
        places: with ``height`` in Å.
        periodic: whether distances reach over the end of the cell.

    Returns:
        For each place ``electrons`` and ``holes`` per cell, and ``spread``: their root mean square distance from it, Å.
    """
    spacing = length / len(density)
    offsets = np.arange(len(density))[:, None] * spacing - np.array([place['height'] for place in places])
    if periodic:
        offsets -= length * np.rint(offsets / length)
    owner = np.abs(offsets).argmin(axis=1)
    found = []
    for index in range(len(places)):
        mine, distance = density[owner == index], offsets[owner == index, index]
        total = np.abs(mine).sum()
        found.append(
            {
                'electrons': float(mine.clip(min=0).sum() * spacing),
                'holes': float(-mine.clip(max=0).sum() * spacing),
                'spread': float(np.sqrt(np.abs(mine) @ distance**2 / total)) if total > 0 else 0.0,
            }
        )
    return found


def layer_dos(ldos: FloatArray, length: float, edges: Sequence[tuple[float, float]]) -> FloatArray:
    """Integrate the local density of states over layers.

    Args:
        ldos: (n, e) states per eV and Å, on an equidistant grid of n points from 0 to ``length``, periodic.
        length: of the cell along the normal, Å.
        edges: lower and upper height of each layer, Å.

    Returns:
        (layers, e) states per eV.
    """
    spacing = length / len(ldos)
    total = np.concatenate([np.zeros((1, ldos.shape[1])), np.cumsum(ldos, axis=0)]) * spacing
    # point i stands for the interval of one spacing around it
    marks = (np.arange(len(ldos) + 1) - 0.5) * spacing

    def upto(height: float) -> FloatArray:
        turns, rest = divmod(height - marks[0], length)
        row = np.array([np.interp(rest + marks[0], marks, column) for column in total.T])
        return turns * total[-1] + row

    return np.array([upto(top) - upto(bottom) for bottom, top in edges])


def layers_of(slab: Mapping[str, Any]) -> list[tuple[float, float]]:
    """Divide a slab into as many equal layers as repeats of its crystal fit into it."""
    count = max(1, round((slab['top'] - slab['bottom']) / slab['period']))
    marks = np.linspace(slab['bottom'], slab['top'], count + 1)
    return [(float(low), float(high)) for low, high in pairwise(marks)]


def contrast(weight: FloatArray, length: float, layout: Mapping[str, Any]) -> list[float]:
    """Return how many times more states lie at each interface than in the middle of the slabs beside it.

    Compared are densities per Å, over one period around the interface and one around the middle of each slab.

    Args:
        weight: (n,) local density of states in a window about the Fermi energy, on an equidistant grid.
        length: of the cell along the normal, Å.
        layout: of the heterostructure.
    """
    slabs = {slab['name']: slab for slab in layout['slabs']}

    def density(centre: float, width: float) -> float:
        edges = [(centre - width / 2, centre + width / 2)]
        return float(layer_dos(weight[:, None], length, edges)[0, 0]) / width

    ratios = []
    for interface in layout['interfaces']:
        beside = [slabs[interface[side]] for side in ('below', 'above')]
        period = sum(slab['period'] for slab in beside) / 2
        middles = [density((slab['bottom'] + slab['top']) / 2, slab['period']) for slab in beside]
        ratios.append(density(interface['height'], period) / max(float(np.mean(middles)), np.finfo(float).tiny))
    return ratios
