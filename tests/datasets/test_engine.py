"""A real gap of silicon: found by a query, exported, sent to another profile and found there again, unchanged."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import ase.db
import ase.io
import pyarrow.parquet
import pytest
from aiida.engine import run_get_node
from aiida.plugins import WorkflowFactory

from aiida_foundry.common.errors import InputError
from aiida_foundry.datasets.account import write_account
from aiida_foundry.datasets.archive import export_archive
from aiida_foundry.datasets.archive_check import check_archive
from aiida_foundry.datasets.export import export
from aiida_foundry.datasets.queries import Query
from aiida_foundry.structures.collections import read_archive
from aiida_foundry.structures.importers import load_structure

pytestmark = pytest.mark.engine

IMPORT = """
import json, sys
from pathlib import Path
from aiida import load_profile
from aiida.manage.configuration import create_profile, get_config
from aiida_foundry.datasets.archive import import_checked
from aiida_foundry.datasets.queries import Query

create_profile(get_config(create=True), name='other', email='a@b', storage_backend='core.sqlite_dos', storage_config={})
load_profile('other')
import_checked(Path(sys.argv[1]))
print(json.dumps([record.model_dump(mode='json') for record in Query('gaps')]))
"""


@pytest.fixture(scope='module')
def gap(engine_codes, pbe_family):
    """Return a real process, with settings far from convergence."""
    parameters = {'wavefunction_cutoff': 6.0, 'bands': 20, 'screening_cutoff': 1.5}
    builder = WorkflowFactory('foundry.gw.gap').get_builder_from_protocol(
        engine_codes['abinit'],
        load_structure('Si'),
        'g0w0-ppm',
        protocol='fast',
        overrides={'parameters': parameters},
        options={'withmpi': False},
    )
    node = run_get_node(builder).node
    assert node.is_finished_ok, node.exit_message
    return node


@pytest.fixture
def query(gap):
    return Query('gaps', uuid=gap.uuid)


def test_record(gap, query):
    (record,) = query
    calculation = next(node for node in gap.called_descendants if node.process_label == 'AbinitCalculation')
    assert record.direct == gap.outputs.gaps['quasiparticle']['direct']
    assert record.mesh == tuple(gap.inputs.kpoints.get_kpoints_mesh()[0])
    assert record.wavefunction_cutoff == 6.0
    assert record.engines == f'abinit {calculation.outputs.output_parameters["abinit_version"]}'
    assert record.pseudopotentials is not None
    assert record.formula == 'Si'


def test_round_trip_through_an_archive(query, tmp_path):
    path = tmp_path / 'silicon.aiida'
    assert export_archive(query, path) == 1
    report = check_archive(path)
    assert report.problems == []
    assert report.processes['aiida.workflows:foundry.gw.abinit'] == 1
    assert any('abinit' in code for code in report.executables)
    other = subprocess.run(
        [sys.executable, '-c', IMPORT, str(path)],
        env=os.environ | {'AIIDA_PATH': str(tmp_path)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert json.loads(other.stdout.splitlines()[-1]) == [record.model_dump(mode='json') for record in query]


def test_tables(query, tmp_path):
    (record,) = query
    assert export(query, tmp_path / 'gaps.parquet') == 1
    table = pyarrow.parquet.read_table(tmp_path / 'gaps.parquet')
    assert query.kind.model.model_validate(table.to_pylist()[0]) == record
    assert table.schema.field('direct').metadata[b'unit'] == b'eV'

    assert export(query, tmp_path / 'gaps.csv') == 1
    with (tmp_path / 'gaps.csv').open(newline='') as handle:
        (row,) = csv.DictReader(handle)
    assert float(row['direct (eV)']) == record.direct
    assert json.loads(row['mesh']) == list(record.mesh)


def test_crystals(gap, query, tmp_path):
    (record,) = query
    expected = gap.inputs.structure.get_ase()
    export(query, tmp_path / 'gaps.extxyz')
    export(query, tmp_path / 'gaps.db')
    atoms = ase.io.read(tmp_path / 'gaps.extxyz')
    (row,) = ase.db.connect(tmp_path / 'gaps.db').select(method='g0w0-ppm')
    for crystal in (atoms, row.toatoms()):
        assert crystal.get_chemical_symbols() == expected.get_chemical_symbols()
        assert crystal.cell.array == pytest.approx(expected.cell.array, abs=1e-7)
        assert crystal.positions == pytest.approx(expected.positions, abs=1e-7)
    assert atoms.info['direct'] == pytest.approx(record.direct)
    assert atoms.info['uuid'] == record.uuid
    assert row.direct == record.direct
    assert row.data['uuid'] == record.uuid


@pytest.fixture
def optimake(tmp_path_factory, monkeypatch):
    """Install ``optimade-maker`` as a user does, in an environment of its own, and put it on the PATH."""
    folder = tmp_path_factory.mktemp('tools')
    environment = os.environ | {'UV_TOOL_DIR': str(folder / 'environments'), 'UV_TOOL_BIN_DIR': str(folder)}
    uv = Path(sys.executable).with_name('uv')
    subprocess.run([uv, 'tool', 'install', '--quiet', 'optimade-maker~=1.0'], env=environment, check=True)
    monkeypatch.setenv('PATH', os.pathsep.join([str(folder), os.environ['PATH']]))


def test_optimade(gap, query, tmp_path, optimake):
    (record,) = query
    path = tmp_path / 'gaps.jsonl'
    assert export(query, path) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ['gaps.jsonl']
    (entry,) = read_archive(path.read_text())
    assert entry.name == record.uuid
    assert entry.structure.composition.reduced_formula == 'Si'
    resources = [json.loads(line) for line in path.read_text().splitlines()]
    info = next(line for line in resources if line.get('id') == 'structures')
    assert info['properties']['_optimake_direct']['unit'] == 'eV'
    crystal = next(line for line in resources if line.get('type') == 'structures')
    assert crystal['attributes']['lattice_vectors'] == gap.inputs.structure.cell
    fields = {name: crystal['attributes'][f'_optimake_{name}'] for name in type(record).model_fields}
    assert fields == record.model_dump(mode='json')


def test_optimade_without_its_executable(query, tmp_path, monkeypatch):
    monkeypatch.setenv('PATH', str(tmp_path))
    assert shutil.which('optimake') is None
    with pytest.raises(InputError, match='uv tool install optimade-maker'):
        export(query, tmp_path / 'gaps.jsonl')


def test_file_that_cannot_be_written_is_left_as_it_was(query, tmp_path):
    path = tmp_path / 'gaps.txt'
    path.write_text('precious')
    with pytest.raises(InputError, match='its suffix tells no known format'):
        export(query, path)
    with pytest.raises(InputError, match='its folder does not exist'):
        export(query, tmp_path / 'nowhere' / 'gaps.csv')
    with pytest.raises(InputError, match='the query finds none'):
        export_archive(Query('gaps', 'formula=Og'), tmp_path / 'none.aiida')
    assert [entry.name for entry in tmp_path.iterdir()] == ['gaps.txt']
    assert path.read_text() == 'precious'


def test_account(gap):
    text = write_account(gap.outputs.gaps)
    structure = gap.inputs.structure
    calculation = next(node for node in gap.called_descendants if node.process_label == 'AbinitCalculation')
    assert f'Made by AbinitGwGapWorkChain {gap.uuid}.' in text
    assert f'Si2, 2 atoms, structure {structure.uuid}' in text
    assert 'made by structure_from_prototype' in text
    assert f'AbinitCalculation {calculation.uuid}, {calculation.inputs.code.full_label}' in text
    for label in ('scf', 'mesh_bands', 'path_bands', 'screening', 'self_energy'):
        assert f'\n- {label}: AbinitBaseWorkChain ' in text
    assert f'- abinit version: {calculation.outputs.output_parameters["abinit_version"]}\n' in text
    assert '- parameters.wavefunction_cutoff: 6.0' in text
    assert f'MD5 {gap.inputs.pseudos.Si.md5}' in text
    assert 'finished with success after' in text
