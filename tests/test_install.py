"""The wheel, installed without extras: everything that is not optional imports, every entry point loads."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[1]
UV = str(Path(sys.executable).with_name('uv'))

#: Subpackages that may need an extra.
OPTIONAL = {'aiida_foundry.gui': 'gui', 'aiida_foundry.learning': 'ml'}

#: Packages of the extras, none of which may be needed without them.
OF_EXTRAS = ('torch', 'ipywidgets', 'sphinx', 'pytest', 'mypy', 'hypothesis')

CHECK = """
import importlib, importlib.metadata, importlib.util, json, pkgutil, sys
import aiida_foundry
optional = tuple(json.loads(sys.argv[1]))
failed = {}
for _, name, _ in pkgutil.walk_packages(aiida_foundry.__path__, 'aiida_foundry.', onerror=lambda name: None):
    if not name.startswith(optional):
        try:
            importlib.import_module(name)
        except Exception as exception:
            failed[name] = repr(exception)
entry_points = importlib.metadata.distribution('aiida-foundry').entry_points
for entry_point in entry_points:
    try:
        entry_point.load()
    except Exception as exception:
        failed[entry_point.name] = repr(exception)
print(json.dumps({
    'file': aiida_foundry.__file__,
    'failed': failed,
    'entry_points': sorted(f'{e.group} {e.name}' for e in entry_points),
    'extras': [name for name in json.loads(sys.argv[2]) if importlib.util.find_spec(name)],
}))
"""


@pytest.fixture(scope='module')
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """Build the wheel, install it with the versions of the lock, and return what `CHECK` reports there."""
    folder = tmp_path_factory.mktemp('install')
    python = str(folder / 'venv/bin/python')
    build = [UV, 'build', '--quiet', '--wheel', '--no-build-isolation', '--python', sys.executable, '--out-dir', folder]
    subprocess.run([*build, ROOT], check=True)
    (wheel,) = folder.glob('*.whl')
    subprocess.run([UV, 'venv', '--quiet', '--python', sys.executable, folder / 'venv'], check=True)
    install = [UV, 'pip', 'install', '--quiet', '--python', python, '--constraint', ROOT / 'requirements.lock', wheel]
    subprocess.run(install, check=True)
    command = [python, '-I', '-c', CHECK, json.dumps(list(OPTIONAL)), json.dumps(OF_EXTRAS)]
    done = subprocess.run(command, check=True, cwd=folder, capture_output=True, text=True)
    files = sorted(name for name in ZipFile(wheel).namelist() if '.dist-info/' not in name)
    return json.loads(done.stdout.splitlines()[-1]) | {'files': files}


def test_everything_loads_without_extras(installed):
    assert installed['failed'] == {}


def test_it_is_the_wheel_and_nothing_of_the_extras(installed):
    assert str(ROOT) not in installed['file']
    assert installed['extras'] == []


def test_the_wheel_is_complete(installed):
    sources = (path for path in (ROOT / 'src').rglob('*') if path.is_file() and '__pycache__' not in path.parts)
    assert installed['files'] == sorted(str(path.relative_to(ROOT / 'src')) for path in sources)


def test_the_wheel_has_the_entry_points_of_the_source(installed):
    ours = distribution('aiida-foundry').entry_points
    assert installed['entry_points'] == sorted(f'{entry.group} {entry.name}' for entry in ours)
