"""``aiida-foundry run`` refuses bad input before anything is stored, says what it will run, and how it ended."""

from __future__ import annotations

import json
import os
import shlex
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from aiida import orm
from aiida.plugins import WorkflowFactory
from click.testing import CliRunner

from aiida_foundry.cli import cli, launch
from aiida_foundry.cli.console import make_console
from aiida_foundry.cli.options import parse_overrides
from aiida_foundry.cli.plan import merge_methods
from aiida_foundry.common.errors import InputError

SILICON = Path(__file__).parents[2] / 'examples' / 'Si.cif'
TINY = {
    'parameters.wavefunction_cutoff': 6.0,
    'parameters.bands': 16,
    'parameters.screening_cutoff': 2.0,
    'options.withmpi': 'false',
}

CIF = """data_x
_cell_length_a 5.4
_cell_length_b 5.4
_cell_length_c 5.4
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
"""


@pytest.fixture(scope='module')
def code(aiida_profile):
    """Return a code that is never run."""
    computer = orm.Computer(
        label='idle', hostname='localhost', transport_type='core.local', scheduler_type='core.direct', workdir='/'
    )
    computer.store().configure()
    return orm.InstalledCode(
        computer, filepath_executable='/bin/true', label='idle', default_calc_job_plugin='foundry.abinit'
    ).store()


@pytest.fixture
def run(invoke, code, pbe_family):
    """Return a function that plans a job on silicon with the options given in place of the usual ones."""

    def _run(*arguments: str, structure: object = SILICON, methods: tuple[str, ...] = ('g0w0-ppm',), code=code):
        chosen = [argument for method in methods for argument in ('--method', method)]
        return invoke('run', 'gw.gap', '--structure', structure, *chosen, '--code', code.full_label, *arguments)

    return _run


@pytest.fixture
def new_nodes(aiida_profile):
    before = orm.QueryBuilder().append(orm.Node).count()
    return lambda: orm.QueryBuilder().append(orm.Node).count() - before


def test_dry_run_shows_the_plan_and_stores_nothing(run, new_nodes):
    result = run('--dry-run', '--protocol', 'fast')
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.output.splitlines()]
    assert ['structure', 'Si,', 'Fd-3m', '(227),', '2', 'atoms,', '40.04', 'Å³'] in lines
    assert ['parameters.screening_cutoff', '3.0'] in lines
    assert any(line[:1] == ['screening'] for line in lines)
    assert new_nodes() == 0


def test_plan_as_json(run):
    plan = json.loads(run('--dry-run', '--json', '--set', 'parameters.screening_cutoff=2.5').stdout)
    assert plan['inputs']['parameters.screening_cutoff'] == 2.5
    assert plan['process'] == 'AbinitGwGapWorkChain'
    assert plan['code']['executable'] == '/bin/true'
    assert sum(step['core_seconds'] for step in plan['cost']) > 0


def test_several_methods_share_one_ground_state(run):
    plan = json.loads(run('--dry-run', '--json', methods=('g0w0-ppm', 'qsgw')).stdout)
    assert plan['process'] == 'GwVariantsWorkChain'
    assert sum('scf' in step['step'] for step in plan['cost']) == 1


def test_inputs_that_methods_share_are_written_once():
    inputs = {'engine': 'x', 'methods.a.bands': 8, 'methods.a.x': 1, 'methods.b.bands': 8, 'methods.b.x': 2}
    merged = {'engine': 'x', 'methods.*.bands': 8, 'methods.a.x': 1, 'methods.b.x': 2}
    assert merge_methods(inputs) == merged


def test_help_has_examples(invoke):
    assert 'aiida-foundry run gw.gap -s si.cif' in invoke('run', 'gw.gap', '--help').output


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('--protocol', 'best'), 'protocol `best`: it is unknown'),
        (('--set', 'parameters.cutoff=3'), 'override `parameters.cutoff`: it is unknown'),
        (('--set', 'parameters.screening_cutoff=-3'), 'screening_cutoff'),
        (('--set', 'parameters.wavefunction_cutoff=-1'), 'wavefunction_cutoff'),
        (('--set', 'parameters'), 'it is not KEY=VALUE'),
        (('--set', 'parameters.bands=[1'), 'its value is not YAML'),
        (('--family', 'absent'), 'pseudopotential family `absent`'),
        (('--method', 'gw'), "'gw' is not one of"),
    ],
)
def test_bad_options(run, new_nodes, arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert new_nodes() == 0


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('', 'the file is empty'),
        ('data_x\n', 'not a readable CIF'),
        (CIF + 'Si1 Si 0 0 0 0.5\n', 'partial occupancies'),
        (CIF + 'Si1 Si 0 0 0 1\nSi2 Si 0.1 0 0 1\n', 'pairs of atoms overlap'),
        (CIF + 'Al1 Al 0 0 0 1\n', 'odd number of electrons (3)'),
        (CIF + 'U1 U 0 0 0 1\nU2 U 0.5 0.5 0.5 1\n', 'no pseudopotential of U'),
    ],
)
def test_bad_structures(run, new_nodes, tmp_path, content, message):
    path = tmp_path / 'x.cif'
    path.write_text(content)
    result = run(structure=path)
    assert result.exit_code == 2
    assert message in result.output
    assert new_nodes() == 0


def test_no_such_code(invoke, aiida_profile):
    result = invoke('run', 'gw.gap', '-s', 'Si', '-m', 'qsgw', '--code', 'absent@localhost')
    assert result.exit_code == 2
    assert 'the profile has no such code' in result.output
    assert 'aiida-foundry doctor' in result.output


def test_missing_executable(run, code, tmp_path):
    executable = tmp_path / 'abinit'
    executable.touch(mode=0o755)
    gone = orm.InstalledCode(
        code.computer, filepath_executable=str(executable), label='gone', default_calc_job_plugin='foundry.abinit'
    ).store()
    executable.unlink()
    result = run(code=gone)
    assert result.exit_code == 2
    assert 'its executable cannot be used' in result.output


def test_code_of_another_engine(run, code):
    other = orm.InstalledCode(
        code.computer, filepath_executable='/bin/true', label='pw', default_calc_job_plugin='quantumespresso.pw'
    ).store()
    result = run(code=other)
    assert result.exit_code == 2
    assert 'it is for quantumespresso.pw' in result.output


def test_daemon_that_does_not_run(run, new_nodes):
    result = run('--daemon')
    assert result.exit_code == 2
    assert '--daemon: ' in result.output
    assert 'se --blocking' in result.output
    assert new_nodes() == 0


@pytest.mark.parametrize(
    ('assignments', 'expected'),
    [
        (['a=1'], {'a': 1}),
        (['a.b=1e-6', 'a.c=x'], {'a': {'b': 1e-6, 'c': 'x'}}),
        (['a=[4, 4, 4]', 'b=true', 'c=null', 'd=-2.5'], {'a': [4, 4, 4], 'b': True, 'c': None, 'd': -2.5}),
        (['a=b=c'], {'a': 'b=c'}),
    ],
)
def test_overrides(assignments, expected):
    assert parse_overrides(assignments) == expected


@pytest.mark.parametrize('assignments', [['a=1', 'a=2'], ['a=1', 'a.b=2'], ['a.b=2', 'a=1']])
def test_overrides_that_contradict_each_other(assignments):
    with pytest.raises(InputError, match='another --set gives the same key'):
        parse_overrides(assignments)


def shell(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Run Python in an interpreter of its own, with an AiiDA configuration of its own."""
    environment = {**os.environ, 'AIIDA_PATH': str(folder)}
    return subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False, cwd=folder
    )


COMMAND = ('-c', 'from aiida_foundry.cli import cli; cli()', 'run', 'gw.gap', '-s', 'Si', '-m', 'qsgw')


def test_without_profile(tmp_path):
    result = shell(tmp_path, *COMMAND)
    assert result.returncode == 2
    assert 'Create it with `aiida-foundry setup`' in result.stderr


def test_configuration_of_a_newer_aiida(tmp_path):
    folder = tmp_path / '.aiida'
    folder.mkdir()
    version = {'CURRENT': 999, 'OLDEST_COMPATIBLE': 999}
    (folder / 'config.json').write_text(json.dumps({'CONFIG_VERSION': version, 'profiles': {}}))
    result = shell(tmp_path, *COMMAND)
    assert result.returncode == 2
    assert 'written by a newer AiiDA' in result.stderr


def test_profile_of_a_newer_aiida(tmp_path):
    made = shell(tmp_path, '-c', 'from aiida_foundry.setup.profile import ensure_profile; ensure_profile()')
    assert made.returncode == 0, made.stderr
    (database,) = tmp_path.rglob('database.sqlite')
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'main_9999'")
    result = shell(tmp_path, *COMMAND)
    assert result.returncode == 2
    assert 'profile `foundry`' in result.stderr
    assert 'upgrade aiida-core' in result.stderr


def test_failure_sets_the_exit_status_and_says_why(aiida_code_installed, aiida_localhost, capsys):
    """The same path as any workflow takes, with one that runs everywhere."""
    builder = WorkflowFactory('core.arithmetic.multiply_add').get_builder()
    aiida_localhost.set_minimum_job_poll_interval(0)
    builder.code = aiida_code_installed(
        default_calc_job_plugin='core.arithmetic.add', filepath_executable='/bin/bash', computer=aiida_localhost
    )
    builder.x, builder.y, builder.z = orm.Int(-2), orm.Int(3), orm.Int(4)
    assert launch.run_here(builder, make_console(), as_json=False) == 1
    output = capsys.readouterr().out
    assert 'failed with exit status 400' in output
    assert 'The result is a negative number.' in output
    assert 'ArithmeticAddCalculation' in output
    assert 'The sum of the operands is a negative number.' in output


@pytest.fixture(scope='module')
def tiny_job(engine_codes, pbe_family):
    """Return a function that runs silicon on the command line, with cutoffs far too small."""
    arguments = ['run', 'gw.gap', '-s', str(SILICON), '-m', 'g0w0-ppm', '--protocol', 'fast']
    arguments += ['--code', engine_codes['abinit'].full_label]
    arguments += [argument for key, value in TINY.items() for argument in ('--set', f'{key}={value}')]
    return lambda *options: CliRunner().invoke(cli, [*arguments, *options])


@pytest.fixture(scope='module')
def tiny_run(tiny_job):
    """Return the result of that job."""
    return tiny_job()


@pytest.mark.engine
def test_silicon_from_file_to_table(tiny_run):
    assert tiny_run.exit_code == 0, tiny_run.output
    assert 'scf' in tiny_run.output
    row = next(line.split() for line in tiny_run.output.splitlines() if line.split()[:1] == ['g0w0-ppm'])
    node = orm.load_node(row[-1])
    assert int(row[-2]) == node.pk
    gaps = node.outputs.gaps.get_dict()
    assert row[1] == f'{gaps["kohn_sham"]["direct"]:.3f}'
    assert row[3] == f'{gaps["quasiparticle"]["direct"]:.3f}'
    assert gaps['quasiparticle']['direct'] > gaps['kohn_sham']['direct'] > 2


@pytest.mark.engine
def test_the_same_job_is_not_run_twice(tiny_run, tiny_job, new_nodes):
    again = tiny_job()
    assert again.exit_code == 0, again.output
    assert 'The same job ran before' in again.output
    assert new_nodes() == 0
    row, other = (
        next(line.split() for line in run.output.splitlines() if line.split()[:1] == ['g0w0-ppm'])
        for run in (tiny_run, again)
    )
    assert row == other


@pytest.mark.engine
def test_result_is_reachable_from_the_file(tiny_run):
    row = next(line.split() for line in tiny_run.output.splitlines() if line.split()[:1] == ['g0w0-ppm'])
    node = orm.load_node(row[-1])
    gaps = node.outputs.gaps.uuid
    query = orm.QueryBuilder().append(orm.CifData, tag='file', project='attributes.filename')
    query.append(orm.Dict, with_ancestors='file', filters={'uuid': gaps})
    assert query.distinct().all(flat=True) == ['Si.cif']


@pytest.mark.engine
def test_printed_query_finds_the_result(tiny_run, capsys):
    """The statement is run here, since the profile of the tests is in no configuration file."""
    line = next(line for line in tiny_run.output.splitlines() if 'QueryBuilder' in line)
    *_, flag, statement = shlex.split(line)
    assert flag == '-c'
    exec(statement, {})  # noqa: S102
    row = next(line.split() for line in tiny_run.output.splitlines() if line.split()[:1] == ['g0w0-ppm'])
    assert capsys.readouterr().out.strip() == str([orm.load_node(row[-1]).outputs.gaps.get_dict()])
