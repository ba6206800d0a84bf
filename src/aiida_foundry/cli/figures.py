"""Figures of results, ready for a paper: vector text, colours that survive colour blindness and grey print."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib as mpl
from matplotlib.patheffects import withStroke

from aiida_foundry.cli.results import GapRecord, Material

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLE: dict[Any, Any] = {
    'font.family': 'sans-serif',
    'font.size': 9,
    'axes.linewidth': 0.8,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'xtick.major.size': 0,
    'pdf.fonttype': 42,
    'svg.fonttype': 'none',
    'savefig.dpi': 300,
}
# colours here and below: Okabe and Ito, Color universal design (2008)
MEASURED = '#009E73'
NAMES = {
    'g0w0-ppm': '$G_0W_0$\nplasmon pole',
    'g0w0-ff': '$G_0W_0$\nfull frequency',
    'evgw': 'ev$GW$',
    'qsgw': 'QS$GW$',
    'qsgw-vertex': 'QS$G\\hat{W}$',
}
"""How methods are written in papers; others keep their name."""


class Column(NamedTuple):
    """Name and gaps in eV of one place on the abscissa."""

    name: str
    direct: float
    indirect: float


class Series(NamedTuple):
    """One kind of gap: label, colour and marker, and the side of the column it is drawn on (-1 or 1)."""

    label: str
    colour: str
    marker: str
    side: int


def plot_gaps(records: Sequence[GapRecord], material: Material) -> Figure:
    """Draw direct and indirect gaps by method, beside the Kohn-Sham ones and the measured fundamental gap.

    Args:
        records: the gaps, in eV.
        material: what they are gaps of.
    """
    from matplotlib.figure import Figure

    columns = _columns(records)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(2.0 + 0.95 * len(columns), 2.9), layout='constrained')
        axes = figure.add_subplot()
        _draw_series(axes, [column.direct for column in columns], Series('direct', '#0072B2', 'o', -1))
        _draw_series(axes, [column.indirect for column in columns], Series(_indirect(records), '#D55E00', 's', 1))
        _draw_experiment(axes, material)
        _label_axes(axes, [column.name for column in columns], material)
        figure.legend(loc='outside right upper', frameon=False, fontsize=8)
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure in the format that the suffix of the path tells."""
    with mpl.rc_context(STYLE):
        figure.savefig(path)


def _columns(records: Sequence[GapRecord]) -> list[Column]:
    """Return the starting point once before the methods that share it, and the methods."""
    columns: list[Column] = []
    previous = None
    for record in records:
        start = (round(record.kohn_sham_direct, 3), round(record.kohn_sham_indirect, 3))
        if start != previous:
            columns.append(Column('Kohn–Sham', *start))
        columns.append(Column(NAMES.get(record.method, record.method), record.direct, record.indirect))
        previous = start
    return columns


def _indirect(records: Sequence[GapRecord]) -> str:
    return 'indirect' if all(record.on_mesh for record in records) else 'indirect,\non the mesh'


def _draw_series(axes: Axes, energies: Sequence[float], series: Series) -> None:
    """Draw one marker per column, beside the middle, so that equal direct and indirect gaps are both seen."""
    positions = [column + 0.07 * series.side for column in range(len(energies))]
    axes.plot(positions, energies, series.marker, color=series.colour, markersize=6, label=series.label, zorder=3)
    for position, energy in zip(positions, energies, strict=True):
        axes.annotate(
            f'{energy:.2f}',
            (position, energy),
            (6 * series.side, 0),
            textcoords='offset points',
            ha='left' if series.side > 0 else 'right',
            va='center_baseline',
            color=series.colour,
            path_effects=[withStroke(linewidth=2.5, foreground='white')],
        )


def _draw_experiment(axes: Axes, material: Material) -> None:
    experiment = material.experiment
    if experiment is None:
        return
    label = f'experiment,\n{experiment.kind}: {experiment.energy:.2f}'
    axes.axhline(experiment.energy, color=MEASURED, linewidth=1.2, linestyle='--', label=label, zorder=1)


def _label_axes(axes: Axes, names: Sequence[str], material: Material) -> None:
    axes.set_xticks(range(len(names)), names)
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.set_ylim(0, axes.get_ylim()[1] * 1.05)
    axes.set_ylabel('band gap (eV)')
    axes.set_title(_formula_text(material.formula), loc='left', fontsize=10)


def _formula_text(formula: str) -> str:
    """Write the numbers of a formula as subscripts."""
    return ''.join(f'$_{{{letter}}}$' if letter.isdigit() else letter for letter in formula)
