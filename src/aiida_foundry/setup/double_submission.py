"""A job that is submitted twice runs once.

A worker that dies after it has handed a job to the scheduler and before it has stored the number of the job hands it in
again when the process is taken up: two jobs then run in one folder, at the same time, and spoil each other's files. The
texts below go to the beginning and the end of each job. The second job waits for the first, whose result is then there,
and ends without running anything; it runs if the first was killed before its end. AiiDA follows the second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiida.orm import Computer

PREPEND_TEXT = """\
# If this job was submitted twice, the second one waits here for the first and then has nothing to do.
if command -v flock > /dev/null && exec 9> .foundry_lock; then flock 9; fi
if [ -e .foundry_done ]; then exit 0; fi
"""
"""For bash. The lock is that of the kernel on an open file: it ends with the last process of the job. Where there is no
``flock``, or the file system knows no locks, the second job does not wait, except by `SLURM_TEXT`."""

APPEND_TEXT = """\
foundry_status=$?; : > .foundry_done; (exit $foundry_status)
"""
"""Says that the job ran to its end, whatever came of it; keeps the exit status of the script."""

SLURM_TEXT = '#SBATCH --dependency=singleton\n'
"""Slurm starts a job only when no earlier one of the same name and user is left: the second one then waits in the queue
instead of on a node. AiiDA names a job by the PK of its process. Slurm ignores the line below ``export`` lines, which
the option ``environment_variables`` of a job makes; there the lock remains."""


def guard_computer(computer: Computer) -> bool:
    """Let the jobs of a computer begin and end with the texts above; return whether that is new.

    On a cluster other than Slurm's the folder of a job must be on a file system whose locks hold across nodes, which
    those of NFS 4, Lustre mounted with ``flock`` and GPFS do.
    """
    before, after = computer.get_prepend_text(), computer.get_append_text()
    if PREPEND_TEXT in before and APPEND_TEXT in after:
        return False
    first = SLURM_TEXT if computer.scheduler_type == 'core.slurm' else ''
    computer.set_prepend_text(first + _joined(before, PREPEND_TEXT))
    computer.set_append_text(_joined(after, APPEND_TEXT))
    return True


def _joined(theirs: str, ours: str) -> str:
    return f'{theirs.rstrip()}\n{ours}' if theirs.strip() else ours
