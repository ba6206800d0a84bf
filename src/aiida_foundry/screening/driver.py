"""The driver of a campaign: submits jobs as others end, until all have ended.

Everything it knows is in the profile. It may be killed at any instant, and started again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aiida.orm import AbstractCode, Computer, ProcessNode, QueryBuilder, load_node

from aiida_foundry.screening.builders import build, computers_of
from aiida_foundry.screening.campaign import Campaign, Settings, campaign_names, end_snapshot
from aiida_foundry.screening.campaign_file import CampaignFile
from aiida_foundry.screening.harvest import DESCRIPTION, harvest
from aiida_foundry.screening.jobs import ENDED_STATES, Job, paused_of, read_attempts, read_jobs
from aiida_foundry.screening.keys import PREFIX, content_key
from aiida_foundry.screening.launchers import Launcher
from aiida_foundry.screening.locks import is_driven, only_driver, submission
from aiida_foundry.screening.recovery import Recovered, process_tasks, recover
from aiida_foundry.screening.summary import Summary, summarise

INTERVAL = 1.0
"""Seconds between two looks at the processes."""

MIN_ENDED = 10
"""Jobs whose failures are tolerated as if so many had ended: one failure among the first two is no reason to stop."""


class Driver:
    """Runs a campaign.

    Args:
        campaign: what to run.
        launcher: who runs the jobs.
        retry_failed: give jobs that failed another set of attempts. Those that were killed get it always.
        interval: seconds between two looks at the processes.
    """

    def __init__(
        self, campaign: Campaign, launcher: Launcher, *, retry_failed: bool = False, interval: float = INTERVAL
    ) -> None:
        self.campaign, self.launcher, self.interval = campaign, launcher, interval
        self.retry_failed = retry_failed
        self.recovered = Recovered([], [])
        self._jobs: list[Job] = []
        self._forgiven: set[int] = set()
        self._harvested: dict[int, dict[str, Any]] = {}

    def run(self) -> Iterator[Summary]:
        """Run the campaign; iterate over how far it is, the last time with an outcome.

        The outcome is ``finished`` (every job has ended), ``stopped`` (on request), ``too many failures``, ``paused``
        (nothing is left but processes that AiiDA paused) or ``interrupted``.

        Raises:
            InputError: if another process drives the campaign, or its jobs cannot be run.
        """
        outcome = ''
        with only_driver(self.campaign.group.uuid, self.campaign.name), self.launcher.open():
            self.campaign.request_stop(False)
            settings = self.campaign.settings()
            self._read(settings)
            self._recover()
            while not outcome:
                settings = self._refresh(settings)
                outcome = self._submit(settings)
                yield summarise(self.campaign.name, self._jobs, outcome)
                if not outcome:
                    self.launcher.wait(self.interval)
        if self.launcher.interrupted and not outcome:
            yield summarise(self.campaign.name, self._jobs, 'interrupted')

    def _read(self, settings: Settings) -> None:
        """Read all jobs, and forgive what a person has dealt with by starting the driver again."""
        self._jobs = read_jobs(self.campaign, settings.plan.retry)
        for attempt in (attempt for job in self._jobs for attempt in job.attempts):
            if attempt.state == 'killed' or (self.retry_failed and attempt.failed):
                self._forgiven.add(attempt.pk)
        for job in self._jobs:
            if job.state == 'refused':
                job.state, job.reason = 'waiting', ''
            elif job.key:
                job.update(job.attempts, settings.plan.retry, self._forgiven)

    def _recover(self) -> None:
        """Continue what a killed driver left, and play what AiiDA paused."""
        active = [job.last for job in self._jobs if job.state in {'running', 'paused'} and job.last]
        pks = sorted({attempt.pk for attempt in active})
        abandoned = [pk for pk in pks if is_abandoned(load_node(pk), self.campaign)]
        tasks, paused = process_tasks() if pks else set(), paused_of(pks)
        if tasks is None:  # RabbitMQ with a daemon: its tasks are safe, but cannot be seen
            self.launcher.resume_paused(paused)
            return
        self.launcher.refuse_foreign([pk for pk in pks if pk in tasks])
        self.launcher.resume_paused([pk for pk in paused if pk in tasks])
        self.recovered = recover(abandoned, tasks, self.launcher.proceed)
        self._forgiven |= set(self.recovered.ended)

    def _refresh(self, settings: Settings) -> Settings:
        """Look up what changed: the settings, the structures, the processes that run."""
        latest = self.campaign.settings()
        if latest.structures != settings.structures:
            known = {job.structure for job in self._jobs}
            self._jobs += [job for job in read_jobs(self.campaign, latest.plan.retry) if job.structure not in known]
        running = [job for job in self._jobs if job.state in {'running', 'paused'}]
        attempts = read_attempts(job.key for job in running if job.key)
        for job in running:
            job.update(attempts.get(job.key or '', []), latest.plan.retry, self._forgiven)
        self._harvest(latest.plan.clean)
        return latest

    def _harvest(self, clean: str) -> None:
        """Deal with the work folders of processes that have ended."""
        for job in self._jobs:
            for index, attempt in enumerate(job.attempts):
                if not attempt.ended or attempt.harvest is not None:
                    continue
                if attempt.pk not in self._harvested:
                    may_clean = clean == 'always' or (clean == 'finished' and attempt.has_results)
                    self._harvested[attempt.pk] = harvest(attempt.pk, may_clean)
                job.attempts[index] = attempt._replace(harvest=self._harvested[attempt.pk])

    def _submit(self, settings: Settings) -> str:
        """Submit as much as the limits allow; return why the driver ends, or the empty string."""
        if self.launcher.interrupted:
            return 'interrupted'
        halt = 'stopped' if settings.stop else ('too many failures' if self._too_many(settings.plan) else '')
        if halt:
            return '' if self.launcher.busy else halt
        waiting = [job for job in self._jobs if job.state == 'waiting']
        for job in waiting[: self._free(settings.plan)] if waiting else ():
            self._start(job, settings.plan)
        states = {job.state for job in self._jobs}
        if states & {'waiting', 'running'}:
            return ''
        return 'paused' if 'paused' in states else 'finished'

    def _too_many(self, plan: CampaignFile) -> bool:
        failed = sum(job.state in {'failed', 'refused'} for job in self._jobs)
        ended = failed + sum(job.state == 'finished' for job in self._jobs)
        return failed > plan.max_failed_fraction * max(ended, min(len(self._jobs), MIN_ENDED))

    def _free(self, plan: CampaignFile) -> int:
        """Return how many more jobs may be submitted."""
        running = sum(job.state in {'running', 'paused'} for job in self._jobs)
        computers = computers_of(plan) & plan.limits.per_computer.keys()
        on_computers = (plan.limits.per_computer[label] - running_on(label) for label in computers)
        return max(min([plan.limits.running - running, *on_computers]), 0)

    def _start(self, job: Job, plan: CampaignFile) -> None:
        """Start the job of a structure, unless a process with its key has results or runs."""
        structure = load_node(job.structure)
        try:
            builder = build(plan, structure)
            key = content_key(builder)
        except Exception as exception:  # whatever the workflow of somebody else raises for a structure it cannot take
            self._refuse(job, str(exception) or type(exception).__name__)
            return
        self.campaign.note(structure, key=key, reason='')
        job.key = key
        with submission():
            end_snapshot()
            job.update(read_attempts([key]).get(key, []), plan.retry, self._forgiven)
            if job.state != 'waiting':
                return
            builder.metadata.label = key
            builder.metadata.description = f'{DESCRIPTION}{self.campaign.name}'
            try:
                self.launcher.start(builder)
            except ValueError as exception:  # the inputs are not valid
                self._refuse(job, str(exception))
                return
            job.update(read_attempts([key])[key], plan.retry, self._forgiven)

    def _refuse(self, job: Job, reason: str) -> None:
        job.state, job.reason = 'refused', reason
        self.campaign.note(load_node(job.structure), reason=reason)


def is_abandoned(node: ProcessNode, campaign: Campaign) -> bool:
    """Return whether no driver can be running a process: it was started by the campaign given or by one without driver.

    What somebody started without a campaign may run in his interpreter, which nobody can see.
    """
    if not node.description.startswith(DESCRIPTION):
        return False
    name = node.description.removeprefix(DESCRIPTION)
    if name == campaign.name or name not in campaign_names():
        return True
    return not is_driven(Campaign.load(name).group.uuid)


def running_on(computer: str) -> int:
    """Return the number of campaign jobs of the profile that have not ended and have a code on a computer."""
    query = QueryBuilder().append(Computer, filters={'label': computer}, tag='computer')
    query.append(AbstractCode, with_computer='computer', tag='code')
    active = {'label': {'like': f'{PREFIX}%'}, 'attributes.process_state': {'!in': ENDED_STATES}}
    query.append(ProcessNode, with_incoming='code', filters=active, project='id')
    return len(set(query.all(flat=True)))
