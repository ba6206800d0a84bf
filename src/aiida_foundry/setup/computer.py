"""The computer that runs the engines: the local one, made where it is missing, or any that AiiDA knows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from aiida_foundry.common.errors import InputError
from aiida_foundry.setup.double_submission import guard_computer
from aiida_foundry.setup.reporting import Report, silent

if TYPE_CHECKING:
    from aiida.orm import Computer

LOCALHOST = 'localhost'

# Seconds between looks at the job list, which `foundry.direct` ends with the first job. AiiDA's default for a local
# computer; `verdi presto` sets 1 s, half of which every job then waits on average. Not 0: jobs that end together share
# a look.
POLL_INTERVAL = 0.1

SCHEDULER = 'foundry.direct'
DESCRIPTION = 'This machine, made by `aiida-foundry setup`'

# One thread per rank unless the user says otherwise: several jobs share the machine, and the direct scheduler counts
# no cores. Open MPI starts a daemon beside an engine that runs without `mpirun`, unless told that it stays alone: that
# is 0.2 s for each job, and on a full disk a process that spins and grows for ever.
PREPEND_TEXT = """\
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
export OMPI_MCA_ess_singleton_isolated="${OMPI_MCA_ess_singleton_isolated:-1}"
"""

# Open MPI refuses `mpirun` to root, as which containers run. Other implementations ignore the variables, where they
# would refuse its option `--allow-run-as-root`.
PREPEND_TEXT_ROOT = 'export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1\n'


def ensure_computer(label: str = LOCALHOST, report: Report = silent) -> Computer:
    """Find the computer in the loaded profile; make the local one where it is missing.

    The local one runs jobs directly, below AiiDA's own folder. A computer that is there is not changed, except that
    the jobs of one with a scheduler get the guard against double submission, and that one which an earlier release made
    gets the scheduler ``foundry.direct`` for ``core.direct``.

    Args:
        label: ``localhost``, or the label of a computer that AiiDA knows, remote included.
        report: is told what was done.

    Raises:
        InputError: if there is no such computer, or it is not configured for the user of the profile.
    """
    from aiida.common.exceptions import NotExistent
    from aiida.orm import load_computer

    try:
        computer = load_computer(label)
    except NotExistent as exception:
        if label != LOCALHOST:
            raise InputError(
                f'computer `{label}`',
                'AiiDA does not know it in this profile',
                'Make it with `verdi computer setup` and `verdi computer configure`, or use --computer localhost',
            ) from exception
        computer = _create_localhost()
        report('created', f'computer `{label}` (work folder {computer.get_workdir()})')
        return computer
    if not computer.is_configured:
        remedy = f'Run `verdi computer configure {computer.transport_type} {label}`'
        raise InputError(f'computer `{label}`', 'it is not configured for the user of this profile', remedy)
    if (computer.transport_type, computer.scheduler_type) == ('core.local', 'core.direct'):
        _save_polling(computer, report)
    if computer.scheduler_type != 'core.direct' and guard_computer(computer):
        report('changed', f'jobs of computer `{label}` that are submitted twice run once (its prepend and append text)')
    report('kept', f'computer `{label}` ({computer.hostname}, {computer.scheduler_type})')
    return computer


def _save_polling(computer: Computer, report: Report) -> None:
    """Give a computer that setup made the scheduler that costs nothing while jobs run; say of another what it costs."""
    if computer.description == DESCRIPTION:
        computer.scheduler_type = SCHEDULER
        report('changed', f'computer `{computer.label}`: scheduler `{SCHEDULER}`, which waits cheaply for its jobs')
        return
    share = f'workers that wait for its jobs run `ps` every {computer.get_minimum_job_poll_interval():g} s'
    remedy = f'`verdi computer duplicate {computer.label}` with scheduler `{SCHEDULER}` makes one without'
    report('note', f'computer `{computer.label}`: {share}; {remedy}')


def _create_localhost() -> Computer:
    """Store and configure the local computer."""
    from aiida.manage import get_manager
    from aiida.manage.configuration import get_config
    from aiida.orm import Computer

    computer = Computer(
        label=LOCALHOST,
        hostname='localhost',
        description=DESCRIPTION,
        transport_type='core.local',
        scheduler_type=SCHEDULER,
        workdir=str(Path(get_config().dirpath) / 'scratch' / get_manager().get_profile().name),
    ).store()
    computer.set_minimum_job_poll_interval(POLL_INTERVAL)
    computer.set_default_mpiprocs_per_machine(1)
    computer.set_prepend_text(PREPEND_TEXT + (PREPEND_TEXT_ROOT if os.geteuid() == 0 else ''))
    guard_computer(computer)
    # No login shell: it reads the user's profile (0.1 s and more) at every command, and codes have absolute paths.
    computer.configure(safe_interval=0, use_login_shell=False)
    return computer
