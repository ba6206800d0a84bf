"""Input files of p2y and Yambo, and what is refused before anything is submitted."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from aiida import orm
from aiida.common.folders import SandboxFolder
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from aiida.plugins import CalculationFactory, ParserFactory

from aiida_foundry.common.errors import InputError
from aiida_foundry.engines.yambo import variables
from aiida_foundry.engines.yambo.calculation import YamboCalculation
from aiida_foundry.engines.yambo.p2y import P2yCalculation
from aiida_foundry.engines.yambo.parser import P2yParser, YamboParser
from aiida_foundry.engines.yambo.qp_database import parse_setup, write_database

FIXTURES = Path(__file__).parents[2] / 'fixtures' / 'yambo'
BSE_VARIABLES = {
    'Chimod': 'HARTREE',
    'BSEmod': 'retarded',
    'BSKmod': 'SEX',
    'BSSmod': 'd',
    'BSENGexx': {'value': 65, 'unit': 'RL'},
    'BndsRnXs': [1, 60],
    'LongDrXs': [1.0, 1.0, 1.0],
    'BSEBands': [1, 8],
    'BEnRange': {'value': [0.0, 10.0], 'unit': 'eV'},
    'BEnSteps': 1001,
    'WRbsWF': True,
}
BSE = {'runlevels': ['optics', 'em1s', 'bse', 'bsk', 'bss', 'dipoles'], 'variables': BSE_VARIABLES}
GW = {'runlevels': ['HF_and_locXC', 'gw0', 'ppa', 'dyson', 'em1d'], 'variables': {'QPkrange': [[1, 3, 1, 8]]}}


def prepare(process_class, inputs):
    runner = get_manager().create_runner(communicator=None, broker_submit=False)
    process = instantiate_process(runner, process_class, **inputs)
    with SandboxFolder() as folder:
        calc_info = process.prepare_for_submission(folder)
        with folder.open('aiida.in') as handle:
            return handle.read(), calc_info


def database_file(content: bytes) -> orm.SinglefileData:
    return orm.SinglefileData.from_bytes(content, filename='ndb.QP')


def test_entry_points():
    assert CalculationFactory('foundry.yambo') is YamboCalculation
    assert CalculationFactory('foundry.p2y') is P2yCalculation
    assert ParserFactory('foundry.yambo') is YamboParser
    assert ParserFactory('foundry.p2y') is P2yParser


def test_bse(inputs, setup_file, aiida_localhost, file_regression):
    corrections = np.tile([-0.4] * 4 + [0.2] * 4, (3, 1))
    content = write_database(parse_setup(setup_file.get_content('rb')), corrections)
    screening = orm.RemoteData(remote_path='/scratch/w', computer=aiida_localhost)
    given = inputs(BSE, quasiparticle_file=database_file(content), databases={'screening': screening})
    text, calc_info = prepare(YamboCalculation, given)
    file_regression.check(text, extension='.in')
    assert calc_info.codes_info[0].cmdline_params == ['-F', 'aiida.in', '-J', 'run,screening']
    links = [(source, target) for _, source, target in calc_info.remote_symlink_list]
    assert links == [('/scratch/p2y/SAVE/ns.*', 'SAVE'), ('/scratch/w/run', 'screening')]
    # Yambo changes these: each run has its own
    assert [source for _, source, _ in calc_info.remote_copy_list] == ['/scratch/p2y/SAVE/ndb.*']
    assert calc_info.local_copy_list[0][1:] == ('ndb.QP', 'qp/ndb.QP')


def test_gw_and_restart(inputs, aiida_localhost):
    restart = orm.RemoteData(remote_path='/scratch/cut', computer=aiida_localhost)
    text, calc_info = prepare(YamboCalculation, inputs(GW, restart=restart))
    assert '%QPkrange\n1|3|1|8|\n%' in text
    assert [(source, target) for _, source, target in calc_info.remote_copy_list][1] == ('/scratch/cut/run', 'run')


def test_p2y(inputs, aiida_localhost):
    given = inputs()
    pw = orm.RemoteData(remote_path='/scratch/pw', computer=aiida_localhost)
    needed = {'code': given['code'], 'yambo': given['code'], 'parent_folder': pw, 'metadata': given['metadata']}
    text, calc_info = prepare(P2yCalculation, needed)
    assert text == 'setup\n'
    assert calc_info.remote_symlink_list[0][1:] == ('/scratch/pw/./out/aiida.save', 'pw.save')
    assert [info.stdout_name for info in calc_info.codes_info] == ['p2y.out', 'aiida.out']


@pytest.mark.parametrize(
    ('parameters', 'match'),
    [
        ({'runlevels': []}, 'there are none'),
        ({'runlevels': ['gw']}, 'runlevel `gw`: it is unknown'),
        ({'runlevels': ['bse'], 'more': {}}, 'parameters `more`'),
        ({'runlevels': ['bse'], 'variables': {'NGsBlkXS': 1}}, 'Close names: NGsBlkXs'),
        ({'runlevels': ['bse'], 'variables': {'NGsBlkXs': 65}}, 'has no unit of RL'),
        ({'runlevels': ['bse'], 'variables': {'NGsBlkXs': {'value': 65, 'unit': 'G'}}}, 'has no unit of RL'),
        ({'runlevels': ['bse'], 'variables': {'BEnRange': {'value': [0], 'unit': 'eV'}}}, 'not of the kind `energies`'),
        ({'runlevels': ['bse'], 'variables': {'BSEBands': [1.5, 8]}}, 'not of the kind `range`'),
        ({'runlevels': ['bse'], 'variables': {'WRbsWF': 1}}, 'not of the kind `flag`'),
        ({'runlevels': ['bse'], 'variables': {'BSKmod': 'SEX"'}}, 'not of the kind `text`'),
        ({'runlevels': ['bse'], 'variables': {'BEnSteps': float('nan')}}, 'not of the kind `integer`'),
        ({'runlevels': ['bse'], 'variables': {'KfnQPdb': 'E < ndb.QP'}}, 'quasiparticle_file'),
    ],
)
def test_parameters_that_are_refused(parameters, match):
    with pytest.raises(InputError, match=match):
        variables.check_parameters(parameters)


@pytest.mark.parametrize(
    ('case', 'match'),
    [
        ('si222_missing_bands', '12 of 24 states are not in the database'),
        ('si222_wrong_units', 'k-points 2, 3 of `ns.db1` are not in the database'),
        ('si222_permuted', 'Kohn-Sham energies differ by up to'),
        ('si222_nan', 'NaN'),
        ('si222_truncated', 'it is unreadable'),
    ],
)
def test_databases_that_yambo_would_take(inputs, case, match):
    """Each of these was run: Yambo does not refuse them, or dies after the screening."""
    content = gzip.decompress((FIXTURES / case / 'ndb.QP.gz').read_bytes())
    with pytest.raises(ValueError, match=match):
        prepare(YamboCalculation, inputs(BSE, quasiparticle_file=database_file(content)))


def test_pairs_of_all_bands(inputs):
    with pytest.raises(ValueError, match='`BSEBands`: it is not set'):
        prepare(YamboCalculation, inputs({'runlevels': ['bsk'], 'variables': {}}))
