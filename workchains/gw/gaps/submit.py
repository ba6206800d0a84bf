"""Quasiparticle gaps of semiconductors: ``verdi run submit.py``, with ``--dry-run`` to see what it would run."""

from __future__ import annotations

import sys
from pathlib import Path

from aiida import load_profile

from aiida_foundry.screening.campaign_file import read_campaign_file
from aiida_foundry.screening.submit import submit_all

load_profile()
# `verdi run` gives `__file__` without its folder
plan = read_campaign_file(Path(sys.argv[0]).with_name('campaign.yaml'))
for line in submit_all(plan, dry_run='--dry-run' in sys.argv):
    print(line)
