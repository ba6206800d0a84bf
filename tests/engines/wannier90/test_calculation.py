"""Input file, files that go and come, and what is refused before anything is submitted."""

from __future__ import annotations

import numpy as np
import pytest
from aiida import orm
from aiida.common.folders import SandboxFolder
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from aiida.plugins import CalculationFactory

from aiida_foundry.engines.checksums import FILE
from aiida_foundry.engines.wannier90.calculation import Wannier90Calculation
from aiida_foundry.engines.wannier90.input_file import band_ranges, mesh_points


def prepare(inputs):
    """Return the text of the input file and what goes and comes."""
    runner = get_manager().create_runner(communicator=None, broker_submit=False)
    process = instantiate_process(runner, Wannier90Calculation, **inputs)
    with SandboxFolder() as folder:
        calc_info = process.prepare_for_submission(folder)
        with folder.open('aiida.win') as handle:
            return handle.read(), calc_info


def test_entry_point():
    assert CalculationFactory('foundry.wannier90') is Wannier90Calculation


def test_input_file(inputs, file_regression):
    text, calc_info = prepare(inputs())
    file_regression.check(text, extension='.win')
    assert calc_info.codes_info[0].cmdline_params == ['aiida']
    links = [(source, target) for _, source, target in calc_info.remote_symlink_list]
    assert links == [(f'/scratch/overlaps/aiida.{suffix}', f'aiida.{suffix}') for suffix in ('amn', 'mmn', 'eig')]
    assert {'aiida.wout', 'aiida.werr', 'aiida_u.mat', 'aiida_u_dis.mat', FILE} <= set(calc_info.retrieve_list)
    assert 'aiida_u_dis.mat' in calc_info.append_text


def test_neighbours_only(inputs):
    keywords = orm.Dict({'num_wann': 4, 'num_bands': 12, 'exclude_bands': '1-4', 'auto_projections': True})
    text, calc_info = prepare(inputs(overlaps=None, projections=None, parameters=keywords))
    assert calc_info.codes_info[0].cmdline_params == ['-pp', 'aiida']
    assert calc_info.retrieve_list == ['aiida.wout', 'aiida.werr', 'aiida.nnkp', FILE]
    assert 'begin projections' not in text


def test_path(inputs, silicon):
    """One line per segment; where the path jumps there is none."""
    path = orm.KpointsData()
    path.set_kpoints([[0, 0, 0], [0.25, 0, 0.25], [0.5, 0, 0.5], [0.375, 0.375, 0.75], [0.1, 0.1, 0.2], [0, 0, 0]])
    path.labels = [(0, 'G'), (2, 'X'), (3, 'K'), (5, 'G')]
    text, _ = prepare(inputs(path=path))
    block = text.split('begin kpoint_path\n')[1].split('\nend')[0].splitlines()
    assert [line.split()[0::4] for line in block] == [['G', 'X'], ['K', 'G']]
    assert 'bands_plot = true' in text


def test_mesh_order():
    points = mesh_points([2, 1, 3])
    assert points.tolist() == [[x, 0, z] for x in (0, 0.5) for z in (0, 1 / 3, 2 / 3)]
    assert np.unique(points, axis=0).shape == (6, 3)


def test_band_ranges():
    assert band_ranges(5, 16, 20) == ['1-4', '17-20']
    assert band_ranges(1, 4, 4) == []


@pytest.mark.parametrize(
    ('keywords', 'message'),
    [
        ({'num_bands': 4}, '`num_wann`, the number of functions, is missing'),
        ({'num_wann': 4, 'num_bands': 3}, '3 bands cannot make 4 functions'),
        ({'num_wann': 4, 'mp_grid': '2 2 2'}, '`mp_grid`: it is set by the input `kpoints`'),
        ({'num_wann': 4, 'Num_Iter': 3}, 'it is not in lower case'),
        ({'num_wann': 4, 'num_iter': -1}, '-1 is not a number of anything'),
        ({'num_wann': 4, 'dis_win_min': 3.0, 'dis_win_max': 2.0}, 'it is not above `dis_win_min` '),
    ],
)
def test_bad_keywords(inputs, keywords, message):
    with pytest.raises(ValueError, match=message.replace('(', r'\(')):
        prepare(inputs(parameters=orm.Dict(keywords)))


def test_bad_meshes(inputs, mesh):
    with pytest.raises(ValueError, match='shifted from Γ'):
        prepare(inputs(kpoints=mesh(offset=(0.5, 0.5, 0.5))))
    points = orm.KpointsData()
    points.set_kpoints([[0.0, 0.0, 0.0]])
    with pytest.raises(ValueError, match='they are a list'):
        prepare(inputs(kpoints=points))
    with pytest.raises(ValueError, match='no list of k-points with labels'):
        prepare(inputs(path=points))


def test_overlaps_of_another_computer(inputs, aiida_computer):
    elsewhere = aiida_computer(label='far-away', hostname='far-away')
    with pytest.raises(ValueError, match='they are on `far-away`'):
        prepare(inputs(overlaps=orm.RemoteData(remote_path='/scratch', computer=elsewhere)))
