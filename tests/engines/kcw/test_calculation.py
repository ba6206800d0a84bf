"""Input files of the three steps, and what is refused before anything is submitted."""

from __future__ import annotations

import numpy as np
import pytest
from aiida import orm
from aiida.common.folders import SandboxFolder
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from aiida.plugins import CalculationFactory

from aiida_foundry.engines.kcw.calculation import KcwHamCalculation, KcwScreenCalculation, Wann2kcwCalculation


def prepare(process_class, inputs):
    runner = get_manager().create_runner(communicator=None, broker_submit=False)
    process = instantiate_process(runner, process_class, **inputs)
    with SandboxFolder() as folder:
        calc_info = process.prepare_for_submission(folder)
        files = {}
        for name in folder.get_content_list():
            with folder.open(name) as handle:
                files[name] = handle.read()
        return files, calc_info


def screening(*alpha: float) -> orm.ArrayData:
    return orm.ArrayData({'alpha': np.array(alpha)})


def test_entry_points():
    for step, process_class in zip(
        ('wann2kcw', 'screen', 'ham'), (Wann2kcwCalculation, KcwScreenCalculation, KcwHamCalculation), strict=True
    ):
        assert CalculationFactory(f'foundry.kcw.{step}') is process_class
        assert step == process_class.STEP


def test_densities(inputs, file_regression):
    files, calc_info = prepare(Wann2kcwCalculation, inputs({'WANNIER': {'num_wann_occ': 4, 'num_wann_emp': 4}}))
    file_regression.check(files['aiida.in'], extension='.in')
    assert [target for _, _, target in calc_info.local_copy_list] == [
        'wannier_u.mat',
        'wannier_centres.xyz',
        'wannier_emp_u.mat',
        'wannier_emp_u_dis.mat',
        'wannier_emp_centres.xyz',
    ]
    assert 'checksums.sha256' in calc_info.retrieve_list
    assert 'aiida.out' in calc_info.append_text
    assert [(source, target) for _, source, target in calc_info.remote_copy_list] == [('/scratch/parent/out', './out/')]


def test_one_orbital(inputs):
    files, _ = prepare(KcwScreenCalculation, inputs({'SCREEN': {'i_orb': 3, 'tr2': 1e-14, 'alpha_mix(1)': 0.35}}))
    namelist = files['aiida.in'].split('&SCREEN')[1]
    assert 'i_orb = 3' in namelist
    assert 'alpha_mix(1) =   3.5000000000d-01' in namelist
    assert "calculation = 'screen'" in files['aiida.in']


def test_screening_parameters_are_handed_on(inputs):
    files, _ = prepare(KcwHamCalculation, inputs({'HAM': {'on_site_only': True}}, screening=screening(0.3, 1.0)))
    rows = [line.split() for line in files['file_alpharef.txt'].splitlines()]
    assert rows[0] == ['2']
    assert [(int(row[0]), float(row[1])) for row in rows[1:]] == [(1, 0.3), (2, 1.0)]


@pytest.mark.parametrize('alpha', [-7.77, 0.0, 1.5, float('nan')])
def test_impossible_screening_parameters(inputs, alpha):
    with pytest.raises(ValueError, match=r'outside \(0, 1\].* of orbital 2'):
        prepare(KcwHamCalculation, inputs(screening=screening(0.3, alpha)))


def test_missing_files(inputs):
    with pytest.raises(ValueError, match=r'it lacks aiida_centres\.xyz, aiida_u\.mat'):
        prepare(Wann2kcwCalculation, inputs(occupied=orm.FolderData()))


def test_owned_keywords(inputs):
    with pytest.raises(Exception, match='prefix'):
        prepare(Wann2kcwCalculation, inputs({'CONTROL': {'prefix': 'other'}}))
