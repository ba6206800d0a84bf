"""Kill -9 at seeded random moments; ``benchmarks/faults.py`` does it many more times, and with the daemon."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / 'benchmarks' / 'faults.py'


@pytest.mark.engine
@pytest.mark.parametrize(('kind', 'trials'), [('driver', 3), ('engine', 2)])
def test_nothing_is_lost_or_done_twice(kind, trials):
    command = [sys.executable, str(BENCHMARK), '--kinds', kind, '--trials', str(trials), '--seed', '7']
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary['trials'] == trials
    assert summary['holds'], done.stdout
