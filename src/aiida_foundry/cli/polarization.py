"""Tables and figures of polarizations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from aiida_foundry.cli.figures import STYLE
from aiida_foundry.cli.results import material_of, outputs
from aiida_foundry.common.errors import InputError

if TYPE_CHECKING:
    from aiida.orm import ProcessNode
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito, Color universal design (2008)
FOLLOWED, OTHERS = '#0072B2', '#BBBBBB'


def print_polarization(console: Console, node: ProcessNode) -> None:
    """Print a formal polarization, or a spontaneous one with its path."""
    found = outputs(node)
    record = found['polarization'].get_dict()
    if 'branch' in record:
        _print_path(console, node, record)
    else:
        _print_formal(console, node, record)
    console.print(f'core seconds: {found["cost"]["core_seconds"]:.1f}')


def _print_formal(console: Console, node: ProcessNode, record: dict[str, Any]) -> None:
    material = material_of(node)
    modulus = record['modulus']
    table = Table(
        box=box.SIMPLE_HEAD,
        title=f'{material.formula} ({material.space_group}), formal polarization, phases in e modulo {modulus}',
    )
    for name in ('along', 'electronic', 'ionic', 'total', 'quantum (C/m²)', 'string points', 'error'):
        table.add_column(name, justify='right')
    strings = record['strings']
    for axis in range(3):
        label = str(axis + 1)
        phases = [record[name][axis] for name in ('electronic', 'ionic', 'phases')]
        table.add_row(
            f'a{label}',
            *('–' if phase is None else f'{phase:.4f}' for phase in phases),
            f'{np.linalg.norm(record["quanta"][axis]):.4f}',
            str(strings['points'].get(label, 'by symmetry')),
            '' if strings['errors'].get(label) is None else f'{strings["errors"][label]:.4f}',
        )
    console.print(table)
    if record['cartesian'] is not None:
        vector = ', '.join(f'{value:.4f}' for value in record['cartesian'])
        console.print(f'P = ({vector}) C/m² modulo the quanta')
    symmetry = record['symmetry']
    members = ' '.join(f'({", ".join(member)})' for member in symmetry['allowed'])
    free = ' '.join(str(tuple(vector)) for vector in symmetry['continuous'])
    console.print(f'Symmetry allows, in e: {members}' + (f' and any amount along {free}' if free else ''))
    console.print(
        f'Gap over mesh and strings: {record["gap"]["indirect"]:.3f} eV, direct {record["gap"]["direct"]:.3f} eV'
    )


def _print_path(console: Console, node: ProcessNode, record: dict[str, Any]) -> None:
    material = material_of(node)
    vector = ', '.join(f'{value:.4f}' for value in record['cartesian'])
    table = Table(box=box.SIMPLE_HEAD, title=f'{material.formula} ({material.space_group}), path from the reference')
    for name in ('place', 'phases (e)', 'branch (e)', 'gap (eV)'):
        table.add_column(name, justify='right')
    rows = zip(record['fractions'], record['phases'], record['branch'], record['gaps'], strict=True)
    for fraction, phases, branch, gap in rows:
        texts = ['  '.join(f'{value:7.4f}' for value in values) for values in (phases, branch)]
        table.add_row(f'{fraction:.4g}', *texts, f'{gap:.3f}')
    console.print(table)
    console.print(f'Spontaneous polarization: {record["magnitude"]:.4f} C/m², ({vector})')
    console.print(
        f'Phases are known modulo {record["modulus"]} e; the largest step, less that of nominal charges, is '
        f'{record["largest_step"]:.3f} quanta'
    )


def plot_path(nodes: Sequence[ProcessNode]) -> Figure:
    """Draw the polarization along a path on the branch that was followed, between its neighbours.

    Raises:
        InputError: several processes, or one without a path.
    """
    from matplotlib.figure import Figure

    records = [outputs(node).get('polarization') for node in nodes]
    if len(nodes) != 1 or records[0] is None or 'branch' not in records[0].get_dict():
        raise InputError(
            f'process {", ".join(str(node.pk) for node in nodes)}',
            'a figure of the polarization shows one path',
            'Give one process of polarization.path that finished',
        )
    record, material = records[0].get_dict(), material_of(nodes[0])
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3.6, 3.2), layout='constrained')
        axes = figure.add_subplot()
        _draw_branches(axes, record)
        axes.set_xlabel('place on the path (0: reference, 1: crystal)')
        axes.set_ylabel('polarization (C/m²)')
        axes.set_title(f'{material.formula}: {record["magnitude"]:.3f} C/m²', loc='left', fontsize=10)
        figure.legend(loc='outside upper right', ncols=2, frameon=False, fontsize=8)
    return figure


def _draw_branches(axes: Axes, record: dict[str, Any]) -> None:
    """Draw the component along the change; other branches lie at multiples of the largest quantum along it."""
    direction = np.array(record['cartesian']) / record['magnitude']
    followed = np.array(record['path']) @ direction
    quanta = np.array(record['quanta']) @ direction
    quantum = abs(quanta[np.argmax(np.abs(record['change']))])
    for shift in (-2, -1, 1, 2):
        label = 'other branches' if shift == 1 else None
        axes.plot(record['fractions'], followed + shift * quantum, 'o-', color=OTHERS, markersize=3, label=label)
    axes.plot(record['fractions'], followed, 'o-', color=FOLLOWED, markersize=5, label='branch followed')
