"""Remove the work folders of what a WorkChain ran."""

from __future__ import annotations

from typing import Any

from aiida.orm import Bool, CalcJobNode, ProcessNode, QueryBuilder, RemoteData


class CleanWorkdirMixin:
    """WorkChain with the input `clean_workdir`; stands before `WorkChain` among the bases."""

    inputs: Any
    node: Any
    report: Any

    @staticmethod
    def define_clean_workdir(spec: Any) -> None:
        """Define the input."""
        spec.input(
            'clean_workdir', valid_type=Bool, default=lambda: Bool(False), help='Remove work folders at the end.'
        )

    def on_terminated(self) -> None:
        """Clean the work folders if asked to."""
        super().on_terminated()  # type: ignore[misc]
        if self.inputs.clean_workdir.value:
            cleaned = clean_work_folders(self.node)
            self.report(f'cleaned the work folders of the calculations {cleaned}')


def clean_work_folders(process: ProcessNode) -> list[int]:
    """Clean the remote folders of all calculations below a process.

    Args:
        process: the process whose descendants are cleaned.

    Returns:
        The PKs of the calculations whose folder was removed.
    """
    cleaned = []
    for node in process.called_descendants:
        if isinstance(node, CalcJobNode) and 'remote_folder' in node.outputs:
            try:
                remove_work_folder(node.outputs.remote_folder)
            except (OSError, KeyError):
                continue
            cleaned.append(node.pk)
    return cleaned


def remove_work_folder(folder: RemoteData) -> None:
    """Remove a work folder; the results of its jobs are no longer taken from the cache.

    A successor of a cached job would look for files that are gone. The jobs are the one that ran there and those that
    took its results from the cache. They are marked before the folder goes, so that no process can take one in between.
    """
    query = QueryBuilder().append(CalcJobNode, tag='job', project='*')
    query.append(RemoteData, with_incoming='job', filters={'attributes.remote_path': folder.get_remote_path()})
    for job in query.all(flat=True):
        job.base.caching.is_valid_cache = False
    folder._clean()
