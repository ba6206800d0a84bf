"""What is left to do when a job has ended: add up what it took, remove its work folders."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiida.common.exceptions import NotExistentAttributeError
from aiida.orm import CalcJobNode, ProcessNode, QueryBuilder, RemoteData, load_node

from aiida_foundry.screening.jobs import ENDED_STATES, HARVEST
from aiida_foundry.workflows.shared.cleanup import remove_work_folder

DESCRIPTION = 'campaign '
"""Beginning of the description of the processes that a campaign started: the folders of others are left alone."""


def harvest(pk: int, clean: bool) -> dict[str, Any]:
    """Note the core-seconds of a process that has ended, and remove the work folders that nothing needs any more.

    Args:
        pk: of the process.
        clean: whether to remove them.

    Returns:
        What is noted on the process.
    """
    node = load_node(pk)
    jobs = [job for job in (node, *node.called_descendants) if isinstance(job, CalcJobNode)]
    own = [job for job in jobs if not job.base.caching.is_created_from_cache]
    clean = clean and node.description.startswith(DESCRIPTION)
    kept = clean_folders(own) if clean else 0
    core_seconds = sum(core_seconds_of(job) for job in own)
    record = {'core_seconds': core_seconds, 'cleaned': clean and not kept}
    node.base.extras.set(HARVEST, record)
    return record


def core_seconds_of(job: CalcJobNode) -> float:
    """Return what a job took by the report of its engine: cores times wall time; 0 if it reports none."""
    try:
        results = job.outputs.output_parameters.get_dict()
    except NotExistentAttributeError:
        return 0.0
    if 'core_seconds' in results:
        return float(results['core_seconds'])
    return float(results.get('wall_time_seconds') or 0.0) * _cores(job.get_option('resources') or {})


def _cores(resources: dict[str, Any]) -> int:
    for name in ('tot_num_mpiprocs', 'num_cpus'):
        if name in resources:
            return int(resources[name])
    return int(resources.get('num_machines', 1)) * int(resources.get('num_mpiprocs_per_machine', 1))


def clean_folders(jobs: Iterable[CalcJobNode]) -> int:
    """Remove the work folders of jobs; return how many were kept because a process that runs has them as input."""
    needed, kept = paths_in_use(), 0
    for job in jobs:
        folder = _folder_of(job)
        if folder is None or folder.is_cleaned:
            continue
        if folder.get_remote_path() in needed:
            kept += 1
            continue
        try:
            remove_work_folder(folder)
        except OSError as exception:
            job.logger.warning(f'the work folder was not removed: {exception}')
            kept += 1
    return kept


def _folder_of(job: CalcJobNode) -> RemoteData | None:
    link = job.base.links.get_outgoing(node_class=RemoteData, link_label_filter='remote_folder').first()
    return link.node if link is not None else None


def paths_in_use() -> set[str]:
    """Return the folders that are inputs of processes that have not ended."""
    query = QueryBuilder().append(RemoteData, tag='folder', project='attributes.remote_path')
    active = {
        'or': [{'attributes.process_state': {'!in': ENDED_STATES}}, {'attributes': {'!has_key': 'process_state'}}]
    }
    query.append(ProcessNode, with_incoming='folder', filters=active)
    return set(query.all(flat=True))
