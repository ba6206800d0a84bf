"""``aiida-foundry plot``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aiida_foundry.cli import options
from aiida_foundry.cli.options import area_of, function_of, require_format
from aiida_foundry.common.errors import InputError

if TYPE_CHECKING:
    from aiida.orm import ProcessNode
    from matplotlib.figure import Figure

    from aiida_foundry.cli.results import Material

FORMATS = ('.png', '.pdf', '.svg')

PLOTS: dict[str, str] = {
    'bse': 'bse:plot_bse',
    'interfaces': 'heterostructures:plot_heterostructure',
    'polarization': 'polarization:plot_path',
}
"""By area of the workflow (`foundry.AREA.…`): module of `aiida_foundry.cli` and function from process nodes to figure.

Processes of any other area are taken for gaps.
"""


@click.command(
    epilog="""\b
Examples:
  aiida-foundry plot 1234
  aiida-foundry plot 1234 1250 -o gaps.png -o gaps.pdf"""
)
@click.argument('processes', nargs=-1, required=True)
@click.option(
    '-o',
    '--output',
    'files',
    multiple=True,
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help=f'File to write ({", ".join(FORMATS)}). Repeatable. [default: AREA-PK.png, such as gaps-1234.png]',
)
@options.PROFILE
def plot(processes: tuple[str, ...], files: tuple[Path, ...], profile: str | None) -> None:
    """Draw the result of PROCESSES, PKs or UUIDs of workflows of one area.

    Several GW workflows on one material are drawn together, their gaps beside experiment.
    """
    from aiida_foundry.cli.figures import save_figure
    from aiida_foundry.cli.profile import load_process, load_profile

    for path in files:
        require_format(path, FORMATS)
    load_profile(profile)
    nodes = [load_process(process) for process in processes]
    areas = {area_of(node) for node in nodes}
    if len(areas) > 1:
        raise InputError('processes', f'they belong to different areas: {", ".join(sorted(areas))}', 'Draw each')
    area = areas.pop()
    figure = function_of(PLOTS[area])(nodes) if area in PLOTS else _gap_figure(nodes)
    for path in files or (Path(f'{area if area in PLOTS else "gaps"}-{nodes[0].pk}.png'),):
        save_figure(figure, path)
        click.echo(f'wrote {path}')


def _gap_figure(nodes: Sequence[ProcessNode]) -> Figure:
    from aiida_foundry.cli.figures import plot_gaps
    from aiida_foundry.cli.results import gap_records

    material = _common_material(nodes)
    return plot_gaps([record for node in nodes for record in gap_records(node)], material)


def _common_material(nodes: Sequence[ProcessNode]) -> Material:
    """Return what all processes were run on, and refuse those without gaps."""
    from aiida_foundry.cli.results import gap_records, material_of

    for node in nodes:
        if not gap_records(node):
            raise InputError(
                f'process {node.pk}',
                f'{node.process_label} has no gaps among its outputs',
                'Give a process of gw.gap or gw.variants that finished; `aiida-foundry show` prints any other',
            )
    materials = {material_of(node) for node in nodes}
    if len(materials) > 1:
        formulas = ', '.join(sorted(f'{material.formula} ({material.space_group})' for material in materials))
        raise InputError('processes', f'they ran on different materials: {formulas}', 'Draw a figure of each')
    return materials.pop()
