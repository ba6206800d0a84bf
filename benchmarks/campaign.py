"""What a campaign costs beside a bare loop of ``submit`` in plain AiiDA.

Silicon at many lattice constants (pw.x, 20 Ry) runs through ``PwBaseWorkChain``: by the driver of a campaign in the
profile of setup, with the daemon, one and two workers, and submitted in a loop in a profile as ``verdi presto`` makes.
The long case has calculations of half a minute, as many at once as there are cores. ``--stack`` adds a campaign in a
profile with PostgreSQL and RabbitMQ, on the services of ``tests/stack``, ``--profile NAME`` one in a profile there is.

cpu is that of the driver, the daemon and what they wait for, per material, without pw.x; share is the part of all CPU
time that pw.x has. start is what they take, in all, until the workers have imported everything and run two calculations
each; it is in none of the other columns. The ratio is the CPU time per material of the campaign over that of the loop.
Last line: JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from overhead import environment
from stack_profile import PROFILE, stack_environment

CASE = Path(__file__).with_name('campaign_case.py')
TARGET = 1.0
SHARE = 0.9


def run_case(
    variant: str, how: str, workers: int, number: int, length: str = 'short', variables: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Run one case in a process of its own, and in an AiiDA folder of its own unless variables lead to one."""
    command = [sys.executable, str(CASE), variant, how, str(workers), str(number), length]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        env = variables or environment(Path(folder))
        process = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if process.returncode:
        sys.exit(f'{variant} {how} failed:\n{process.stderr[-4000:]}')
    case: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    case |= {'number': number, 'cpu': case['cpu'] / number}
    engine = case['engine_cpu'] / number
    case['share'] = engine / (engine + case['cpu'])
    columns = (f'{3600 * number / case["wall"]:>10.0f}', f'{engine:>9.2f}', f'{case["cpu"]:>9.2f}')
    last = (f'{case["share"]:>8.3f}', f'{case["start"]:>8.1f}', f'{case["memory_mb"]:>11.0f}')
    name = f'{how}, {variant} profile, {workers} worker{"s"[: workers - 1]}, {length}'
    print(f'{name:46}{number:>5}', *columns, *last, flush=True)
    return case


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--quick', action='store_true', help='few calculations, two cases')
    parser.add_argument('--number', type=int, default=200, help='short calculations per case (default: 200)')
    parser.add_argument('--long', type=int, default=12, help='long calculations (default: 12)')
    parser.add_argument('--stack', action='store_true', help='also a campaign with PostgreSQL and RabbitMQ')
    parser.add_argument('--profile', help='also a campaign in this profile; it gets a computer, codes and results')
    arguments = parser.parse_args()
    print(f'{"":46}{"n":>5}   per hour  pw.x s    cpu s    share  start s   driver MB', flush=True)
    number = 4 if arguments.quick else arguments.number
    two = run_case('ours', 'campaign', 2, number)
    loop = run_case('plain', 'loop', 2, number)
    summary: dict[str, Any] = {'name': 'campaign', 'ratio': round(two['cpu'] / loop['cpu'], 3), 'target': TARGET}
    summary['holds'] = summary['ratio'] <= TARGET
    if not arguments.quick:
        long = run_case('ours', 'campaign', 2, arguments.long, 'long')
        summary |= {'engine_share': round(long['share'], 3), 'seconds': round(long['engine_cpu'] / arguments.long, 1)}
        summary['holds'] = summary['holds'] and long['share'] >= SHARE
    if arguments.stack:
        with stack_environment() as variables:
            run_case(PROFILE, 'campaign', 2, number, variables=variables)
    if arguments.profile:
        home = os.environ.get('AIIDA_PATH', str(Path.home()))
        run_case(arguments.profile, 'campaign', 2, number, variables=environment(Path(home)))
    if not arguments.quick:
        run_case('ours', 'campaign', 1, number)
    print(json.dumps(summary))


if __name__ == '__main__':
    main()
