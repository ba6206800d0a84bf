from __future__ import annotations

import pytest
from aiida.orm import InstalledCode, load_code

from aiida_foundry.common.errors import InputError
from aiida_foundry.setup.codes import EXTRA, ensure_codes
from aiida_foundry.setup.executables import Choice


@pytest.fixture
def computer(aiida_computer_local):
    return aiida_computer_local()


def test_codes_of_what_is_there(computer, programs, reports):
    path = programs.add('abinit', '9.6.2')
    programs.add('hp.x', 'Program HP v.6.7MaX starts')
    codes = ensure_codes(computer, report=reports)
    assert set(codes) == {'abinit', 'aiida-foundry-ki', 'hp'}
    assert codes['abinit'].full_label == f'abinit@{computer.label}'
    assert str(codes['abinit'].filepath_executable) == str(path)
    assert codes['abinit'].default_calc_job_plugin == 'foundry.abinit'
    assert codes['abinit'].with_mpi is None
    assert codes['abinit'].base.extras.get(EXTRA) == {'name': 'abinit', 'version': '9.6.2'}
    assert codes['hp'].default_calc_job_plugin is None
    assert 'pw.x' in reports[-1]
    assert 'not found' in reports[-1]


def test_second_run_changes_nothing(computer, programs, reports):
    programs.add('abinit', '9.6.2')
    first = ensure_codes(computer)
    second = ensure_codes(computer, report=reports)
    assert second['abinit'].uuid == first['abinit'].uuid
    assert reports.outcomes() == {'kept', 'note'}


def test_upgrade_in_place_makes_a_new_code(computer, programs, reports):
    programs.add('abinit', '9.6.2')
    old = ensure_codes(computer)['abinit']
    programs.add('abinit', '10.2.5')
    new = ensure_codes(computer, report=reports)['abinit']
    assert load_code(f'abinit@{computer.label}').uuid == new.uuid != old.uuid
    assert old.label == f'abinit-9.6.2-{old.pk}'
    assert new.base.caching.get_hash() != old.base.caching.get_hash()
    assert any(f'the old one is now `{old.full_label}`' in line for line in reports)


def test_code_of_the_user_is_kept(computer, programs, reports):
    programs.add('abinit', '9.6.2')
    theirs = InstalledCode(label='abinit', computer=computer, filepath_executable='/opt/abinit').store()
    assert ensure_codes(computer, report=reports)['abinit'].uuid == theirs.uuid
    assert any('not made by setup (/opt/abinit)' in line for line in reports)


def test_choice_of_the_user(computer, programs, tmp_path):
    programs.add('abinit', '9.6.2')
    other = programs.add('abinit-10', '10.2.5')
    choice = Choice(str(other), 'export ABI_PSPDIR=/none', True)
    code = ensure_codes(computer, {'abinit': choice})['abinit']
    assert str(code.filepath_executable) == str(other)
    assert code.prepend_text == '# abinit 10.2.5\nexport ABI_PSPDIR=/none'
    assert code.with_mpi is True


def test_missing_choice(computer, programs):
    with pytest.raises(InputError, match='`/opt/none` is not an executable of computer'):
        ensure_codes(computer, {'abinit': Choice('/opt/none')})


def test_program_that_does_not_start(computer, programs, reports):
    programs.add('abinit', 'cannot open shared object file')
    code = ensure_codes(computer, report=reports)['abinit']
    assert code.base.extras.get(EXTRA)['version'] is None
    assert any('version not readable' in line for line in reports)
