from __future__ import annotations

import pytest

from aiida_foundry.common.errors import InputError
from aiida_foundry.setup.executables import Choice, read_executables


def read(tmp_path, text):
    file = tmp_path / 'executables.yaml'
    file.write_text(text)
    return read_executables(file)


def test_paths_and_mappings(tmp_path):
    text = """
pw.x: /opt/qe/bin/pw.x
abinit:
  modules: [intel, abinit/10.2]
  prepend_text: |
    ulimit -s unlimited
  with_mpi: true
"""
    assert read(tmp_path, text) == {
        'pw.x': Choice('/opt/qe/bin/pw.x'),
        'abinit': Choice('abinit', 'module load intel\nmodule load abinit/10.2\nulimit -s unlimited', True),
    }


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'is not a mapping'),
        ('- pw.x', 'is not a mapping'),
        ('{pw.x: [', 'cannot be read'),
        ('pw: /opt/pw.x', 'Did you mean `pw.x`'),
        ('sleep: /bin/sleep', 'not an executable of a known engine'),
        ('dot: /usr/bin/dot', 'not an executable of a known engine'),
        ('3: /opt/pw.x', 'not an executable of a known engine'),
        ('pw.x: 3', 'neither a path nor a mapping'),
        ('pw.x: {}', 'neither a path nor a mapping'),
        ('pw.x: {paht: /opt/pw.x}', 'unknown key `paht`'),
        ('pw.x: {modules: qe}', '`modules` is not a list'),
        ('pw.x: {with_mpi: maybe}', '`with_mpi` is not a bool'),
        ('pw.x: bin/pw.x', 'is a relative path'),
    ],
)
def test_refused(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, text)


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match='cannot be read'):
        read_executables(tmp_path / 'none.yaml')
