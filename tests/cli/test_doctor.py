"""`aiida-foundry doctor`: on a machine without profile, and what it says of a profile."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from aiida_foundry.setup.codes import ensure_codes
from aiida_foundry.setup.doctor import diagnose
from aiida_foundry.setup.engines import ENGINES

CLI = [sys.executable, '-W', 'ignore', '-c', 'from aiida_foundry.cli import cli; cli()']


@pytest.fixture
def programs(tmp_path):
    """Folder for PATH with `abinit`, which prints its version, and `pw.x`, which does not start."""
    folder = tmp_path / 'bin'
    folder.mkdir()
    for tool in ('bash', 'mktemp', 'rm', 'timeout'):
        (folder / tool).symlink_to(shutil.which(tool))
    for name, output in (('abinit', '9.6.2'), ('pw.x', 'error while loading shared libraries')):
        (folder / name).write_text(f'#!/bin/bash\necho "{output}"\n')
        (folder / name).chmod(0o755)
    return folder


def _doctor(tmp_path, programs, *arguments):
    environment = os.environ | {'AIIDA_PATH': str(tmp_path), 'PATH': str(programs)}
    return subprocess.run([*CLI, 'doctor', *arguments], env=environment, capture_output=True, text=True, check=False)


def test_json_without_profile(tmp_path, programs):
    done = _doctor(tmp_path, programs, '--json')
    findings = json.loads(done.stdout)
    assert done.returncode == 1
    assert set(findings) == {'schema', 'versions', 'engines', 'profile', 'missing'}
    assert findings['schema'] == 1
    assert [engine['name'] for engine in findings['engines']] == [engine.name for engine in ENGINES]
    for engine in findings['engines']:
        assert set(engine) == {'name', 'kind', 'enables', 'sources', 'note', 'executables'}
        assert all(set(row) == {'name', 'enables', 'path', 'version'} for row in engine['executables'])
    rows = {row['name']: row for engine in findings['engines'] for row in engine['executables']}
    assert (rows['abinit']['path'], rows['abinit']['version']) == (str(programs / 'abinit'), '9.6.2')
    assert (rows['pw.x']['path'], rows['pw.x']['version']) == (str(programs / 'pw.x'), None)
    assert (rows['kcw.x']['path'], rows['kcw.x']['version']) == (None, None)
    assert findings['profile'] == {
        'name': 'foundry',
        'exists': False,
        'problem': None,
        'default': False,
        'daemon': 'stopped',
        'computers': [],
        'codes': [],
        'families': {},
    }
    assert findings['missing'] == [
        {'what': 'profile foundry', 'why': 'does not exist', 'remedy': 'aiida-foundry setup'}
    ]
    assert not (tmp_path / '.aiida' / 'config.json').exists()


def test_text_without_abinit(tmp_path, programs):
    (programs / 'abinit').unlink()
    done = _doctor(tmp_path, programs)
    assert done.returncode == 1
    assert 'missing  abinit          disables: DFT, GW variants' in done.stdout
    assert 'get it: `apt install abinit` or `conda install -c conda-forge abinit`' in done.stdout
    assert 'found    pw.x            no version: it does not start' in done.stdout
    assert 'Needed for the GW gap: abinit: not on PATH' in done.stdout


def test_profile(aiida_profile, aiida_computer_local, programs, monkeypatch):
    monkeypatch.setenv('PATH', str(programs))
    computer = aiida_computer_local()
    ensure_codes(computer)
    state = diagnose(aiida_profile.name)['profile']
    assert (state['exists'], state['problem'], state['daemon']) == (True, None, 'stopped')
    assert computer.label in state['computers']
    assert f'abinit@{computer.label}' in state['codes']


def test_code_elsewhere_is_enough(aiida_profile, aiida_computer_local, programs, monkeypatch):
    monkeypatch.setenv('PATH', str(programs))
    ensure_codes(aiida_computer_local())
    (programs / 'abinit').unlink()
    assert not any(finding['what'] in {'abinit', 'code abinit'} for finding in diagnose(aiida_profile.name)['missing'])
