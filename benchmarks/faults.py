"""Kill -9 at random moments: does a campaign still give what an undisturbed one gives?

The driver of a campaign (blocking, or with the daemon), a worker of the daemon, or an engine is killed; whatever was
killed is started again, until the campaign has finished, and then the next campaign begins. The seed fixes the moments.
Most campaigns run a workflow of two jobs of half a second whose engine is a shell script (``toy``), the last two pw.x.

lost: structures without a result. duplicated: structures with two. wrong: results that differ from those of an
undisturbed run. recomputed: jobs that succeeded although an equal one had.
repeated: an engine that ran to its end twice in one folder. unexplained: processes that never end, excepted, or were
killed by nobody. Last line: JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

CASE = Path(__file__).with_name('faults_case.py')
TOY = Path(__file__).parents[1] / 'tests' / 'screening' / 'toy_workflow.py'
KINDS = {
    'driver': ('driver', 'blocking', 'toy', 35),
    'driver-daemon': ('driver', 'daemon', 'toy', 25),
    'worker': ('worker', 'daemon', 'toy', 20),
    'engine': ('engine', 'blocking', 'toy', 30),
    'driver-pw': ('driver', 'blocking', 'pw', 6),
    'engine-pw': ('engine', 'blocking', 'pw', 6),
}
QUICK = {'driver': 4, 'worker': 1, 'engine': 3}
COLUMNS = ('trials', 'campaigns', 'lost', 'duplicated', 'wrong', 'unexplained', 'recomputed', 'repeated in a folder')
FAULTS = ('lost', 'duplicated', 'wrong', 'unexplained', 'repeated in a folder')


def run(kind: str, trials: int, seed: int) -> dict[str, Any]:
    """Run one kind of fault with an AiiDA folder of its own, in which the toy workflow is installed."""
    victim, mode, engine, _ = KINDS[kind]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        info = home / 'plugins' / 'toy-0.dist-info'
        info.mkdir(parents=True)
        (info / 'METADATA').write_text('Metadata-Version: 2.1\nName: toy\nVersion: 0\n')
        (info / 'entry_points.txt').write_text('[aiida.workflows]\ntoy.sums = toy_workflow:ToySumsWorkChain\n')
        shutil.copy(TOY, info.parent)
        path = str(info.parent)
        search = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
        environment = os.environ | {'AIIDA_PATH': folder, 'PYTHONPATH': path, 'OMP_NUM_THREADS': '1', 'PATH': search}
        command = [sys.executable, str(CASE), victim, mode, engine, str(trials), str(seed)]
        process = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if process.returncode:
        sys.exit(f'{kind} failed: {process.stdout}')
    report: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--quick', action='store_true', help='a few kills of three kinds')
    parser.add_argument('--kinds', nargs='+', choices=KINDS, help='only these')
    parser.add_argument('--trials', type=int, help='kills of each kind')
    parser.add_argument('--seed', type=int, default=1, help='of the moments (default: 1)')
    arguments = parser.parse_args()
    plan = dict(QUICK) if arguments.quick else {kind: KINDS[kind][-1] for kind in KINDS}
    if arguments.kinds:
        plan = {kind: plan.get(kind, KINDS[kind][-1]) for kind in arguments.kinds}
    total = 0
    print(f'{"kind":15}' + ''.join(f'{column.replace(" in a folder", ""):>13}' for column in COLUMNS), flush=True)
    faults = 0
    for kind, trials in plan.items():
        report = run(kind, arguments.trials or trials, arguments.seed)
        print(f'{kind:15}' + ''.join(f'{report.get(column, 0):>13}' for column in COLUMNS), flush=True)
        for note in report['notes']:
            print(f'  {note}')
        total += report['trials']
        faults += sum(report.get(column, 0) for column in FAULTS)
    print(json.dumps({'name': 'faults', 'ratio': faults / total, 'target': 0, 'holds': not faults, 'trials': total}))


if __name__ == '__main__':
    main()
