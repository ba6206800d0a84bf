"""Plan, run and print a screening of interfaces."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from aiida_foundry.cli.console import echo_json
from aiida_foundry.common.errors import InputError

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.orm import Dict, ProcessNode, StructureData

    from aiida_foundry.screening.runner import LocalRunner

#: Crystals that a plan looks at; the rest is extrapolated.
SAMPLE = 20
#: CPU seconds of matching a pair of crystals up to Miller index 1 and 200 Å²: 12 s for the 500 000 pairs of
#: `benchmarks/matching.py`. The numbers of superlattices, and so of their pairs, grow with the area.
SECONDS_PER_PAIR = 2.4e-5
AREA = 200.0

Crystals = str | Mapping[str, 'StructureData']


def build(
    crystals: Crystals,
    known: Mapping[str, Any],
    polarizations: Sequence[Dict],
    protocol: str | None,
    overrides: Mapping[str, Any],
) -> ProcessBuilder:
    """Return the builder of a screening."""
    from aiida.plugins import WorkflowFactory

    return WorkflowFactory('foundry.interfaces.screen').get_builder_from_protocol(
        crystals, known=known, polarizations=polarizations, protocol=protocol, overrides=overrides or None
    )


def stored_polarizations(crystals: Crystals, conditions: str) -> list[Dict]:
    """Return the polarizations in the profile that satisfy conditions and are those of some of the crystals.

    Raises:
        InputError: there is none.
    """
    from aiida.orm import load_node

    from aiida_foundry.datasets.queries import Query
    from aiida_foundry.workflows.interfaces.polarizations import fitting
    from aiida_foundry.workflows.interfaces.screen import archive_of

    archive = crystals if isinstance(crystals, str) else archive_of(crystals)
    nodes = (load_node(record.uuid).outputs.polarization for record in Query('polarization', conditions))
    stored = [node for node in nodes if node['cartesian'] is not None]
    found = {node.uuid: node for nodes in fitting(archive, stored).values() for node in nodes}
    if not found:
        reason = f'{len(stored)} in the profile satisfy them, and none is that of a crystal here, in the same axes'
        raise InputError(f'polarizations `{conditions}`', reason, 'Run `polarization.berry` for the same structures')
    return list(found.values())


def plan(
    console: Console,
    crystals: Crystals,
    known: Mapping[str, Any],
    polarizations: Sequence[Dict],
    protocol: str | None,
    overrides: Mapping[str, Any],
    as_json: bool,
) -> None:
    """Print how many crystals and pairs there are and what the screening will cost; store nothing."""
    from aiida_foundry.analysis.interfaces.crystals import assess
    from aiida_foundry.analysis.interfaces.properties import KnownProperties, parse_known, parse_parameters
    from aiida_foundry.structures.collections import Entry, read_archive

    builder = build(crystals, known, polarizations, protocol, overrides)
    parameters = parse_parameters(builder.parameters.get_dict())
    entries = (
        list(read_archive(crystals))
        if isinstance(crystals, str)
        else [Entry(name, node.get_pymatgen()) for name, node in crystals.items()]
    )
    usable = [(entry.name, entry.structure) for entry in entries if entry.structure is not None]
    sample = random.Random(0).sample(usable, min(SAMPLE, len(usable)))  # noqa: S311 (no secret)
    properties = parse_known(known)
    start = time.process_time()
    taking_part = 0
    for name, structure in sample:
        given = properties.get(name) or properties.get(structure.composition.reduced_formula)
        taking_part += not assess(name, structure, given or KnownProperties(), parameters).reason
    each = (time.process_time() - start) / max(1, len(sample))
    expected = round(len(usable) * taking_part / max(1, len(sample)))
    pairs = expected * (expected - 1) // 2
    record = {
        'structures': len(entries),
        'readable': len(usable),
        'sample': len(sample),
        'crystals_taking_part': expected,
        'pairs_of_crystals': pairs,
        'core_seconds': each * len(usable) + pairs * SECONDS_PER_PAIR * parameters.max_area / AREA,
        'basis': f'a random sample of {len(sample)}; matching at Miller index 1, more with higher ones',
        'parameters': parameters.model_dump(),
    }
    if as_json:
        echo_json(record)
        return
    console.print(f'{record["structures"]} structures, {record["readable"]} of them readable')
    console.print(
        f'about {expected} take part ({taking_part} of a random sample of {len(sample)}): {pairs} pairs of crystals'
    )
    console.print(f'about {record["core_seconds"]:.0f} s on one core')
    console.print(f'limits: {escape(str(record["parameters"]))}')


def run_screening(
    console: Console,
    crystals: Crystals,
    known: Mapping[str, Any],
    polarizations: Sequence[Dict],
    protocol: str | None,
    overrides: Mapping[str, Any],
    rerun: bool,
) -> ProcessNode:
    """Run a screening here, with progress, unless it has a result; return its node."""
    from aiida_foundry.screening.keys import content_key, find_finished
    from aiida_foundry.screening.runner import run_blocking

    builder = build(crystals, known, polarizations, protocol, overrides)
    key = content_key(builder)
    if not rerun and (finished := find_finished(key)):
        console.print(f'The same screening ran before, as PK {finished.pk}; --rerun runs it again.')
        return finished
    builder.metadata.label = key
    with console.status('starting') as status:
        return run_blocking(builder, _Observer(console, status))


class _Observer:
    """Shows what a screening says of itself: in place on a terminal, line by line where output is piped."""

    def __init__(self, console: Console, status: Any) -> None:
        self._console, self._status = console, status
        self._said = ''

    def __call__(self, runner: LocalRunner) -> None:
        process = next(iter(runner.timed.values())).process
        text = process.node.process_status or ''
        if text and text != self._said:
            self._said = text
            if self._console.is_terminal:
                self._status.update(f'{escape(text)} (Ctrl-C stops; the same command goes on)')
            else:
                self._console.print(escape(text))


def print_screening(console: Console, node: ProcessNode) -> None:
    """Print counts, what was left out, and the best pairs."""
    summary = node.outputs.summary.get_dict()
    console.print(
        f'{summary["crystals"]} crystals, {summary["crystals_taking_part"]} take part, '
        f'{summary["pairs_of_crystals"]} pairs; {summary["matches"]} matches of faces, '
        f'{summary["candidates"]} candidates'
    )
    for title, counts in (('crystals left out', summary['left_out']), ('matches dropped', summary['dropped'])):
        reasons = ', '.join(f'{number} {reason}' for reason, number in counts.items() if number)
        if reasons:
            console.print(f'{title}: {escape(reasons)}')
    table = Table(box=box.SIMPLE_HEAD, title='Best pairs, one per pair of crystals')
    table.add_column('rank', justify='right')
    for name in ('film', 'face', 'substrate', 'face'):
        table.add_column(name, overflow='fold')
    for name in ('e/cell', 'mod', 'e/Å²', 'strain %', 'Å²', 'atoms', 't crit Å', 'front', 'PK'):
        table.add_column(name, justify='right', no_wrap=True)
    matches = node.outputs.matches if 'matches' in node.outputs else {}
    for pair in summary['best']:
        match = matches.get(f'rank_{pair["rank"]:03d}') if matches else None
        table.add_row(*_cells(pair), '' if match is None else str(match.pk))
    if table.row_count:
        console.print(table)
        console.print('e/cell: smallest charge of the interface per superlattice cell, known modulo the next column')


def _cells(pair: Mapping[str, Any]) -> list[str]:
    thickness = pair['critical_thickness_A']
    return [
        str(pair['rank']),
        _crystal(pair['film'], pair['film_formula']),
        _face(pair['film_miller'], pair['film_multiple']),
        _crystal(pair['substrate'], pair['substrate_formula']),
        _face(pair['substrate_miller'], pair['substrate_multiple']),
        f'{abs(pair["charge_e"]):.3g}',
        str(pair['charge_quantum_e']),
        f'{pair["charge_density_e_A2"]:.4f}',
        f'{100 * pair["strain"]:.2f}',
        f'{pair["area_A2"]:.1f}',
        str(pair['atoms']),
        '' if thickness is None else f'{thickness:.0f}',
        str(pair['front']),
    ]


def _crystal(name: str, formula: str) -> str:
    """Return the name of a crystal without folder and suffix, with its formula where that is not in the name."""
    short = Path(name).name.removesuffix('.cif')
    return escape(short if short.startswith(formula) else f'{formula} ({short})')


def _face(miller: str, multiple: int) -> str:
    return f'({miller}) ×{multiple}'
