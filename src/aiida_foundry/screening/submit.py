"""A whole campaign in one call, for scripts: what the command line does in several."""

from __future__ import annotations

from collections.abc import Iterator

from aiida.common.exceptions import ConfigurationError

from aiida_foundry.screening.builders import build
from aiida_foundry.screening.campaign import create_campaign, plan_structures
from aiida_foundry.screening.campaign_file import CampaignFile
from aiida_foundry.screening.driver import Driver
from aiida_foundry.screening.keys import content_key
from aiida_foundry.screening.launchers import DaemonLauncher, Launcher, LocalLauncher, daemon_runs


def submit_all(plan: CampaignFile, dry_run: bool = False) -> Iterator[str]:
    """Create or extend a campaign and run it to its end; iterate over lines that say how far it is.

    Args:
        plan: the campaign.
        dry_run: only make the builders, and say what would run; nothing is stored.

    Raises:
        InputError: for anything that cannot work.
    """
    if dry_run:
        for name, structure in plan_structures(plan.structures):
            builder = build(plan, structure)
            yield f'{name}: {builder.process_class.__name__} {content_key(builder)}'
        return
    campaign, added = create_campaign(plan)
    yield f'{added} structures added'
    last = None
    for summary in Driver(campaign, default_launcher()).run():
        counts = ', '.join(f'{count} {state}' for state, count in summary.counts.items() if count)
        if counts != last or summary.outcome:
            yield f'{counts} {summary.outcome}'.strip()
        last = counts


def default_launcher() -> Launcher:
    """Return the daemon if it runs, else this interpreter."""
    try:
        return DaemonLauncher() if daemon_runs() else LocalLauncher()
    except ConfigurationError:  # a profile without broker
        return LocalLauncher()
