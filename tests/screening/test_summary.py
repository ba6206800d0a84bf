"""Numbers and the page of a campaign, from jobs made by hand."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser

import pytest

from aiida_foundry.screening.campaign_file import Retry, check_campaign
from aiida_foundry.screening.jobs import Attempt, Job
from aiida_foundry.screening.report import html_report
from aiida_foundry.screening.summary import summarise

NOW = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)


def attempt(pk, state='finished', exit_status=0, minutes=30, core_seconds=360.0, message=None):
    """An attempt that began an hour ago and ended ``minutes`` ago."""
    ended = NOW - timedelta(minutes=minutes)
    harvest = {'core_seconds': core_seconds}
    return Attempt(pk, f'uuid-{pk}', state, exit_status, message, False, NOW - timedelta(hours=1), ended, harvest)


def job(*attempts, attempts_allowed=1, forgiven=()):
    made = Job(1, 'Si', key='foundry:x')
    made.update(list(attempts), Retry(attempts=attempts_allowed), forgiven)
    return made


@pytest.mark.parametrize(
    ('attempts', 'allowed', 'state'),
    [
        ([], 1, 'waiting'),
        ([attempt(1)], 1, 'finished'),
        ([attempt(1, exit_status=701)], 1, 'finished'),
        ([attempt(1, exit_status=305)], 1, 'failed'),
        ([attempt(1, exit_status=305)], 2, 'waiting'),
        ([attempt(1, exit_status=501)], 2, 'failed'),
        ([attempt(1, 'excepted', None)], 2, 'waiting'),
        ([attempt(1, 'excepted', None)], 1, 'failed'),
        ([attempt(1, 'killed', None)], 2, 'failed'),
        ([attempt(1, exit_status=305), attempt(2, 'waiting', None)], 2, 'running'),
        ([attempt(1, exit_status=305), attempt(2)], 2, 'finished'),
        ([attempt(1), attempt(2, exit_status=305)], 1, 'finished'),
    ],
)
def test_state(attempts, allowed, state):
    assert job(*attempts, attempts_allowed=allowed).state == state


def test_what_is_forgiven_runs_again():
    assert job(attempt(1, 'killed', None), forgiven={1}).state == 'waiting'


def test_summary():
    jobs = [
        job(attempt(1)),
        job(attempt(2, exit_status=305, message='no'), attempt(3, minutes=15)),
        job(attempt(4, exit_status=501, message='no gap')),
        job(attempt(5, exit_status=501, message='no gap')),
        job(),
    ]
    summary = summarise('x', jobs, now=NOW)
    assert summary.counts == {'waiting': 1, 'running': 0, 'paused': 0, 'finished': 2, 'failed': 2, 'refused': 0}
    assert summary.rate == pytest.approx(4)
    assert summary.eta_seconds == pytest.approx(900)
    assert summary.core_hours == pytest.approx(0.5)
    assert summary.failures == (('501', 'no gap', 2, 5),)


def test_page_is_well_formed_and_escaped():
    class Balance(HTMLParser):
        open: list[str] = []  # noqa: RUF012

        def handle_starttag(self, tag, attributes):
            if tag != 'meta':
                self.open.append(tag)

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

    content = {'name': 'x', 'description': '<b>', 'workflow': 'y', 'structures': {'names': ['Si']}}
    jobs = [job(attempt(1)), job(attempt(2, exit_status=501, message='<script>')), job()]
    page = html_report(check_campaign(content), summarise('x', jobs, now=NOW), jobs, {'a.cif': '&'}, NOW)
    parser = Balance()
    parser.feed(page)
    assert parser.open == []
    assert '<script>' not in page
    assert '&lt;script&gt;' in page
    assert 'http' not in page
