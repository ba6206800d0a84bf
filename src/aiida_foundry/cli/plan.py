"""What a command is about to run: shown before anything is stored or submitted."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from aiida_foundry import __version__
from aiida_foundry.cli.results import describe_structure
from aiida_foundry.setup.codes import EXTRA

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.orm import AbstractCode, StructureData


def plan_record(
    builder: ProcessBuilder, structure: StructureData, code: AbstractCode, cost: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return what a builder will run, on what, with which inputs, and what it is expected to cost.

    Args:
        builder: the process with its inputs.
        structure: the crystal.
        code: the engine.
        cost: records with ``step``, ``core_seconds``, ``memory_mb`` and ``basis``.
    """
    return {
        'process': builder.process_class.__name__,
        'aiida_foundry_version': __version__,
        'structure': {
            **asdict(describe_structure(structure)),
            'atoms': len(structure.sites),
            'volume': structure.get_cell_volume(),
        },
        'code': {'label': code.full_label, 'executable': str(code.filepath_executable), 'version': code_version(code)},
        'inputs': dict(flatten_inputs(builder._inputs(prune=True))),
        'cost': cost,
    }


def code_version(code: AbstractCode) -> str | None:
    """Return the version that setup read from the executable, if the code is one of its."""
    version: str | None = code.base.extras.get(EXTRA, {}).get('version')
    return version


def flatten_inputs(inputs: Mapping[str, Any], path: str = '') -> Iterator[tuple[str, Any]]:
    """Yield dotted path and plain value of every input; nodes without a plain value by type."""
    for key, value in inputs.items():
        here = f'{path}{key}'
        if isinstance(value, Mapping):
            yield from flatten_inputs(value, f'{here}.')
        else:
            yield from _flatten_node(value, here)


def _flatten_node(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    from aiida.orm import BaseType, Code, Data, Dict, KpointsData, List

    if isinstance(value, Dict):
        yield from flatten_inputs(value.get_dict(), f'{path}.')
    elif isinstance(value, BaseType):
        yield path, value.value
    elif isinstance(value, List):
        yield path, value.get_list()
    elif isinstance(value, Code):
        yield path, value.full_label
    elif isinstance(value, KpointsData):
        yield path, value.get_description()
    elif isinstance(value, Data):
        yield path, f'{type(value).__name__} {getattr(value, "filename", None) or value.pk or ""}'.strip()
    else:
        yield path, value


def print_plan(console: Console, record: Mapping[str, Any]) -> None:
    """Print a plan: process, structure, engine, inputs, cost."""
    structure, code = record['structure'], record['code']
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_row('process', f'{record["process"]}, aiida-foundry {record["aiida_foundry_version"]}')
    table.add_row(
        'structure',
        f'{structure["formula"]}, {structure["space_group"]} ({structure["number"]}), {structure["atoms"]} atoms, '
        f'{structure["volume"]:.2f} Å³',
    )
    version = code['version'] or 'of unknown version'
    table.add_row('engine', escape(f'{code["label"]} {version} ({code["executable"]})'))
    console.print(table)
    _print_inputs(console, record['inputs'])
    print_cost(console, record['cost'])


def _print_inputs(console: Console, inputs: Mapping[str, Any]) -> None:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column('input', overflow='fold')
    table.add_column('value', overflow='fold')
    for path, value in merge_methods(inputs).items():
        table.add_row(path, escape(str(value)))
    console.print(table)


def merge_methods(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Write the inputs that all methods of ``gw.variants`` have in common once, as ``methods.*``."""
    by_name: dict[str, dict[str, Any]] = {}
    for path, value in inputs.items():
        if path.startswith('methods.'):
            _, method, name = path.split('.', maxsplit=2)
            by_name.setdefault(name, {})[method] = value
    number = max((len(values) for values in by_name.values()), default=0)
    common = {
        name
        for name, values in by_name.items()
        if len(values) == number and all(value == next(iter(values.values())) for value in values.values())
    }
    merged: dict[str, Any] = {}
    for path, value in inputs.items():
        name = path.split('.', maxsplit=2)[-1]
        merged[f'methods.*.{name}' if path.startswith('methods.') and name in common else path] = value
    return merged


def print_cost(console: Console, cost: list[dict[str, Any]]) -> None:
    """Print the expected cost of each step and of all."""
    if not cost:
        console.print('Cost: no estimate for this workflow')
        return
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column('estimated cost', no_wrap=True)
    table.add_column('core-s', justify='right')
    table.add_column('memory (MB)', justify='right')
    for step in cost:
        table.add_row(step['step'], f'{step["core_seconds"]:.0f}', f'{step["memory_mb"]:.0f}')
    total = math.fsum(step['core_seconds'] for step in cost)
    table.add_row('all', f'{total:.0f}', f'{max((step["memory_mb"] for step in cost), default=0):.0f}')
    console.print(table)
    for basis in dict.fromkeys(step['basis'] for step in cost):
        console.print(f'Basis: {escape(basis)}')
