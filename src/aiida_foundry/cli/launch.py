"""Launch a process here or on the daemon, and report how it ended."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape

from aiida_foundry.cli.console import echo_json
from aiida_foundry.cli.results import gap_records, process_record
from aiida_foundry.cli.tables import print_process
from aiida_foundry.common.errors import InputError

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.orm import AbstractCode, ProcessNode, StructureData


@dataclass(frozen=True)
class Job:
    """What a command runs on a crystal.

    Args:
        build: makes the builder of a structure, which need not be stored; raises `InputError` for what cannot work.
        code: the engine that is shown in the plan.
        estimate: expected cost of each step of a builder: records with ``step``, ``core_seconds``, ``memory_mb`` and
            ``basis``; ``None`` where nothing is known of it, which the plan then says.
    """

    build: Callable[[StructureData], ProcessBuilder]
    code: AbstractCode
    estimate: Callable[[ProcessBuilder], list[dict[str, Any]]] | None = None


def start(job: Job, structure: str, cell: str, *, daemon: bool, dry_run: bool, rerun: bool, as_json: bool) -> int:
    """Print the plan of a job and run it, unless it has a result; return the exit status for the shell.

    Args:
        job: what is run.
        structure: the crystal as the option ``--structure`` names it.
        cell: the option ``--cell``.
        daemon: submit to the daemon and return.
        dry_run: only print the plan; store nothing.
        rerun: run although the same job has a result.
        as_json: print the plan, or the result, as JSON.
    """
    from aiida_foundry.cli.console import make_console
    from aiida_foundry.cli.plan import plan_record, print_plan
    from aiida_foundry.screening.keys import content_key, find_finished
    from aiida_foundry.screening.locks import submission

    crystal = import_structure(structure, cell, store=False)
    builder = job.build(crystal)
    check_inputs(builder)
    plan = plan_record(builder, crystal, job.code, job.estimate(builder) if job.estimate else [])
    console = make_console(stderr=as_json)
    print_plan(console, plan)
    if dry_run:
        if as_json:
            echo_json(plan)
        return 0
    key = content_key(builder)
    with submission() if daemon else nullcontext():  # what is submitted meanwhile, by a campaign, would be the same job
        if not rerun and (finished := find_finished(key)):
            console.print(f'The same job ran before, as PK {finished.pk}; --rerun runs it again.')
            return report(finished, console, as_json)
        if not crystal.is_stored:
            builder = job.build(import_structure(structure, cell, store=True))
        builder.metadata.label = key
        return (submit if daemon else run_here)(builder, console, as_json)


def check_inputs(builder: ProcessBuilder) -> None:
    """Validate the inputs as the process will: what it refuses is refused before the plan is shown.

    Raises:
        InputError: with the message of the validator.
    """
    inputs = builder.process_class.spec().inputs
    error = inputs.validate(inputs.pre_process(builder._inputs(prune=True)))
    if error is not None:
        workflow = builder.process_class.__name__
        raise InputError(f'inputs of {workflow}', error.message, 'Change the option that sets it: see `--help`')


def import_structure(spec: str, cell: str, store: bool) -> StructureData:
    """Return the structure that an option means; Ctrl-C, which kills a calcfunction, aborts the command."""
    from plumpy import KilledError

    from aiida_foundry.structures.importers import load_structure

    try:
        return load_structure(spec, primitive=cell == 'primitive', store=store)
    except KilledError:
        raise click.Abort from None


def load_code(label: str, engine: str) -> AbstractCode:
    """Return a code whose executable is there.

    Args:
        label: ``name@computer``, PK or UUID.
        engine: what the code must be for, as an entry point of a calculation.

    Raises:
        InputError: if there is no such code, it is for another engine, or its executable is missing.
    """
    from aiida import orm
    from aiida.common.exceptions import MultipleObjectsError, NotExistent, ValidationError

    subject = f'code `{label}`'
    try:
        code = orm.load_code(label)
    except (NotExistent, ValueError):
        raise InputError(
            subject,
            'the profile has no such code',
            '`aiida-foundry setup` registers the executables it finds, `aiida-foundry doctor` says how to get others',
        ) from None
    except MultipleObjectsError:
        raise InputError(subject, 'several codes have this label', 'Give its PK (`verdi code list`)') from None
    if code.default_calc_job_plugin not in (None, engine):
        raise InputError(subject, f'it is for {code.default_calc_job_plugin}, not {engine}', 'Choose another code')
    try:
        code.validate_filepath_executable()
    except ValidationError as exception:
        raise InputError(
            subject,
            f'its executable cannot be used ({exception})',
            'Install the engine, then run `aiida-foundry setup` again; `aiida-foundry doctor` says how to get it',
        ) from exception
    return code


def run_here(builder: ProcessBuilder, console: Console, as_json: bool) -> int:
    """Run a process in this interpreter, report how it ended, and return the exit status for the shell."""
    from aiida_foundry.cli.progress import Progress
    from aiida_foundry.screening.runner import run_blocking

    with Progress(console).display() as progress:
        node = run_blocking(builder, progress)
    return report(node, console, as_json)


def report(node: ProcessNode, console: Console, as_json: bool) -> int:
    """Print the result of a process that ended, and return the exit status for the shell."""
    if as_json:
        echo_json(process_record(node))
    else:
        print_process(console, node)
        print_query(console, node)
    return 0 if node.is_finished_ok else 1


def submit(builder: ProcessBuilder, console: Console, as_json: bool) -> int:
    """Submit a process to the daemon and say how to follow it.

    Raises:
        InputError: if no daemon runs.
    """
    from aiida.engine import submit as submit_process

    require_daemon()
    node = submit_process(builder)
    if as_json:
        echo_json(process_record(node))
    else:
        console.print(f'Submitted {node.process_label} PK {node.pk}, UUID {node.uuid}')
        console.print(f'Follow it:  verdi process watch {node.pk}\nResult:     aiida-foundry show {node.pk}')
    return 0


def require_daemon() -> None:
    """Refuse to submit what nobody would run.

    Raises:
        InputError: if the profile has no broker or its daemon does not run.
    """
    from aiida.common.exceptions import ConfigurationError
    from aiida.engine.daemon.client import get_daemon_client
    from aiida.manage import get_manager

    profile = get_manager().get_profile()
    name = profile.name if profile is not None else ''
    try:
        running = get_daemon_client().is_daemon_running
    except ConfigurationError as exception:
        raise InputError('--daemon', f'profile `{name}` has no daemon ({exception})', 'Use --blocking') from exception
    if not running:
        raise InputError(
            '--daemon',
            f'the daemon of profile `{name}` is not running',
            f'Start it with `verdi -p {name} daemon start`, or use --blocking',
        )


def print_query(console: Console, node: ProcessNode) -> None:
    """Print the commands that find a process again, each on one line however narrow the terminal."""
    console.print('Find it again:')
    commands = [query_command(node)] if gap_records(node) else []
    for command in [*commands, f'{_environment()}aiida-foundry show {node.pk}']:
        console.print(f'  {escape(command)}', soft_wrap=True)


def query_command(node: ProcessNode) -> str:
    """Return a shell command that finds the gaps of a process again with the QueryBuilder, from any folder."""
    from aiida.manage import get_manager

    profile = get_manager().get_profile()
    name = profile.name if profile is not None else ''
    statements = (
        'from aiida import load_profile',
        'from aiida.orm import Dict, ProcessNode, QueryBuilder',
        f"load_profile('{name}')",
        f"query = QueryBuilder().append(ProcessNode, filters={{'uuid': '{node.uuid}'}}, tag='process')",
        "links = {'label': {'like': '%gaps'}}",
        "query.append(Dict, with_incoming='process', edge_filters=links, project='attributes')",
        'print(query.all(flat=True))',
    )
    return f'{_environment()}{shlex.quote(sys.executable)} -c "{"; ".join(statements)}"'


def _environment() -> str:
    """Return the assignment that leads another shell to the AiiDA configuration of this one."""
    path = os.environ.get('AIIDA_PATH')
    return f'AIIDA_PATH={shlex.quote(path)} ' if path else ''
