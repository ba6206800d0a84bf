"""Where each job of a campaign stands, read from the processes that have its key."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

from aiida.orm import ProcessNode, QueryBuilder

from aiida_foundry.screening.campaign import Campaign
from aiida_foundry.screening.campaign_file import Retry

ENDED_STATES = ('finished', 'excepted', 'killed')
HARVEST = 'foundry_harvest'
"""Extra of a process whose work folders were dealt with: a dictionary with ``core_seconds``."""

CHUNK = 500
"""Keys per query: SQLite takes a limited number of values."""


class Attempt(NamedTuple):
    """A process that has the key of a job."""

    pk: int
    uuid: str
    state: str | None
    exit_status: int | None
    message: str | None
    paused: bool
    started: datetime
    changed: datetime
    harvest: Mapping[str, Any] | None

    @property
    def ended(self) -> bool:
        """Whether the process has ended, in whatever way."""
        return self.state in ENDED_STATES

    @property
    def has_results(self) -> bool:
        """Whether it finished with outputs: with success, or with a warning."""
        return self.state == 'finished' and (self.exit_status == 0 or (self.exit_status or 0) // 100 == 7)

    @property
    def failed(self) -> bool:
        """Whether it ended without outputs that can be used."""
        return self.ended and not self.has_results

    @property
    def outcome(self) -> str:
        """The exit status, or how else it ended."""
        return str(self.exit_status) if self.state == 'finished' else str(self.state)


@dataclass
class Job:
    """The job of one structure.

    ``state`` is ``waiting`` (to be submitted), ``running``, ``paused`` (by AiiDA, until somebody plays it),
    ``finished`` (has results), ``failed`` (for good) or ``refused`` (nothing can be submitted: ``reason``).
    """

    structure: int
    name: str
    key: str | None = None
    reason: str = ''
    state: str = 'waiting'
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def last(self) -> Attempt | None:
        """The attempt that decides about the state."""
        results = [attempt for attempt in self.attempts if attempt.has_results]
        return results[-1] if results else (self.attempts[-1] if self.attempts else None)

    @property
    def core_seconds(self) -> float:
        """Core-seconds of all attempts whose engines report their times."""
        return sum((attempt.harvest or {}).get('core_seconds', 0.0) for attempt in self.attempts)

    def update(self, attempts: list[Attempt], retry: Retry, forgiven: Container[int] = ()) -> None:
        """Take notice of the processes that have the key of this job.

        Args:
            attempts: the processes in the order of their creation.
            retry: what is run again.
            forgiven: PKs of processes whose failure does not count.
        """
        self.attempts, self.reason = attempts, ''
        failed = [attempt for attempt in attempts if attempt.failed and attempt.pk not in forgiven]
        active = [attempt for attempt in attempts if not attempt.ended]
        if any(attempt.has_results for attempt in attempts):
            self.state = 'finished'
        elif active:
            self.state = 'paused' if active[-1].paused else 'running'
        elif not failed or _may_retry(failed, retry):
            self.state = 'waiting'
        else:
            self.state = 'failed'


def _may_retry(failed: list[Attempt], retry: Retry) -> bool:
    last, counted = failed[-1], [attempt for attempt in failed if attempt.state != 'killed']
    if last.state == 'killed' or len(counted) >= retry.attempts:
        return False
    return last.state == 'excepted' or retry.covers(last.exit_status or 0)


def read_jobs(campaign: Campaign, retry: Retry) -> list[Job]:
    """Read all jobs of a campaign with their attempts, in a number of queries that grows by one per `CHUNK` jobs."""
    jobs = []
    for pk, label, note in campaign.rows():
        name = note.get('name') or label or f'PK {pk}'
        jobs.append(Job(pk, name, note.get('key'), note.get('reason', '')))
    attempts = read_attempts(job.key for job in jobs if job.key)
    for job in jobs:
        if job.reason:
            job.state = 'refused'
        elif job.key:
            job.update(attempts.get(job.key, []), retry)
    return jobs


def read_attempts(keys: Iterable[str]) -> dict[str, list[Attempt]]:
    """Return the processes of each key in the order of their creation.

    One that waits for a process that AiiDA paused is paused as well: nothing goes on there.
    """
    found: dict[str, list[Attempt]] = {}
    for chunk in _chunks(sorted(set(keys))):
        for key, *row in attempts_query({'label': {'in': chunk}}).iterall():
            found.setdefault(key, []).append(Attempt(*row))
    active = [attempt.pk for attempts in found.values() for attempt in attempts if not attempt.ended]
    if active:
        paused = set(_with_callers(paused_processes(min(active))))
        for attempts in found.values():
            attempts[:] = [attempt._replace(paused=attempt.pk in paused) for attempt in attempts]
    return found


def paused_processes(oldest: int = 0) -> list[ProcessNode]:
    """Return the processes that AiiDA paused, of whatever kind, and that have not ended.

    Args:
        oldest: PK of the oldest process that is of interest: what it calls is younger. The database reads the
            attributes of all others, which takes longer than anything else when the profile is large.
    """
    filters = {
        'id': {'>=': oldest},
        'attributes.paused': True,
        'attributes.process_state': {'!in': ENDED_STATES},
    }
    paused: list[ProcessNode] = QueryBuilder().append(ProcessNode, filters=filters).all(flat=True)
    return paused


def _with_callers(nodes: Iterable[ProcessNode]) -> Iterator[int]:
    """Iterate over the PKs of processes and of those that called them."""
    for node in nodes:
        process: ProcessNode | None = node
        while process is not None:
            yield process.pk
            process = process.caller


def paused_of(pks: Container[int]) -> list[int]:
    """Return the PKs of the paused ones among processes and what they called."""
    return [node.pk for node in paused_processes() if any(pk in pks for pk in _with_callers([node]))]


def attempts_query(filters: Mapping[str, Any]) -> QueryBuilder:
    """Return the query of label and `Attempt` of processes."""
    names = ('process_state', 'exit_status', 'exit_message', 'paused')
    state, status, message, paused = (f'attributes.{name}' for name in names)
    project = ['label', 'id', 'uuid', state, status, message, paused, 'ctime', 'mtime', f'extras.{HARVEST}']
    query = QueryBuilder().append(ProcessNode, filters=dict(filters), project=project)
    return query.order_by({ProcessNode: {'id': 'asc'}})


def _chunks(keys: list[str]) -> Iterator[list[str]]:
    iterator = iter(keys)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk
