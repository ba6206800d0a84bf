"""One case of ``campaign.py``, in a process of its own: AiiDA reads ``AIIDA_PATH`` once per process.

Prints one line of JSON. Not to be started by hand.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import psutil
from overhead_case import LATTICE_PARAMETER, Cpu, wait

FAMILY = 'PseudoDojo/0.4/PBE/SR/standard/upf'
ENGINE_CPU = re.compile(r'PWSCF\s*:\s*(?:(?P<m>\d+)m\s*)?(?P<s>[\d.]+)s CPU')


def prepare(variant: str) -> str:
    """Load or make the profile of a case: ``plain``, ``ours``, or the name of one that exists; return the code."""
    from aiida import load_profile, orm

    from aiida_foundry.setup.codes import ensure_codes
    from aiida_foundry.setup.computer import ensure_computer
    from aiida_foundry.setup.profile import ensure_profile
    from aiida_foundry.setup.pseudos import ensure_family

    if variant == 'plain':
        subprocess.run(['verdi', 'presto', '--use-zeromq', '--non-interactive'], check=True, capture_output=True)
        load_profile('presto')
        path = str(shutil.which('pw.x'))
        computer = orm.load_computer('localhost')
        orm.InstalledCode(computer, path, label='pw', default_calc_job_plugin='quantumespresso.pw').store()
    elif variant == 'ours':
        ensure_profile()
        ensure_codes(ensure_computer())
    else:
        load_profile(variant)
        ensure_codes(ensure_computer())
    ensure_family(FAMILY, sources=['wheel'])
    return 'pw@localhost'


def make_structures(number: int) -> list[Any]:
    """Silicon at lattice constants that all differ, also from those that the profile has."""
    from aiida import orm

    structures, first = [], orm.QueryBuilder().append(orm.StructureData).count()
    for index in range(first, first + number):
        half = LATTICE_PARAMETER * (1 + 1e-5 * index) / 2
        structure = orm.StructureData(cell=[[0, half, half], [half, 0, half], [half, half, 0]])
        structure.append_atom(position=(0, 0, 0), symbols='Si')
        structure.append_atom(position=(half / 2,) * 3, symbols='Si')
        structures.append(structure.store())
    return structures


def plan_of(name: str, code: str, variant: str, long: bool, running: int) -> Any:
    """Return the campaign: an scf of pw.x, of about a second, or of about half a minute."""
    from aiida_foundry.screening.campaign_file import check_campaign

    options: dict[str, Any] = {'withmpi': False, 'resources': {'num_machines': 1, 'num_mpiprocs_per_machine': 1}}
    if variant != 'plain':
        options['parser_name'] = 'foundry.pw'
    cutoff, distance = (60.0, 0.14) if long else (20.0, 0.5)
    parameters = {'SYSTEM': {'ecutwfc': cutoff, 'ecutrho': 4 * cutoff}}
    pw = {'parameters': parameters, 'metadata': {'options': options}}
    return check_campaign(
        {
            'name': name,
            'workflow': 'quantumespresso.pw.base',
            'structures': {'group': name},
            'codes': {'code': code},
            'protocol': 'fast',
            'arguments': {'electronic_type': 'insulator'},
            'overrides': {'pseudo_family': FAMILY, 'kpoints_distance': distance, 'pw': pw},
            'limits': {'running': running},
            'clean': 'never',
        }
    )


def run_loop(plan: Any, structures: Sequence[Any]) -> list[Any]:
    """Submit everything at once, as a script without a campaign does."""
    from aiida.engine import submit

    from aiida_foundry.screening.builders import build

    nodes = [submit(build(plan, structure)) for structure in structures]
    wait(nodes, timeout=3600)
    return nodes


def run_campaign(plan: Any) -> list[Any]:
    """Drive a campaign to its end."""
    from aiida.orm import load_node

    from aiida_foundry.screening.campaign import create_campaign
    from aiida_foundry.screening.driver import Driver
    from aiida_foundry.screening.jobs import read_jobs
    from aiida_foundry.screening.launchers import DaemonLauncher

    campaign, _ = create_campaign(plan)
    summary = list(Driver(campaign, DaemonLauncher()).run())[-1]
    assert summary.outcome == 'finished', summary
    return [load_node(job.last.pk) for job in read_jobs(campaign, plan.retry) if job.last]


def engine_cpu(node: Any) -> float:
    """CPU seconds that pw.x reports."""
    from aiida.orm import CalcJobNode

    seconds = 0.0
    for job in (child for child in node.called if isinstance(child, CalcJobNode)):
        found = ENGINE_CPU.search(job.outputs.retrieved.get_object_content('aiida.out'))
        assert found is not None, job.pk
        seconds += 60 * int(found['m'] or 0) + float(found['s'])
    return seconds


def main(variant: str, how: str, workers: int, number: int, long: bool) -> None:
    """Run one case: ``how`` is ``loop`` or ``campaign``."""
    from aiida.engine.daemon.client import get_daemon_client
    from aiida.orm import Group

    code = prepare(variant)
    structures = make_structures(number + 2 * workers)
    name = f'bench-{structures[0].pk}'
    Group(name).store().add_nodes(structures[2 * workers :])
    plan = plan_of(name, code, variant, long, running=(os.cpu_count() or 1) if long else 10 * workers)
    client, before = get_daemon_client(), sum(psutil.Process().cpu_times()[:4])
    client.start_daemon(number_workers=workers, timeout=120)
    try:
        run_loop(plan_of('warm', code, variant, False, 10), structures[: 2 * workers])  # the workers import everything
        cpu, start = Cpu([psutil.Process(), psutil.Process(client.get_daemon_pid())]), time.time()
        started = cpu.start - before
        nodes = run_loop(plan, structures[2 * workers :]) if how == 'loop' else run_campaign(plan)
        spent = cpu.spent()
    finally:
        client.stop_daemon(wait=True, timeout=120)
    assert len(nodes) == number
    assert all(node.is_finished_ok for node in nodes), [node.exit_message for node in nodes]
    end = max(node.mtime.timestamp() for node in nodes)
    result = {'wall': end - start, 'cpu': spent, 'start': started}
    result['engine_cpu'] = sum(engine_cpu(node) for node in nodes)
    result['memory_mb'] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(result))


if __name__ == '__main__':
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5] == 'long')
