from __future__ import annotations

import shutil

import pytest

from aiida_foundry.common.errors import InputError
from aiida_foundry.setup.engines import by_name
from aiida_foundry.setup.probe import local_shell, locate, read_version, shell_of


def test_locate(programs):
    path = programs.add('abinit', '9.6.2')
    plain = programs.folder / 'pw.x'
    plain.write_text('not executable')
    assert locate(local_shell, ['abinit', 'pw.x', str(path), '/none']) == {'abinit': str(path), str(path): str(path)}


def test_locate_after_prepend_text(programs, tmp_path):
    folder = tmp_path / 'module'
    folder.mkdir()
    programs.add('abinit', '9.6.2').rename(folder / 'abinit')
    assert locate(local_shell, ['abinit']) == {}
    assert locate(local_shell, ['abinit'], f'export PATH={folder}:$PATH') == {'abinit': str(folder / 'abinit')}


@pytest.mark.parametrize(
    ('name', 'output', 'version'),
    [
        ('pw.x', '     Program PWSCF v.6.7MaX starts on 22Nov2026 at 21:23:26 ', '6.7MaX'),
        ('kcw.x', '     Program KCW v.7.5 starts on 22Nov2026 at 21:23:26 ', '7.5'),
        ('abinit', '9.6.2', '9.6.2'),
        ('mrgscr', '\n.Version 9.6.2 of MRGSCR \n.(MPI version, prepared for gnu11.2)', '9.6.2'),
        ('wannier90.x', 'Wannier90: 3.1.0', '3.1.0'),
        ('pw.x', 'error while loading shared libraries: libmpi.so.40: cannot open shared object file', None),
    ],
)
def test_read_version(programs, name, output, version):
    path = programs.add(name, output)
    assert read_version(local_shell, by_name()[name], str(path)) == version


def test_read_version_leaves_no_file(programs, tmp_path, monkeypatch):
    monkeypatch.setenv('TMPDIR', str(tmp_path))
    path = programs.add('pw.x', 'Program PWSCF v.6.7MaX starts')
    path.write_text(path.read_text() + 'echo crash > CRASH\n')
    read_version(local_shell, by_name()['pw.x'], str(path))
    assert [entry.name for entry in tmp_path.iterdir()] == ['bin']


@pytest.mark.engine
@pytest.mark.parametrize('name', ['pw.x', 'gww.x', 'abinit', 'mrgscr', 'optic', 'wannier90.x', 'postw90.x'])
def test_read_version_of_real_programs(name):
    path = shutil.which(name)
    if path is None:
        pytest.skip(f'{name} is not here')
    assert read_version(local_shell, by_name()[name], path)


def test_computer_that_does_not_answer(aiida_computer):
    computer = aiida_computer(hostname='127.0.0.1', transport_type='core.ssh')
    computer.configure(port=1, look_for_keys=False, load_system_host_keys=False, timeout=5)
    with pytest.raises(InputError, match='no connection'), shell_of(computer):
        pass
