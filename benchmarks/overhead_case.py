"""One case of ``overhead.py``, in a process of its own: AiiDA reads ``AIIDA_PATH`` once per process.

Prints one line of JSON. Not to be started by hand.
"""

from __future__ import annotations

import cProfile
import json
import pstats
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from aiida import orm
    from aiida.engine import ProcessBuilder

PSEUDO = Path('/usr/share/espresso/pseudo/Si.pz-vbc.UPF')  # Debian package quantum-espresso-data
LATTICE_PARAMETER = 5.43  # Å


def prepare_plain() -> orm.InstalledCode:
    """Profile, computer and code as a user of plain AiiDA gets them."""
    subprocess.run(['verdi', 'presto', '--use-zeromq', '--non-interactive'], check=True, capture_output=True)
    from aiida import load_profile, orm

    load_profile('presto')
    computer = orm.load_computer('localhost')
    path = str(shutil.which('pw.x'))
    return orm.InstalledCode(computer, path, label='pw', default_calc_job_plugin='quantumespresso.pw').store()


def prepare_ours() -> orm.InstalledCode:
    """Profile, computer and code as ``aiida-foundry setup`` makes them."""
    from aiida_foundry.setup.codes import ensure_codes
    from aiida_foundry.setup.computer import ensure_computer
    from aiida_foundry.setup.profile import ensure_profile

    ensure_profile()
    return ensure_codes(ensure_computer())['pw']


def make_inputs(code: orm.InstalledCode) -> dict[str, Any]:
    """Nodes that all calculations share."""
    from aiida import orm
    from aiida_pseudo.data.pseudo.upf import UpfData

    half = LATTICE_PARAMETER / 2
    structure = orm.StructureData(cell=[[0, half, half], [half, 0, half], [half, half, 0]])
    structure.append_atom(position=(0, 0, 0), symbols='Si')
    structure.append_atom(position=(half / 2,) * 3, symbols='Si')
    kpoints = orm.KpointsData()
    kpoints.set_kpoints_mesh([4, 4, 4])
    pseudo = UpfData(PSEUDO)
    return {
        'code': code,
        'structure': structure.store(),
        'kpoints': kpoints.store(),
        'pseudos': {'Si': pseudo.store()},
    }


def make_builder(inputs: dict[str, Any], variant: str) -> ProcessBuilder:
    """A base work chain; ``variant`` is ``typed`` (no occupations given), ``plain`` or ``ours``."""
    from aiida import orm
    from aiida.plugins import WorkflowFactory

    parameters: dict[str, dict[str, Any]] = {
        'CONTROL': {'calculation': 'scf'},
        'SYSTEM': {'ecutwfc': 20.0, 'ecutrho': 80.0},
        'ELECTRONS': {'conv_thr': 1e-8},
    }
    if variant != 'typed':
        parameters['SYSTEM']['occupations'] = 'fixed'
    options: dict[str, Any] = {'resources': {'num_machines': 1, 'num_mpiprocs_per_machine': 1}}
    if variant == 'ours':
        options |= {'withmpi': False, 'parser_name': 'foundry.pw'}
    builder = WorkflowFactory('quantumespresso.pw.base').get_builder()
    builder.kpoints = inputs['kpoints']
    builder.pw.code, builder.pw.structure, builder.pw.pseudos = (
        inputs[name] for name in ('code', 'structure', 'pseudos')
    )
    builder.pw.parameters = orm.Dict(parameters)
    builder.pw.metadata.options = options
    builder.pw.metadata.disable_cache = True  # setup enables the cache: each run shall be one
    return builder


class Cpu:
    """CPU seconds of a tree of processes: what lives, and the children that each of them has waited for."""

    def __init__(self, roots: list[psutil.Process]) -> None:
        self.processes = roots + [child for root in roots for child in root.children(recursive=True)]
        self.start = self._total()

    def _total(self) -> float:
        alive = (process for process in self.processes if process.is_running())
        return sum(sum(process.cpu_times()[:4]) for process in alive)

    def spent(self) -> float:
        """Seconds since the start."""
        return self._total() - self.start


def run_blocking(inputs: dict[str, Any], variant: str, number: int) -> dict[str, Any]:
    """Run the calculations one after the other in this interpreter, after one that warms it up."""
    from aiida.engine import run_get_node

    run_get_node(make_builder(inputs, variant))
    cpu, start = Cpu([psutil.Process()]), time.time()
    nodes = [run_get_node(make_builder(inputs, variant)).node for _ in range(number)]
    return {'wall': time.time() - start, 'cpu': cpu.spent(), **check(nodes)}


def run_profiled(inputs: dict[str, Any], number: int) -> dict[str, Any]:
    """Profile calculations in this interpreter: milliseconds per calculation by package, and of the longest functions.

    The time that the loop waits for pw.x is left out; the profiler itself slows the rest down by about 1.8.
    """
    from aiida.engine import run_get_node

    run_get_node(make_builder(inputs, 'ours'))
    profiler = cProfile.Profile()
    profiler.enable()
    for _ in range(number):
        run_get_node(make_builder(inputs, 'ours'))
    profiler.disable()
    stats = pstats.Stats(profiler).stats  # type: ignore[attr-defined]
    packages: Counter[str] = Counter()
    for (path, _, name), (_, _, own, _, _) in stats.items():
        if 'poll' not in name:
            packages[package_of(path)] += own
    total = sum(packages.values())
    lines = [f'{own / number * 1e3:8.1f} ms {own / total:6.1%}  {name}' for name, own in packages.most_common(12)]
    lines.append('of these, functions with all that they call:')
    calls = {
        key: value[3] for key, value in stats.items() if package_of(key[0]) in {'aiida', 'plumpy', 'aiida_foundry'}
    }
    for (path, line, name), seconds in sorted(calls.items(), key=lambda item: -item[1])[:60]:
        lines.append(f'{seconds / number * 1e3:8.1f} ms {seconds / total:6.1%}  {Path(path).name}:{line} {name}')
    return {'profile': '\n'.join(lines)}


def package_of(path: str) -> str:
    """Name of the package that a file belongs to."""
    if 'site-packages' in path:
        return path.partition('site-packages/')[2].split('/')[0]
    if path.startswith('~'):
        return 'built-in functions, SQLite among them'
    return 'aiida_foundry' if 'aiida_foundry' in path else 'standard library'


def run_daemon(inputs: dict[str, Any], variant: str, number: int, workers: int) -> dict[str, Any]:
    """Submit the calculations to a daemon, after a few that warm its workers up."""
    from aiida.engine import submit
    from aiida.engine.daemon.client import get_daemon_client

    client = get_daemon_client()
    client.start_daemon(number_workers=workers, timeout=120)
    try:
        wait([submit(make_builder(inputs, variant)) for _ in range(2 * workers)])
        cpu, start = Cpu([psutil.Process(), psutil.Process(client.get_daemon_pid())]), time.time()
        nodes = [submit(make_builder(inputs, variant)) for _ in range(number)]
        submitted = time.time() - start
        wait(nodes)
        spent = cpu.spent()
    finally:
        client.stop_daemon(wait=True, timeout=120)
    end = max(node.mtime.timestamp() for node in nodes)
    return {'wall': end - start, 'submit': submitted, 'cpu': spent, **check(nodes)}


def wait(nodes: list[orm.ProcessNode], timeout: float = 900) -> None:
    """Wait until all have ended, looking seldom: it is one query per look."""
    from aiida import orm

    end = time.time() + timeout
    states = ['finished', 'excepted', 'killed']
    query = orm.QueryBuilder().append(
        orm.ProcessNode,
        filters={'id': {'in': [node.pk for node in nodes]}, 'attributes.process_state': {'in': states}},
    )
    while query.count() < len(nodes):
        if time.time() > end:
            raise TimeoutError(f'{query.count()} of {len(nodes)} calculations ended in {timeout} s')
        time.sleep(0.5)


def check(nodes: list[orm.ProcessNode]) -> dict[str, Any]:
    """All must have succeeded; return what a user would compare, and what else they left."""
    from aiida import orm

    failed = [(node.pk, node.process_state, node.exit_message) for node in nodes if not node.is_finished_ok]
    assert not failed, failed
    calculations = [calculation for node in nodes for calculation in node.called_descendants]
    runs = [node for node in calculations if isinstance(node, orm.CalcJobNode)]
    return {
        'runs': len(runs) / len(nodes),
        'energies': sorted({node.outputs.output_parameters['energy'] for node in nodes}),
        'engine': sum(run.outputs.output_parameters['wall_time_seconds'] for run in runs),
    }


def main(variant: str, mode: str, number: int) -> None:
    """Run one case: ``mode`` is ``blocking``, ``profile`` or a number of workers."""
    inputs = make_inputs(prepare_ours() if variant == 'ours' else prepare_plain())
    if mode == 'profile':
        result = run_profiled(inputs, number)
    elif mode == 'blocking':
        result = run_blocking(inputs, variant, number)
    else:
        result = run_daemon(inputs, variant, number, int(mode))
    print(json.dumps(result))


if __name__ == '__main__':
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
