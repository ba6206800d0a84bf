"""A campaign as one HTML page that needs nothing else: numbers, failures by exit code, jobs over time, every job."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from html import escape
from string import Template
from typing import Any

from aiida_foundry.screening.campaign_file import CampaignFile
from aiida_foundry.screening.jobs import Job
from aiida_foundry.screening.summary import Summary

PAGE = Template("""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Campaign $name</title><style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; }
th, td { text-align: left; padding: .2rem .9rem .2rem 0; border-bottom: 1px solid #ddd; vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
.bar { display: flex; height: 1.2rem; border-radius: 3px; overflow: hidden; }
.waiting { background: #ddd; } .running { background: #6ea8dc; } .paused { background: #c9a227; }
.finished { background: #4b9b5e; } .failed, .refused { background: #c8553d; }
code { font-size: .9em; }
</style></head><body>
<h1>$name</h1>
<p>$description</p>
<p><code>$workflow</code>, protocol $protocol. State of $date.</p>
<div class="bar">$bar</div>
$numbers
<h2>Jobs that ended, over time</h2>
$curve
<h2>Failures by exit code</h2>
$failures
<h2>Jobs</h2>
$jobs
</body></html>
""")


def html_report(
    plan: CampaignFile, summary: Summary, jobs: Sequence[Job], refused: dict[str, str], now: datetime | None = None
) -> str:
    """Return the page.

    Args:
        plan: the campaign.
        summary: of its jobs.
        jobs: its jobs.
        refused: files that were no structures, and why.
        now: the time that the page bears.
    """
    failures: list[Sequence[Any]] = [tuple(failure) for failure in summary.failures]
    failures += [('no structure', f'{name}: {reason}', 1, None) for name, reason in refused.items()]
    return PAGE.substitute(
        name=escape(plan.name),
        description=escape(plan.description),
        workflow=escape(plan.workflow),
        protocol=escape(plan.protocol or 'of the workflow'),
        date=(now or datetime.now(timezone.utc)).strftime('%Y-%m-%d %H:%M UTC'),
        bar=''.join(_segment(state, count) for state, count in summary.counts.items() if count),
        numbers=_table(('', ''), _numbers(summary)),
        curve=_curve(jobs),
        failures=_table(('exit code', 'message', 'jobs', 'example PK'), failures) if failures else '<p>None.</p>',
        jobs=_table(
            ('structure', 'name', 'state', 'exit code', 'attempts', 'core-hours', 'PK', 'UUID'), map(_row, jobs)
        ),
    )


def _segment(state: str, count: int) -> str:
    return f'<div class="{state}" style="flex: {count}" title="{count} {state}"></div>'


def _numbers(summary: Summary) -> list[tuple[str, Any]]:
    eta = 'unknown' if summary.eta_seconds is None else f'{summary.eta_seconds / 3600:.1f} h'
    return [
        ('structures', summary.total),
        *((state, count) for state, count in summary.counts.items() if count),
        ('rate', f'{summary.rate:.1f} per hour'),
        ('left', eta),
        ('core-hours', f'{summary.core_hours:.2f}'),
    ]


def _row(job: Job) -> tuple[Any, ...]:
    last = job.last
    outcome = last.outcome if last and last.ended else ''
    hours = f'{job.core_seconds / 3600:.3f}'
    node = (last.pk, last.uuid) if last else ('', '')
    return (job.structure, job.name, job.state, outcome, len(job.attempts), hours, *node)


def _table(heads: Sequence[str], rows: Any) -> str:
    def cell(value: Any) -> str:
        kind = ' class="number"' if isinstance(value, (int, float)) else ''
        return f'<td{kind}>{escape("" if value is None else str(value))}</td>'

    head = ''.join(f'<th>{escape(title)}</th>' for title in heads)
    body = ''.join(f'<tr>{"".join(map(cell, row))}</tr>\n' for row in rows)
    return f'<table><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table>'


def _curve(jobs: Sequence[Job], width: int = 800, height: int = 160) -> str:
    """Return the number of jobs that ended over time as SVG."""
    attempts = [job.last for job in jobs if job.last and job.last.ended]
    if len(attempts) < 2:
        return '<p>Fewer than two jobs ended.</p>'
    start = min(attempt.started for attempt in attempts).timestamp()
    ends = sorted(attempt.changed.timestamp() for attempt in attempts)
    span = max(ends[-1] - start, 1.0)
    points = [(0.0, float(height))]
    for index, end in enumerate(ends):
        x = width * (end - start) / span
        points += [(x, points[-1][1]), (x, height - height * (index + 1) / len(ends))]
    path = ' '.join(f'{x:.1f},{y:.1f}' for x, y in points)
    return (
        f'<svg viewBox="-2 -2 {width + 4} {height + 4}" width="100%" role="img"><polyline points="{path}" fill="none" '
        f'stroke="#4b9b5e" stroke-width="2"/></svg><p>{len(ends)} jobs in {span / 3600:.2f} h.</p>'
    )
