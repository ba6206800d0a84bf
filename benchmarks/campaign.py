"""What a campaign costs beside a bare loop of ``submit`` in plain AiiDA.

Silicon at many lattice constants (pw.x, 20 Ry) runs through ``PwBaseWorkChain``: submitted in a loop in a profile as
``verdi presto`` makes it, and by the driver of a campaign in the profile of setup, with the daemon, one and two
workers. The last case has calculations of half a minute. ``--profile NAME`` adds a campaign in a profile that exists,
such as one with PostgreSQL and RabbitMQ.

cpu is that of the driver, the daemon and what they wait for, per material, without pw.x; share is the part of all CPU
time that pw.x has. The ratio is the CPU time per material of the campaign over that of the loop. Last line: JSON.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from overhead import environment

CASE = Path(__file__).with_name('campaign_case.py')
TARGET = 1.0
SHARE = 0.9


def run_case(variant: str, how: str, workers: int, number: int, length: str = 'short') -> dict[str, Any]:
    """Run one case in a process of its own, and in an AiiDA folder of its own unless the profile exists."""
    command = [sys.executable, str(CASE), variant, how, str(workers), str(number), length]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        env = environment(Path(folder)) if variant in {'plain', 'ours'} else None
        process = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if process.returncode:
        sys.exit(f'{variant} {how} failed:\n{process.stderr[-4000:]}')
    case: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    case |= {'number': number, 'cpu': case['cpu'] / number}
    engine = case['engine_cpu'] / number
    case['share'] = engine / (engine + case['cpu'])
    columns = (f'{3600 * number / case["wall"]:>10.0f}', f'{engine:>9.2f}', f'{case["cpu"]:>9.2f}')
    name = f'{how}, {variant} profile, {workers} workers, {length}'
    print(f'{name:46}{number:>5}', *columns, f'{case["share"]:>8.3f}{case["memory_mb"]:>10.0f}', flush=True)
    return case


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--quick', action='store_true', help='few calculations, two cases')
    parser.add_argument('--number', type=int, default=200, help='calculations per case (default: 200)')
    parser.add_argument('--profile', help='also a campaign in this profile, whose code is pw@localhost')
    arguments = parser.parse_args()
    print(f'{"":46}{"n":>5}   per hour  pw.x s    cpu s   share   driver MB')
    number = 4 if arguments.quick else arguments.number
    loop = run_case('plain', 'loop', 2, number)
    two = run_case('ours', 'campaign', 2, number)
    summary: dict[str, Any] = {'name': 'campaign', 'ratio': round(two['cpu'] / loop['cpu'], 3), 'target': TARGET}
    summary['holds'] = summary['ratio'] <= TARGET
    if arguments.profile:
        run_case(arguments.profile, 'campaign', 2, number)
    if not arguments.quick:
        run_case('ours', 'campaign', 1, number)
        long = run_case('ours', 'campaign', 2, 6, 'long')
        summary |= {'engine_share': round(long['share'], 3), 'seconds': round(long['engine_cpu'] / 6, 1)}
        summary['holds'] = summary['holds'] and long['share'] >= SHARE
    print(json.dumps(summary))


if __name__ == '__main__':
    main()
