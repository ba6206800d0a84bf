"""A seeded part of the mutants of benchmarks/mutants.py; docs/source/topics/security.md has the count of all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / 'benchmarks' / 'mutants.py'
NUMBER = {
    'abinit': 40, 'pw': 30, 'pw.berry': 30, 'pp': 60, 'wannier90': 60, 'kcw.wann2kcw': 15, 'kcw.screen': 30,
    'kcw.ham': 30, 'ki': 60, 'yambo': 30, 'p2y': 30,
}  # fmt: skip


@pytest.mark.parametrize('parser', NUMBER)
def test_every_mutant_ends_in_an_exit_code_or_the_right_result(parser):
    command = [sys.executable, str(BENCHMARK), '--parser', parser, '--number', str(NUMBER[parser]), '--seed', '1']
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout.splitlines()[-1])['failed'] == {parser: 0}
