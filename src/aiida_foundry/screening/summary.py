"""How far a campaign is, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from aiida_foundry.screening.jobs import Job

STATES = ('waiting', 'running', 'paused', 'finished', 'failed', 'refused')
WINDOW = timedelta(hours=1)
"""The rate is that of the last hour, or since the first start if that is less."""


class Failure(NamedTuple):
    """Number of ``jobs`` that failed alike.

    ``outcome`` is the exit status, ``excepted``, ``killed`` or ``refused``; ``pk`` that of one process, as an example.
    """

    outcome: str
    message: str
    jobs: int
    pk: int | None


@dataclass(frozen=True)
class Summary:
    """How far a campaign is.

    Args:
        name: of the campaign.
        counts: jobs by state.
        rate: jobs that ended per hour; 0 where none ended in the last hour.
        eta_seconds: time until all have ended at this rate; ``None`` where nothing ended lately.
        core_hours: of the jobs whose engines report their times, failed attempts included.
        failures: jobs that failed, by exit code.
        outcome: why the driver ended; empty while it runs.
    """

    name: str
    counts: dict[str, int]
    rate: float
    eta_seconds: float | None
    core_hours: float
    failures: tuple[Failure, ...]
    outcome: str = ''

    @property
    def total(self) -> int:
        """Number of jobs."""
        return sum(self.counts.values())

    @property
    def ended(self) -> int:
        """Number of jobs for which nothing more will be done."""
        return sum(self.counts[state] for state in ('finished', 'failed', 'refused'))

    def record(self) -> dict[str, Any]:
        """Return it as a dictionary, for JSON."""
        failures = [failure._asdict() for failure in self.failures]
        return asdict(self) | {'total': self.total, 'failures': failures}


def summarise(name: str, jobs: Sequence[Job], outcome: str = '', now: datetime | None = None) -> Summary:
    """Count the jobs of a campaign."""
    counts = Counter(job.state for job in jobs)
    rate = _rate(jobs, now or datetime.now(timezone.utc))
    left = sum(counts[state] for state in ('waiting', 'running', 'paused'))
    return Summary(
        name=name,
        counts={state: counts[state] for state in STATES},
        rate=rate,
        eta_seconds=3600 * left / rate if rate else (0.0 if not left else None),
        core_hours=sum(job.core_seconds for job in jobs) / 3600,
        failures=failures_of(jobs),
        outcome=outcome,
    )


def _rate(jobs: Sequence[Job], now: datetime) -> float:
    recent = [job.last for job in jobs if job.last and job.last.ended and job.last.changed > now - WINDOW]
    if not recent:
        return 0.0
    start = max(now - WINDOW, min(attempt.started for attempt in recent))
    return 3600 * len(recent) / max((now - start).total_seconds(), 1.0)


def failures_of(jobs: Sequence[Job]) -> tuple[Failure, ...]:
    """Return how jobs failed, the most frequent first."""
    kinds: dict[tuple[str, str], list[int | None]] = {}
    for job in jobs:
        if job.state == 'refused':
            kinds.setdefault(('refused', job.reason), []).append(None)
        elif job.state == 'failed' and job.last:
            kinds.setdefault((job.last.outcome, job.last.message or ''), []).append(job.last.pk)
    failures = (Failure(outcome, message, len(pks), pks[-1]) for (outcome, message), pks in kinds.items())
    return tuple(sorted(failures, key=lambda failure: -failure.jobs))
