"""Where a job stands, from its processes."""

from __future__ import annotations

from uuid import uuid4

import pytest
from aiida import orm
from aiida.common.links import LinkType

from aiida_foundry.screening.jobs import paused_of, read_attempts


@pytest.fixture
def job_and_step(aiida_profile, aiida_localhost):
    """Return a workflow with a label of its own that waits for a calculation."""
    job = orm.WorkChainNode(label=f'foundry:{uuid4()}').store()
    step = orm.CalcJobNode(computer=aiida_localhost)
    step.base.links.add_incoming(job, LinkType.CALL_CALC, 'step')
    step.store()
    for node in (job, step):
        node.set_process_state('waiting')
    return job, step


def test_job_is_paused_while_its_step_is(job_and_step):
    job, step = job_and_step
    states = []
    for change in (lambda: None, step.pause, step.unpause):
        change()
        (attempt,) = read_attempts([job.label])[job.label]
        states.append((attempt.paused, paused_of([job.pk])))
    assert states == [(False, []), (True, [step.pk]), (False, [])]


def test_what_was_paused_and_killed_is_not_paused(job_and_step):
    job, step = job_and_step
    step.pause()
    assert paused_of([job.pk]) == [step.pk]
    step.set_process_state('killed')
    assert paused_of([job.pk]) == []


def test_paused_processes_of_others_are_left_alone(job_and_step):
    job, step = job_and_step
    step.pause()
    assert paused_of([job.pk + step.pk]) == []
