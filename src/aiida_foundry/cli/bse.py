"""Tables and figures of Bethe-Salpeter workflows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from aiida_foundry.common.errors import InputError

if TYPE_CHECKING:
    from aiida.orm import ProcessNode
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMES = {'ki': 'BSE@KI', 'g0w0': 'BSE@$G_0W_0$', 'scissor': 'BSE@scissor', '': 'BSE'}
# Okabe and Ito, Color universal design (2008)
COLOURS = {'ki': '#D55E00', 'g0w0': '#0072B2', 'scissor': '#E69F00', '': '#D55E00'}
BESIDE = {'rpa': ('RPA', '#56B4E9'), 'independent_quasiparticle': ('independent', '#999999')}


def spectra_of(node: ProcessNode) -> dict[str, Mapping[str, Any]]:
    """Return the outputs of each spectrum of a process: by method, or under the empty string if there is one only.

    Raises:
        InputError: if there is none.
    """
    if 'spectra' in node.outputs:
        return {'': node.outputs}
    found = {name: node.outputs[name] for name in NAMES if name and name in node.outputs}
    if not found:
        raise InputError(
            f'process {node.pk}', 'it has no spectra', 'Give a process of bse.spectrum or bse.ki that ended'
        )
    return found


def print_bse(console: Console, node: ProcessNode) -> None:
    """Print gap, excitons and peaks of each spectrum, and what it cost."""
    from aiida_foundry.cli.results import material_of

    material = material_of(node)
    table = Table(box=box.SIMPLE_HEAD, title=f'{material.formula} ({material.space_group}), energies in eV')
    table.add_column('energies of', no_wrap=True)
    for name in ('direct gap', 'lowest exciton', 'bright', 'binding', 'first peak', 'ε(0)', 'core-s'):
        table.add_column(name, justify='right')
    seconds = _core_seconds(node)
    for method, outputs in spectra_of(node).items():
        summary = outputs['excitons'].get_dict()
        table.add_row(method or _corrections_of(node), *_cells(summary), f'{seconds.get(method, np.nan):.1f}')
    console.print(table)
    if 'comparison' in node.outputs:
        cost = node.outputs.comparison.get_dict()['core_seconds']
        console.print(f'Shared: ground state {cost["ground_state"]:.1f}, screening {cost["screening"]:.1f} core-s')
    for outputs in spectra_of(node).values():
        for side, record in outputs['transfer'].get_dict()['extrapolated'].items():
            console.print(
                f'{record["extrapolated"]} {side} states without correction took that of the other {record["covered"]} '
                f'(RMS {record["rms"]:.3f} eV)'
            )


def _cells(summary: Mapping[str, Any]) -> list[str]:
    lowest, bright = summary.get('lowest'), summary.get('lowest_bright')
    peaks = summary['peaks']['excitonic']['energies']
    return [
        f'{summary["direct_gap"]["quasiparticle"]:.3f}',
        '–' if lowest is None else f'{lowest["energy"]:.3f}',
        '–' if bright is None else f'{bright["energy"]:.3f}',
        '–' if lowest is None else f'{lowest["binding_energy"]:.3f}',
        f'{peaks[0]:.2f}' if peaks else '–',
        f'{summary["static"]["excitonic"]:.2f}',
    ]


def _corrections_of(node: ProcessNode) -> str:
    return f'scissor {node.inputs.scissor.value:g}' if 'scissor' in node.inputs else 'quasiparticles'


def _core_seconds(node: ProcessNode) -> dict[str, float]:
    """Return core seconds by method: corrections and spectrum, without what all share; all of a single spectrum."""
    if 'comparison' not in node.outputs:
        return {'': node.outputs.cost['core_seconds']}
    cost = node.outputs.comparison.get_dict()['core_seconds']
    return {name: seconds + cost['corrections'].get(name, 0.0) for name, seconds in cost['spectrum'].items()}


def plot_bse(nodes: Sequence[ProcessNode]) -> Figure:
    """Draw spectra beside the measured peaks, and corrections with the weights of the lowest bright exciton.

    Raises:
        InputError: several processes, or none with spectra.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    from aiida_foundry.cli.figures import STYLE
    from aiida_foundry.cli.results import material_of

    if len(nodes) != 1:
        raise InputError('processes', f'{len(nodes)} are given', 'Draw the spectra of one process')
    node, found = nodes[0], spectra_of(nodes[0])
    material = material_of(node)
    with mpl.rc_context({**STYLE, 'xtick.major.size': 3}):
        figure = Figure(figsize=(7.2, 3.0), layout='constrained')
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        _draw_spectra(left, found, material)
        for method, outputs in found.items():
            _draw_corrections(right, method, outputs)
        left.set_title(material.formula, loc='left', fontsize=10)
        right.set(xlabel='Kohn–Sham energy (eV)', ylabel='correction (eV)')
        right.set_title('circles: lowest bright exciton', loc='left', fontsize=8)
        left.legend(frameon=False, fontsize=7)
    return figure


def _draw_spectra(axes: Axes, found: Mapping[str, Mapping[str, Any]], material: Any) -> None:
    """Draw Im ε, averaged over directions, and vertical lines at the measured peaks."""
    from aiida_foundry.common.optical_peaks import measured_peaks

    for method, outputs in found.items():
        spectra = outputs['spectra']
        frequencies = spectra.get_array('frequencies')
        axes.plot(frequencies, _average(spectra, 'excitonic'), color=COLOURS[method], label=NAMES[method])
    first = next(iter(found.values()))['spectra']
    for name, (beside, colour) in BESIDE.items():
        if name in first.get_arraynames():
            axes.plot(first.get_array('frequencies'), _average(first, name), color=colour, linewidth=0.9, label=beside)
    measured = measured_peaks(material.formula, material.number)
    for index, energy in enumerate(measured.energies if measured else ()):
        label = None if index else 'measured peaks'
        axes.axvline(energy, color='#009E73', linestyle='--', linewidth=1, label=label)
    axes.set(xlabel='photon energy (eV)', ylabel='Im ε', xlim=(0, None), ylim=(0, None))


def _average(spectra: Any, name: str) -> np.ndarray:
    from aiida_foundry.analysis.spectra import average, dielectric_tensor

    return average(dielectric_tensor(spectra.get_array('directions'), spectra.get_array(name))).imag


def _draw_corrections(axes: Axes, method: str, outputs: Mapping[str, Any]) -> None:
    """Draw correction against Kohn-Sham energy; circles are as large as the weight in the lowest bright exciton."""
    summary = outputs['excitons'].get_dict()
    first, last = summary['bands']
    before = outputs['ground_state']['mesh_bands'].get_bands()[:, first - 1 : last]
    corrections = outputs['quasiparticle_bands'].get_bands() - before
    top = before[:, : summary['occupied'] - first + 1].max()
    axes.plot((before - top).ravel(), corrections.ravel(), '.', markersize=3, color=COLOURS[method])
    weights = _weights(outputs, summary)
    if weights is not None:
        axes.scatter(before - top, corrections, s=400 * weights, facecolors='none', edgecolors=COLOURS[method])


def _weights(outputs: Mapping[str, Any], summary: Mapping[str, Any]) -> np.ndarray | None:
    """Return the weights (k, band) of the lowest bright multiplet, None if they are unknown."""
    if 'exciton_weights' not in outputs or 'lowest_bright' not in summary:
        return None
    states, bright = outputs['exciton_weights'], summary['lowest_bright']
    weights: np.ndarray = states.get_array('weights')
    near = np.abs(states.get_array('energies')[: len(weights)] - bright['energy']) <= bright['spread'] + 1e-6
    return weights[near].mean(axis=0) if near.any() else None
