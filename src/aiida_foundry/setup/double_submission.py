"""A job that is submitted twice runs once.

A worker that dies after it has handed a job to the scheduler and before it has stored the number of the job hands it in
again when the process is taken up: two jobs then run in one folder, at the same time, and spoil each other's files. The
text below goes to the beginning of each job. The second job waits for the first, whose result is then there, and ends
without running anything; it runs if the first was killed before its end. AiiDA follows the second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiida.orm import Computer

PREPEND_TEXT = """\
# If this job was submitted twice, the second one waits here for the first and then has nothing to do.
if command -v flock > /dev/null && exec 9> .foundry_lock && flock 9; then
  if [ -e .foundry_done ]; then exit 0; fi
  trap ': > .foundry_done' EXIT
fi
"""
"""For bash. The lock is that of the kernel on an open file: it ends with the last process of the job. Where there is no
``flock``, or the file system knows no locks, the job runs unguarded."""


def guard_computer(computer: Computer) -> bool:
    """Let the jobs of a computer begin with `PREPEND_TEXT`; return whether that is new.

    On a cluster the folder of a job must be on a file system whose locks hold across nodes, which those of NFS 4,
    Lustre mounted with ``flock`` and GPFS do.
    """
    text = computer.get_prepend_text()
    if PREPEND_TEXT in text:
        return False
    computer.set_prepend_text(f'{text.rstrip()}\n{PREPEND_TEXT}' if text.strip() else PREPEND_TEXT)
    return True
