"""``aiida-foundry campaign``: one workflow over many structures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from aiida_foundry.cli import options

if TYPE_CHECKING:
    from aiida_foundry.screening.summary import Summary

EXIT_STATUS = {'too many failures': 3, 'stopped': 4, 'paused': 4, 'interrupted': 4}


def complete_name(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the names of the campaigns of the profile, for the completion of the shell."""
    del parameter
    from aiida_foundry.cli.profile import load_profile
    from aiida_foundry.screening.campaign import campaign_names

    load_profile(context.params.get('profile'))
    return [name for name in campaign_names() if name.startswith(incomplete)]


NAME = click.argument('name', shell_complete=complete_name)


@click.group()
def campaign() -> None:
    """Run a workflow over many structures; nothing is lost, nothing is computed twice."""


@campaign.command(
    epilog="""\b
Examples:
  aiida-foundry campaign create workchains/gw/gaps/campaign.yaml --dry-run
  aiida-foundry campaign create workchains/gw/gaps/campaign.yaml
  aiida-foundry campaign create campaign.yaml --running 50"""
)
@click.argument('file', type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option('--running', type=click.IntRange(min=1), metavar='N', help='Replace `limits.running` of the file.')
@options.DRY_RUN
@options.JSON
@options.PROFILE
def create(file: Path, running: int | None, dry_run: bool, as_json: bool, profile: str | None) -> None:
    """Create a campaign from FILE, or change and extend the one of its name, also while it runs.

    Structures that it has not yet are added, limits and retries take effect at once. What the results depend on
    (workflow, codes, protocol, overrides, arguments) cannot be changed. Nothing is submitted.
    """
    from aiida_foundry.cli.console import echo_json, make_console
    from aiida_foundry.cli.profile import load_profile
    from aiida_foundry.screening.campaign import create_campaign
    from aiida_foundry.screening.campaign_file import read_campaign_file
    from aiida_foundry.screening.submit import submit_all

    plan = read_campaign_file(file)
    if running is not None:
        plan = plan.model_copy(update={'limits': plan.limits.model_copy(update={'running': running})})
    load_profile(profile)
    console = make_console(stderr=as_json)
    if dry_run:
        lines = list(submit_all(plan, dry_run=True))
        if as_json:
            echo_json(lines)
        else:
            console.print('\n'.join(lines), markup=False, soft_wrap=True)
        return
    with console.status('Reading structures') as status:
        made, added = create_campaign(plan, lambda number: status.update(f'Reading structures: {number} added'))
    refused = made.refused_files
    if as_json:
        echo_json({'name': made.name, 'added': added, 'structures': made.group.count(), 'refused': refused})
        return
    console.print(f'Campaign {made.name}: {made.group.count()} structures, {added} of them new')
    for name, reason in refused.items():
        console.print(f'left out {name}: {reason}', markup=False)
    console.print(f'Run it: aiida-foundry campaign run {made.name}')


@campaign.command(
    epilog="""\b
Exit status: 0 all finished, 1 some failed, 2 refused input, 3 stopped because of too many failures, 4 stopped on
request, interrupted, or nothing left but processes that AiiDA paused.

\b
Examples:
  aiida-foundry campaign run gw-gaps
  aiida-foundry campaign run gw-gaps --daemon
  aiida-foundry campaign run gw-gaps --retry-failed"""
)
@NAME
@click.option(
    '--daemon/--blocking',
    default=False,
    help='Let the daemon run the jobs, or run them here. Ctrl-C ends the driver; the daemon goes on with jobs that it '
    'has, jobs that run here are killed. [default: --blocking]',
)
@click.option('--retry-failed', is_flag=True, help='Give jobs that failed another set of attempts.')
@options.JSON
@options.PROFILE
@click.pass_context
def run(
    context: click.Context, name: str, daemon: bool, retry_failed: bool, as_json: bool, profile: str | None
) -> None:
    """Run the campaign NAME, or resume it, until all its jobs have ended."""
    from aiida_foundry.cli.campaign_view import View, facts, failure_table
    from aiida_foundry.cli.console import echo_json, make_console
    from aiida_foundry.cli.profile import load_profile
    from aiida_foundry.screening.campaign import Campaign
    from aiida_foundry.screening.driver import Driver
    from aiida_foundry.screening.launchers import DaemonLauncher, LocalLauncher

    load_profile(profile)
    console = make_console(stderr=as_json)
    driver = Driver(Campaign.load(name), DaemonLauncher() if daemon else LocalLauncher(), retry_failed=retry_failed)
    with View(console).display() as view:
        for summary in driver.run():
            view(summary)
    if as_json:
        echo_json(summary.record())
    else:
        console.print(f'{summary.outcome}: {facts(summary)}')
        if summary.failures:
            console.print(failure_table(summary))
    context.exit(EXIT_STATUS.get(summary.outcome, 1 if summary.failures else 0))


@campaign.command(
    epilog="""\b
Examples:
  aiida-foundry campaign status
  aiida-foundry campaign status gw-gaps
  aiida-foundry campaign status gw-gaps --json"""
)
@click.argument('name', required=False, shell_complete=complete_name)
@options.JSON
@options.PROFILE
def status(name: str | None, as_json: bool, profile: str | None) -> None:
    """Print how far the campaign NAME is, or all of them; does not disturb its driver."""
    from aiida_foundry.cli.campaign_view import one_line, panel
    from aiida_foundry.cli.console import echo_json, make_console
    from aiida_foundry.cli.profile import load_profile
    from aiida_foundry.screening.campaign import Campaign, campaign_names
    from aiida_foundry.screening.locks import is_driven

    load_profile(profile)
    campaigns = [Campaign.load(each) for each in ([name] if name else campaign_names())]
    found = [(_summary(each.name), is_driven(each.group.uuid)) for each in campaigns]
    if as_json:
        records = [summary.record() | {'driven': driven} for summary, driven in found]
        echo_json(records[0] if name else records)
        return
    console = make_console()
    for summary, driven in found:
        console.print(f'{summary.name}: {one_line(summary)}; {"a driver runs" if driven else "no driver runs"}')
        if name:
            console.print(panel(summary))
    if not found:
        console.print('There are no campaigns; see `aiida-foundry campaign create --help`')


@campaign.command(
    epilog="""\b
Example:
  aiida-foundry campaign stop gw-gaps"""
)
@NAME
@options.PROFILE
def stop(name: str, profile: str | None) -> None:
    """Let the driver of the campaign NAME submit nothing more and end.

    Jobs that the daemon has go on (`verdi process kill` ends them); a driver that runs jobs itself waits for them.
    """
    from aiida_foundry.cli.profile import load_profile
    from aiida_foundry.screening.campaign import Campaign
    from aiida_foundry.screening.locks import is_driven

    load_profile(profile)
    found = Campaign.load(name)
    if not is_driven(found.group.uuid):
        click.echo(f'No driver of campaign {name} runs')
        return
    found.request_stop()
    click.echo(f'The driver of campaign {name} was asked to stop')


@campaign.command(
    epilog="""\b
Example:
  aiida-foundry campaign report gw-gaps --output gw-gaps.html"""
)
@NAME
@click.option('-o', '--output', type=click.Path(dir_okay=False, path_type=Path), help='[default: NAME.html]')
@options.PROFILE
def report(name: str, output: Path | None, profile: str | None) -> None:
    """Write the campaign NAME as an HTML page that needs no other file: numbers, failures, every job."""
    from aiida_foundry.cli.profile import load_profile
    from aiida_foundry.screening.campaign import Campaign
    from aiida_foundry.screening.jobs import read_jobs
    from aiida_foundry.screening.report import html_report
    from aiida_foundry.screening.summary import summarise

    load_profile(profile)
    found = Campaign.load(name)
    plan = found.settings().plan
    jobs = read_jobs(found, plan.retry)
    path = output or Path(f'{name}.html')
    path.write_text(html_report(plan, summarise(name, jobs), jobs, found.refused_files), encoding='utf-8')
    click.echo(f'Wrote {path}')


def _summary(name: str) -> Summary:
    """Count the jobs of a campaign."""
    from aiida_foundry.screening.campaign import Campaign
    from aiida_foundry.screening.jobs import read_jobs
    from aiida_foundry.screening.summary import summarise

    found = Campaign.load(name)
    return summarise(name, read_jobs(found, found.settings().plan.retry))
