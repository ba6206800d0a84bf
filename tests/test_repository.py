"""The rules that hold for every file of the repository, and proof that the import contracts catch violations."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
MODULE_CEILING = 400
FUNCTION_CEILING = 80

#: Written so that the patterns do not match themselves.
FORBIDDEN_TEXT = {
    'a path of one machine': r'(?<![\w.<>-])/(?:work|root|tmp|home/\w+)/|[.][.]/shared',
    'the host of a package registry': (
        r'pypi[.]org|pythonhosted[.]org|anaconda[.]org|npmjs[.](?:org|com)|proxy[.]golang[.]org|crates[.]io'
        r'|docker[.]io|ghcr[.]io|quay[.]io|(?:deb|security)[.]debian[.]org|archive[.]ubuntu[.]com'
    ),
    'an unfinished note': r'\b(?:TO[D]O|FIX[M]E|X[X]X)\b',
}


def tracked_files() -> list[Path]:
    """Return every file of the repository, those about to be added included."""
    command = ['git', '-c', 'safe.directory=*', 'ls-files', '--cached', '--others', '--exclude-standard']
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def text_of(path: Path) -> str:
    """Return the text of a file, the empty string for a binary one."""
    try:
        return path.read_text(encoding='utf-8')
    except UnicodeDecodeError:
        return ''


SOURCES = sorted((ROOT / 'src').rglob('*.py'))


@pytest.mark.parametrize('kind', FORBIDDEN_TEXT)
def test_forbidden_text(kind):
    pattern = re.compile(FORBIDDEN_TEXT[kind])
    found = [
        f'{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}'
        for path in tracked_files()
        for number, line in enumerate(text_of(path).splitlines(), start=1)
        if pattern.search(line)
    ]
    assert not found, f'{kind}:\n' + '\n'.join(found)


@pytest.mark.parametrize(
    ('kind', 'text'),
    [
        ('a path of one machine', 'open("/' + 'root/data")'),
        ('the host of a package registry', 'https://pypi' + '.org/simple'),
        ('an unfinished note', '# TO' + 'DO: later'),
    ],
)
def test_forbidden_text_is_recognised(kind, text):
    assert re.search(FORBIDDEN_TEXT[kind], text)


def test_module_length():
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding='utf-8').splitlines()) for path in SOURCES}
    assert not {name: length for name, length in lengths.items() if length > MODULE_CEILING}


def test_function_length():
    lengths = {
        f'{path.relative_to(ROOT)}:{node.lineno} {node.name}': (node.end_lineno or 0) - node.lineno + 1
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8')))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert not {name: length for name, length in lengths.items() if length > FUNCTION_CEILING}


def test_lock_satisfies_pyproject():
    project = tomllib.loads((ROOT / 'pyproject.toml').read_text())
    extras = project['project']['optional-dependencies']
    wanted = [
        *project['project']['dependencies'],
        *extras['docs'],
        *extras['tests'],
        *project['dependency-groups']['dev'],
    ]
    lock = re.findall(r'^([a-z0-9-]+)==(\S+)', (ROOT / 'requirements.lock').read_text(), re.MULTILINE)
    versions = {name: [version for other, version in lock if other == name] for name, _ in lock}
    for requirement in map(Requirement, wanted):
        locked = versions.get(canonicalize_name(requirement.name), [])
        assert locked, f'{requirement} is not in the lock: run `make lock`'
        assert all(requirement.specifier.contains(version) for version in locked), f'{requirement}: run `make lock`'


VIOLATIONS = {
    'Imports go downwards only': ('structures/planted.py', 'import aiida_foundry.workflows'),
    'analysis and common are free of aiida and click': ('analysis/planted.py', 'from aiida import orm'),
    'Science areas never import each other': ('workflows/planted/gap.py', 'import aiida_foundry.workflows.gw'),
    'Raw parsers are free of aiida': ('engines/planted/parse_raw.py', 'from aiida.engine import calcfunction'),
}


def lint_imports(folder: Path) -> str:
    """Return what import-linter says of the copy of the package in ``folder``."""
    command = [str(Path(sys.executable).with_name('lint-imports')), '--no-cache']
    return subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True).stdout


@pytest.fixture
def package_copy(tmp_path: Path) -> Path:
    """Return a folder with a copy of the package and of the contracts."""
    shutil.copytree(ROOT / 'src/aiida_foundry', tmp_path / 'aiida_foundry', ignore=shutil.ignore_patterns('*.pyc'))
    shutil.copy(ROOT / 'pyproject.toml', tmp_path)
    return tmp_path


@pytest.mark.parametrize('contract', VIOLATIONS)
def test_import_contract_catches_violation(contract, package_copy):
    name, statement = VIOLATIONS[contract]
    planted = package_copy / 'aiida_foundry' / name
    planted.parent.mkdir(exist_ok=True)
    (planted.parent / '__init__.py').touch()
    planted.write_text(f'"""Planted."""\n{statement}\n')
    assert re.findall(r'^(.+) BROKEN', lint_imports(package_copy), re.MULTILINE) == [contract]


def test_every_import_contract_has_a_violation():
    names = re.findall(
        r'^\[\[tool\.importlinter\.contracts\]\]\nname = "(.+)"', (ROOT / 'pyproject.toml').read_text(), re.MULTILINE
    )
    assert sorted(names) == sorted(VIOLATIONS)
