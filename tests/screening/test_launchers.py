"""What the launcher of a campaign does to the daemon."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import json, psutil
from aiida.engine.daemon.client import get_daemon_client
from aiida_foundry.screening.launchers import DaemonLauncher
from aiida_foundry.setup.profile import ensure_profile

ensure_profile()
client = get_daemon_client()
client.start_daemon(number_workers=1)

def processes():
    found = psutil.Process(client.get_daemon_pid()).children(recursive=True)
    lines = [' '.join(process.cmdline()) for process in found if process.is_running() and process.status() != 'zombie']
    return [sum(word in line for line in lines) for word in ('circus import stats', 'daemon worker')]

try:
    before = processes()
    with DaemonLauncher().open():
        print(json.dumps([before, processes(), client.get_number_of_workers()]))
finally:
    client.stop_daemon(wait=True)
"""


@pytest.mark.engine
def test_daemon_of_a_campaign_collects_no_statistics(tmp_path):
    path = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
    environment = os.environ | {'AIIDA_PATH': str(tmp_path), 'PATH': path}
    done = subprocess.run([sys.executable, '-c', SCRIPT], check=True, env=environment, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == '[[1, 1], [0, 1], 1]'
