"""Table and figure of a heterostructure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from aiida_foundry.cli.figures import STYLE
from aiida_foundry.cli.results import outputs
from aiida_foundry.common.errors import InputError

if TYPE_CHECKING:
    from aiida.orm import ProcessNode
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito, Color universal design (2008)
SLABS = {'substrate': '#0072B2', 'film': '#D55E00'}
FIT, CARRIERS, LOCAL = '#000000', '#009E73', 'Greys'


def print_heterostructure(console: Console, node: ProcessNode) -> None:
    """Print state, fields, offsets and carriers."""
    summary = outputs(node)['summary'].get_dict()
    names = '/'.join(slab['formula'] for slab in reversed(summary['slabs']))
    console.print(f'{names}: {summary["state"]}, gap {summary["gap"]:.3f} eV on the mesh')
    _print_slabs(console, summary)
    _print_interfaces(console, summary)
    for kind in ('electron_gas', 'hole_gas'):
        if summary[kind] is not None:
            gas = summary[kind]
            console.print(
                f'{kind.replace("_", " ")} at {gas["place"]}: {gas["charge"]:.3f} per cell, '
                f'{gas["density"]:.2e} per Å², within {gas["spread"]:.1f} Å'
            )
    if summary['state'] == 'metallic':
        console.print(f'Electrons in bands beyond the filled ones: {summary["carriers_from_bands"]:.3f} per cell')


def _print_slabs(console: Console, summary: dict[str, Any]) -> None:
    table = Table(box=box.SIMPLE_HEAD)
    for name in ('slab', 'crystal', 'thickness (Å)', 'field (V/Å)', 'error'):
        table.add_column(name, justify='left' if name in {'slab', 'crystal'} else 'right')
    for slab in summary['slabs']:
        values = ('–', '–') if slab['field'] is None else (f'{slab["field"]:.3f}', f'{slab["field_error"]:.3f}')
        table.add_row(slab['name'], slab['formula'], f'{slab["top"] - slab["bottom"]:.2f}', *values)
    console.print(table)
    for slab in summary['slabs']:
        if slab['field'] is None:
            console.print(f'No field in {slab["name"]}: {slab["reason"]}')


def _print_interfaces(console: Console, summary: dict[str, Any]) -> None:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column('interface', no_wrap=True)
    for name in ('height (Å)', 'valence offset (eV)', 'conduction offset (eV)', 'charge (e)', 'states, × middle'):
        table.add_column(name, justify='right')
    for interface, contrast in zip(summary['interfaces'], summary['ldos_contrast'], strict=True):
        cells = [
            f'{interface[key]:.3f}' if key in interface else '–'
            for key in ('valence_offset', 'conduction_offset', 'charge')
        ]
        # without states in the window there is nothing to compare
        ratio = f'{contrast:.1f}' if summary['state'] == 'metallic' else '–'
        table.add_row(interface['label'], f'{interface["height"]:.2f}', *cells, ratio)
    console.print(table)
    charge = summary['polar_charge']
    if charge is not None:
        console.print(f'Formal polarizations: {charge:+.3f} e per cell at an ideal insulating interface')


def plot_heterostructure(nodes: Sequence[ProcessNode]) -> Figure:
    """Draw potential, local density of states, carriers and layer by layer densities of states of one heterostructure.

    Raises:
        InputError: several processes, or one without these outputs.
    """
    from matplotlib.figure import Figure

    found = [outputs(node) for node in nodes]
    if len(nodes) != 1 or not {'summary', 'profiles', 'layout'} <= found[0].keys():
        raise InputError(
            f'process {", ".join(str(node.pk) for node in nodes)}',
            'a figure shows one heterostructure',
            'Give one process of interfaces.heterostructure that finished',
        )
    summary, layout = found[0]['summary'].get_dict(), found[0]['layout'].get_dict()
    profiles = {name: found[0]['profiles'].get_array(name) for name in found[0]['profiles'].get_arraynames()}
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.0, 5.2), layout='constrained')
        grid = figure.add_gridspec(2, 2, width_ratios=(2, 1))
        upper = figure.add_subplot(grid[0, 0])
        lower = figure.add_subplot(grid[1, 0], sharex=upper)
        _draw_potential(upper, profiles, summary)
        _draw_states(lower, profiles, layout)
        if summary['state'] == 'metallic':
            _draw_carriers(lower, profiles)
        _draw_layers(figure.add_subplot(grid[:, 1]), profiles, layout)
        upper.set_title(f'{summary["state"]}, gap {max(summary["gap"], 0):.2f} eV', loc='left', fontsize=10)
    return figure


def _draw_potential(axes: Axes, profiles: dict[str, np.ndarray], summary: dict[str, Any]) -> None:
    height = profiles['height']
    axes.plot(height, profiles['potential'], color='#BBBBBB', linewidth=0.8, label='planar average')
    axes.plot(height, profiles['macroscopic_potential'], color=CARRIERS, label='macroscopic average')
    for slab in summary['slabs']:
        colour = SLABS[slab['name'].split()[0]]
        axes.axvspan(slab['bottom'], slab['top'], color=colour, alpha=0.08, linewidth=0)
        if slab['field'] is not None:
            start, end = slab['fitted']
            middle = (start + end) / 2
            level = np.interp(middle, height, profiles['macroscopic_potential'])
            line = [level + slab['field'] * (place - middle) for place in (start, end)]
            axes.plot([start, end], line, color=FIT, linewidth=1.5)
            axes.annotate(
                f'{slab["field"]:+.2f} V/Å', (middle, level), (6, -12), textcoords='offset points', fontsize=8
            )
    axes.set_ylabel('potential energy (eV)')
    axes.legend(frameon=False, fontsize=7)


def _draw_states(axes: Axes, profiles: dict[str, np.ndarray], layout: dict[str, Any]) -> None:
    """Draw the logarithm of the local density of states."""
    energies, local = profiles['ldos_energies'], profiles['ldos']
    height, length = profiles['height'], profiles['height'][1] * len(profiles['height'])
    edges = (0.0, length, energies[0], energies[-1])
    image = np.log10(np.maximum(local.T, local.max() * 1e-4))
    axes.imshow(image, origin='lower', aspect='auto', extent=edges, cmap=LOCAL, interpolation='nearest')
    axes.axhline(0.0, color=FIT, linewidth=0.8, linestyle='--')
    for place in (*layout['interfaces'], *layout['surfaces']):
        axes.axvline(place['height'], color=SLABS['film'], linewidth=0.6)
    axes.set_xlim(height[0], length)
    axes.set_xlabel('height (Å)')
    axes.set_ylabel('$E - E_F$ (eV)')


def _draw_carriers(axes: Axes, profiles: dict[str, np.ndarray]) -> None:
    """Draw electrons above and holes below the Fermi energy."""
    free, length = profiles['free_carriers'], profiles['height'][1] * len(profiles['height'])
    largest = np.abs(free).max()
    twin = axes.twinx()
    twin.plot(np.arange(len(free)) * length / len(free), free, color=CARRIERS, linewidth=1.2)
    twin.set_ylim(-1.1 * largest, 1.1 * largest)
    twin.set_ylabel('electrons (+) and holes (−), 1/Å', color=CARRIERS)


def _draw_layers(axes: Axes, profiles: dict[str, np.ndarray], layout: dict[str, Any]) -> None:
    """Draw the density of states of each layer, from the lowest up."""
    energies, layers = profiles['ldos_energies'], profiles['layer_dos']
    step = layers.max() or 1.0
    middles = profiles['layers'].mean(axis=1)
    for index, (middle, states) in enumerate(zip(middles, layers, strict=True)):
        slab = next(slab for slab in layout['slabs'] if slab['bottom'] <= middle <= slab['top'])
        axes.plot(energies, states + index * step, color=SLABS[slab['name'].split()[0]], linewidth=1.0)
    axes.axvline(0.0, color=FIT, linewidth=0.8, linestyle='--')
    axes.set_yticks(np.arange(len(layers)) * step, [f'{middle:.1f}' for middle in middles])
    axes.set_xlabel('$E - E_F$ (eV)')
    axes.set_ylabel('layer at height (Å)')
