"""Take up what a driver or a worker left when it was killed.

A process of AiiDA runs because a task in the broker, or a runner, says so. A submitter that dies between storing the
process and sending its task leaves one that waits for ever, and so does a blocking driver that dies. Each is continued
from its last checkpoint, with the children that the checkpoint waits for. What no checkpoint knows of, because its
parent died before it could note it, is ended: the parent makes it anew.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import plumpy
from aiida.engine.daemon.execmanager import kill_calculation
from aiida.engine.processes.control import get_process_tasks
from aiida.manage import get_manager
from aiida.orm import CalcJobNode, ProcessNode, load_node
from plumpy import ProcessState

REASON = 'ended by the campaign: the process that started it was killed before it could note it'


class Recovered(NamedTuple):
    """PKs of processes that were continued, and that were ended."""

    continued: list[int]
    ended: list[int]


def process_tasks() -> set[int] | None:
    """Return the PKs of the processes that a daemon has, or will take up when it runs; ``None`` if nobody can tell.

    The tasks of RabbitMQ that a worker holds can be seen only while no daemon runs. Those of the ZeroMQ broker are
    read from its files: its own function for that moves the files of a broker that runs.
    """
    manager = get_manager()
    profile = manager.get_profile()
    if profile.process_control_backend is None:
        return set()
    broker = manager.get_broker()
    if profile.process_control_backend == 'core.zeromq':
        return _zeromq_tasks(Path(broker._storage_path) / 'tasks')
    if manager.get_daemon_client().is_daemon_running:
        return None
    return set(get_process_tasks(broker))


def _zeromq_tasks(folder: Path) -> set[int]:
    # `pending` is read before and after `processing`: a task moves between them
    names = ('pending', 'processing', 'pending')
    pks = (_pk_of(path) for name in names for path in (folder / name).glob('*.json'))
    return {pk for pk in pks if pk is not None}


def _pk_of(path: Path) -> int | None:
    try:
        body: dict[str, Any] = json.loads(path.read_text(encoding='utf-8')).get('body') or {}
    except (OSError, json.JSONDecodeError):  # it moved or ended meanwhile
        return None
    pk: int | None = (body.get('args') or {}).get('pid')
    return pk


def recover(pks: Iterable[int], tasks: set[int], proceed: Callable[[int], None]) -> Recovered:
    """Continue processes that nothing runs, children first.

    Args:
        pks: of processes that have not ended, without parents.
        tasks: PKs of the processes that a daemon has.
        proceed: lets a process run on from its checkpoint.
    """
    recovered = Recovered([], [])
    for pk in pks:
        if pk not in tasks:
            _recover(load_node(pk), tasks, proceed, recovered)
    return recovered


def _recover(node: ProcessNode, tasks: set[int], proceed: Callable[[int], None], recovered: Recovered) -> None:
    awaited = _awaited(node)
    if awaited is None:
        _end(node, recovered)
        return
    for child in node.called:
        if child.is_terminated or child.pk in tasks:
            continue
        if child.pk in awaited:
            _recover(child, tasks, proceed, recovered)
        else:
            _end(child, recovered)
    proceed(node.pk)
    recovered.continued.append(node.pk)


def _awaited(node: ProcessNode) -> set[int] | None:
    """Return the PKs of the children that the checkpoint of a process waits for; ``None`` if it has no checkpoint."""
    try:
        bundle = get_manager().get_persister().load_checkpoint(node.pk)
    except plumpy.PersistenceError:
        return None
    return {awaitable.pk for awaitable in bundle.get('_awaitables', [])}


def _end(node: ProcessNode, recovered: Recovered) -> None:
    """Mark a process that nobody can continue as killed, with its descendants, and cancel its job."""
    for child in node.called:
        if not child.is_terminated:
            _end(child, recovered)
    if isinstance(node, CalcJobNode) and node.get_job_id() is not None:
        # whatever scheduler and transport raise: the job may have ended by itself
        with contextlib.suppress(Exception), node.get_authinfo().get_transport() as transport:
            kill_calculation(node, transport)
    node.set_process_state(ProcessState.KILLED)
    node.set_process_status(REASON)
    node.delete_checkpoint()
    node.seal()
    recovered.ended.append(node.pk)
