"""Tables of results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from aiida_foundry.cli.options import area_of, function_of
from aiida_foundry.cli.results import (
    GapRecord,
    Material,
    failure_record,
    gap_records,
    material_of,
    output_parameters,
    outputs,
)

if TYPE_CHECKING:
    from aiida.orm import ProcessNode

MAXIMUM_PARAMETER_WIDTH = 60

TABLES: dict[str, str] = {
    'bse': 'bse:print_bse',
    'polarization': 'polarization:print_polarization',
    'interfaces.heterostructure': 'heterostructures:print_heterostructure',
    'interfaces.screen': 'screening:print_screening',
}
"""By area of the workflow (`foundry.AREA.…`), or by workflow (`foundry.AREA.WORKFLOW`), which goes first: module of
`aiida_foundry.cli` and function of (console, node)."""


def print_process(console: Console, node: ProcessNode) -> None:
    """Print state and results of any process."""
    print_state(console, node)
    records = gap_records(node)
    if records:
        print_gaps(console, records, material_of(node))
    elif node.is_finished_ok and (table := _table_of(node)):
        function_of(table)(console, node)
    else:
        _print_parameters(console, output_parameters(node))
        _print_outputs(console, node)
    if failure_record(node) is not None:
        print_failure(console, node)


def _table_of(node: ProcessNode) -> str | None:
    workflow = (node.process_type or '').partition(':foundry.')[2]
    return TABLES.get(workflow) or TABLES.get(area_of(node))


def print_state(console: Console, node: ProcessNode) -> None:
    """Print what the process is and how it stands."""
    state = 'created' if node.process_state is None else node.process_state.value
    if node.is_finished and not node.is_finished_ok:
        state = f'failed with exit status {node.exit_status}'
    duration = f' after {(node.mtime - node.ctime).total_seconds():.1f} s' if node.is_terminated else ''
    style = 'green' if node.is_finished_ok else 'red' if node.is_terminated else 'yellow'
    console.print(f'{node.process_label} PK {node.pk}, UUID {node.uuid}: [{style}]{state}[/]{duration}')


def print_gaps(console: Console, records: Sequence[GapRecord], material: Material) -> None:
    """Print gaps and costs, one method per line, and the measured gap where it is known."""
    table = Table(box=box.SIMPLE_HEAD, title=f'{material.formula} ({material.space_group}), gaps in eV')
    table.add_column('method', no_wrap=True)
    for name in ('KS direct', 'KS indirect', 'direct', 'indirect', 'core-s', 'PK'):
        table.add_column(name, justify='right')
    table.add_column('UUID', overflow='fold')
    for record in records:
        energies = (record.kohn_sham_direct, record.kohn_sham_indirect, record.direct, record.indirect)
        star = '' if record.on_mesh else '*'
        cells = [f'{energy:.3f}' for energy in energies]
        table.add_row(record.method, *cells[:3], cells[3] + star, f'{record.core_seconds:.1f}', *_identity(record))
    console.print(table)
    if not all(record.on_mesh for record in records):
        console.print('* between points of the mesh: a band edge lies off it, the fundamental gap is smaller')
    experiment = material.experiment
    if experiment is not None:
        console.print(f'Experiment: {experiment.energy:.2f} eV, {experiment.kind} (doi:{experiment.doi})')


def _identity(record: GapRecord) -> tuple[str, str]:
    return str(record.pk), record.uuid


def _print_parameters(console: Console, parameters: dict[str, Any]) -> None:
    """Print numbers and short texts with their units, which lie beside them as ``<name>_units``."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, value in sorted(parameters.items()):
        text = str(value)
        if not name.endswith('_units') and len(text) <= MAXIMUM_PARAMETER_WIDTH:
            table.add_row(name, escape(text), escape(str(parameters.get(f'{name}_units', ''))))
    if table.row_count:
        console.print(table)


def _print_outputs(console: Console, node: ProcessNode) -> None:
    table = Table(box=box.SIMPLE_HEAD)
    for name in ('output', 'type', 'PK'):
        table.add_column(name, no_wrap=True)
    for label, data in outputs(node).items():
        table.add_row(label, type(data).__name__, str(data.pk))
    if table.row_count:
        console.print(table)


def print_failure(console: Console, node: ProcessNode) -> None:
    """Print why a process failed, where that began, and the commands that show more."""
    failure = failure_record(node)
    if failure is None:
        return
    message = escape(failure['message'])
    if failure['pk'] == node.pk:
        console.print(f'[red]{message}[/]')
    else:
        status = '' if failure['exit_status'] is None else f' with exit status {failure["exit_status"]}'
        console.print(f'[red]{escape(node.exit_message or "")}[/]')
        console.print(f'It began in {failure["process"]} PK {failure["pk"]}{status}: [red]{message}[/]')
    console.print(f'All reports:  verdi process report {node.pk}')
    if failure['process'].endswith('Calculation'):
        console.print(f'Engine output:  verdi calcjob outputcat {failure["pk"]}')
