"""One kind of fault of ``faults.py``, in a process of its own: AiiDA reads ``AIIDA_PATH`` once per process.

This process imports aiida and never loads a profile. What does is forked from it, and so can be killed without paying
for the imports again. Prints one line of JSON. Not to be started by hand.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from aiida import load_profile, orm
from ase import Atoms
from ase.io import write

import aiida_foundry.screening.submit  # noqa: F401  (imported before the forks)
from aiida_foundry.screening.campaign import Campaign, create_campaign
from aiida_foundry.screening.campaign_file import CampaignFile, check_campaign
from aiida_foundry.screening.driver import Driver
from aiida_foundry.screening.jobs import read_jobs
from aiida_foundry.screening.launchers import DaemonLauncher, LocalLauncher
from aiida_foundry.screening.recovery import REASON

HOME = Path(os.environ['AIIDA_PATH'])
ENGINE = """#!/bin/bash
echo "start $PWD" >> {ledger}
sum=$(bash -s)
sleep 0.4
echo "$sum"
echo "end $PWD" >> {ledger}
"""
TOY = {'workflow': 'toy.sums', 'codes': {'code': 'toy@localhost'}}
PW = {
    'workflow': 'quantumespresso.pw.base',
    'codes': {'code': 'pw@localhost'},
    'protocol': 'fast',
    'arguments': {'electronic_type': 'insulator'},
    'overrides': {
        'pseudo_family': 'PseudoDojo/0.4/PBE/SR/standard/upf',
        'kpoints_distance': 0.8,
        'pw': {'parameters': {'SYSTEM': {'ecutwfc': 20.0, 'ecutrho': 80.0, 'nbnd': 4}}},
    },
}
SYMBOLS = ('He', 'Ne', 'Ar', 'HeNe')
NAMES = ('Si', 'diamond', 'AlP')
SPAN = {'driver': 0.3, 'worker': 0.2, 'engine': 0.0}  # longest time between kills, of that of a whole campaign


def setup(engine: str) -> None:
    """Make the profile that ``aiida-foundry setup`` makes, with the cache also for the toy's jobs."""
    from aiida_foundry.setup.codes import ensure_codes
    from aiida_foundry.setup.computer import ensure_computer
    from aiida_foundry.setup.profile import ensure_profile
    from aiida_foundry.setup.pseudos import ensure_family

    ensure_profile()
    computer = ensure_computer()
    if engine == 'pw':
        ensure_codes(computer)
        ensure_family(str(PW['overrides']['pseudo_family']), sources=['wheel'])  # type: ignore[index]
        return
    from aiida.manage.configuration import get_config

    config = get_config()
    patterns = ['aiida*foundry.*', 'aiida.calculations:core.arithmetic.add']
    config.set_option('caching.enabled_for', patterns, scope='foundry')
    config.store()
    script = HOME / 'engine.sh'
    script.write_text(ENGINE.format(ledger=HOME / 'ledger'))
    script.chmod(0o755)
    (HOME / 'structures').mkdir()
    for symbol in SYMBOLS:
        atoms = Atoms(symbol, pbc=True, cell=[4, 4, 3 * len(Atoms(symbol))])
        atoms.positions[:, 2] = [3 * index for index in range(len(atoms))]
        write(HOME / 'structures' / f'{symbol}.xyz', atoms, format='extxyz')
    orm.InstalledCode(computer, str(script), label='toy', default_calc_job_plugin='core.arithmetic.add').store()


def plan_of(engine: str, index: int) -> CampaignFile:
    """Return the campaign of this number; each has jobs of its own."""
    content: dict[str, Any] = {'limits': {'running': 3}, 'retry': {'attempts': 99}, 'max_failed_fraction': 1}
    content |= {'name': f'{engine}-{index}'}
    if engine == 'pw':
        overrides = {**PW['overrides'], 'max_iterations': 5 + index}  # type: ignore[dict-item]
        content |= PW | {'overrides': overrides, 'structures': {'names': NAMES}}
    else:
        content |= TOY | {'arguments': {'offset': index, 'jobs': 2}}
        content |= {'structures': {'folder': str(HOME / 'structures'), 'cell': 'as-given'}}
    return check_campaign(content)


def fork(function: Callable[..., Any], *arguments: Any) -> int:
    """Start a function in a child with the profile; what it returns is written to a file of its PID."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    try:
        log = os.open(HOME / 'children.log', os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        if function is not setup:
            load_profile('foundry')
        result = function(*arguments)
        (HOME / f'{os.getpid()}.json').write_text(json.dumps(result))
        os._exit(0)
    except BaseException:
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run a function in a child with the profile and return its result."""
    pid = fork(function, *arguments)
    _, status = os.waitpid(pid, 0)
    if status:
        sys.exit(f'{function.__name__} failed:\n{(HOME / "children.log").read_text()[-5000:]}')
    return json.loads((HOME / f'{pid}.json').read_text())


def create(engine: str, index: int) -> str:
    return create_campaign(plan_of(engine, index))[0].name


def drive(name: str, daemon: bool) -> str:
    """Run a campaign; a file says when the driver has begun."""
    outcome = ''
    driver = Driver(Campaign.load(name), DaemonLauncher() if daemon else LocalLauncher(), interval=0.5)
    (HOME / 'driving').touch()
    for summary in driver.run():
        outcome = summary.outcome
    return outcome


def result_of(node: orm.ProcessNode) -> float:
    outputs = node.outputs
    return float(outputs.sum.value if 'sum' in outputs else outputs.output_parameters['energy'])


def audit(name: str) -> dict[str, Any]:
    """Return the results of a campaign, and what is wrong with it."""
    campaign = Campaign.load(name)
    jobs = read_jobs(campaign, campaign.settings().plan.retry)
    good = {job.name: [attempt for attempt in job.attempts if attempt.has_results] for job in jobs}
    processes = [orm.load_node(attempt.pk) for job in jobs for attempt in job.attempts]
    processes += [child for process in processes for child in process.called_descendants]
    calculations = [node for node in processes if isinstance(node, orm.CalcJobNode) and node.is_finished_ok]
    computed = Counter(
        node.base.caching.compute_hash() for node in calculations if not node.base.caching.is_created_from_cache
    )
    unexplained = [
        f'{node.process_label} {node.pk} {node.process_state} {node.process_status}'
        for node in processes
        if not node.is_terminated or node.is_excepted or (node.is_killed and REASON not in str(node.process_status))
    ]
    return {
        'results': {key: result_of(orm.load_node(attempts[0].pk)) for key, attempts in good.items() if attempts},
        'lost': [key for key, attempts in good.items() if not attempts],
        'duplicated': [key for key, attempts in good.items() if len(attempts) > 1],
        'recomputed': sum(count - 1 for count in computed.values()),
        'unexplained': unexplained,
    }


def ledger_repeats() -> int:
    """Return how often an engine ran to its end in a folder in which one had done so."""
    path = HOME / 'ledger'
    lines = path.read_text().splitlines() if path.is_file() else []
    ends = Counter(line for line in lines if line.startswith('end'))
    return sum(count - 1 for count in ends.values())


def victims(kind: str, driver: int) -> list[psutil.Process]:
    """Return the processes of which one is killed."""
    if kind == 'driver':
        return [psutil.Process(driver)]
    if kind == 'engine':
        return [process for process in psutil.process_iter() if _is_engine(process)]
    supervisor = psutil.Process(int(next(HOME.glob('.aiida/daemon/*.pid')).read_text()))
    return [process for process in supervisor.children(recursive=True) if 'worker' in ' '.join(process.cmdline())]


def _is_engine(process: psutil.Process) -> bool:
    try:
        command = ' '.join(process.cmdline())
        ours = str(HOME) in command or process.cwd().startswith(str(HOME))
        return ours and ('engine.sh' in command or process.name() == 'pw.x') and process.pid != os.getpid()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


class Case:
    """Kills at random moments until enough trials are done, campaign after campaign."""

    def __init__(self, kind: str, mode: str, engine: str, trials: int, seed: int) -> None:
        self.kind, self.daemon, self.engine, self.left = kind, mode == 'daemon', engine, trials
        self.random, self.hits, self.index = random.Random(seed), 0, 0  # noqa: S311
        self.span = 0.0

    def run(self) -> dict[str, Any]:
        """Run campaigns, and count what is wrong with them in the end."""
        found: Counter[str] = Counter()
        notes: list[str] = []
        call(setup, self.engine)
        reference = self._undisturbed()
        if self.daemon:
            subprocess.run(['verdi', '-p', 'foundry', 'daemon', 'start', '2'], check=True, capture_output=True)
        try:
            while self.left > 0:
                self.index += 1
                report = self._disturbed(call(create, self.engine, self.index))
                expected = {
                    key: value + (self.index if self.engine == 'toy' else 0) for key, value in reference.items()
                }
                wrong = [key for key, value in report['results'].items() if abs(value - expected[key]) > 1e-6]
                for key in ('lost', 'duplicated', 'unexplained'):
                    found[key] += len(report[key])
                    notes += [f'{key}: {item}' for item in report[key]]
                found['wrong'] += len(wrong)
                found['recomputed'] += report['recomputed']
        finally:
            if self.daemon:
                subprocess.run(['verdi', '-p', 'foundry', 'daemon', 'stop'], check=False, capture_output=True)
        found['repeated in a folder'] = ledger_repeats()
        return {'trials': self.hits, 'campaigns': self.index, **found, 'notes': notes}

    def _undisturbed(self) -> dict[str, float]:
        """Return the results of a campaign without kills; the time it takes is the scale of those of the kills."""
        name, start = call(create, self.engine, 0), time.monotonic()
        assert call(drive, name, False) == 'finished'
        self.span = max((time.monotonic() - start) * SPAN[self.kind], 2.0)
        report = call(audit, name)
        assert not report['lost'], report
        return dict(report['results'])

    def _disturbed(self, name: str) -> dict[str, Any]:
        """Run a campaign with kills until it has finished or no trial is left; then to its end."""
        outcome = ''
        while outcome != 'finished':
            (HOME / 'driving').unlink(missing_ok=True)
            driver = fork(drive, name, self.daemon)
            while not (HOME / 'driving').exists() and psutil.Process(driver).status() != 'zombie':
                time.sleep(0.01)
            self._kill_until_ended(driver)
            _, status = os.waitpid(driver, 0)
            if os.WIFSIGNALED(status):
                continue
            assert not status, (HOME / 'children.log').read_text()[-5000:]
            outcome = json.loads((HOME / f'{driver}.json').read_text())
        return dict(call(audit, name))

    def _kill_until_ended(self, driver: int) -> None:
        while self.left > 0 and psutil.Process(driver).status() != 'zombie':
            # engines live shortly: first one is waited for, then a part of its life
            time.sleep(0.1 if self.kind == 'engine' else self.random.uniform(0, self.span))
            candidates = victims(self.kind, driver)
            if self.kind == 'engine' and candidates:
                time.sleep(self.random.uniform(0, 0.4))
            if psutil.Process(driver).status() == 'zombie' or not candidates:
                continue
            try:
                self.random.choice(candidates).send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                continue
            self.hits, self.left = self.hits + 1, self.left - 1


if __name__ == '__main__':
    kind, mode, engine, trials, seed = sys.argv[1:]
    print(json.dumps(Case(kind, mode, engine, int(trials), int(seed)).run()))
