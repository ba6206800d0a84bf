"""Remove the work folders of what a WorkChain ran."""

from __future__ import annotations

from aiida.orm import CalcJobNode, ProcessNode


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
                node.outputs.remote_folder._clean()
            except (OSError, KeyError):
                continue
            cleaned.append(node.pk)
    return cleaned
