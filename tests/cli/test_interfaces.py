"""``aiida-foundry interfaces screen``."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from aiida import orm
from pymatgen.core import Lattice, Structure

from aiida_foundry.structures.collections import Entry, write_archive

PEROVSKITE = [[0, 0, 0], [1 / 2, 1 / 2, 1 / 2], [1 / 2, 1 / 2, 0], [1 / 2, 0, 1 / 2], [0, 1 / 2, 1 / 2]]
LAO = Structure(Lattice.cubic(3.79), ['La', 'Al', 'O', 'O', 'O'], PEROVSKITE)
STO = Structure(Lattice.cubic(3.905), ['Sr', 'Ti', 'O', 'O', 'O'], PEROVSKITE)
ALUMINIUM = Structure(Lattice.cubic(4.05), ['Al'] * 4, [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
SMALL = ('--protocol', 'fast', '--set', 'parameters.max_area=20', '--set', 'parameters.min_thickness=0')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Return a folder of CIF files, one of them broken."""
    path = tmp_path_factory.mktemp('structures')
    for name, structure in (('LAO', LAO), ('STO', STO), ('Al', ALUMINIUM)):
        structure.to(filename=str(path / f'{name}.cif'))
    (path / 'broken.cif').write_text('data_nothing\n')
    return path


def test_folder(folder, invoke, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = invoke('interfaces', 'screen', folder, *SMALL, '--output', 'tables')
    assert done.exit_code == 0, done.output
    assert '4 crystals, 2 take part, 1 pairs' in done.output
    assert '1 metal, or elemental without a known gap, 1 unreadable' in done.output
    row = next(line.split() for line in done.output.splitlines() if 'LaAlO3' in line)
    assert row[0] == '1'
    assert '0.5' in row
    pairs = pd.read_parquet(tmp_path / 'tables/pairs.parquet')
    assert pairs.charge_e.tolist()[0] == 0.5
    assert (
        'not a readable CIF'
        in pd.read_parquet(tmp_path / 'tables/crystals.parquet').set_index('name').reason['broken.cif']
    )
    again = invoke('interfaces', 'screen', folder, *SMALL)
    assert again.exit_code == 0
    assert 'ran before' in again.output
    pk = again.output.split('as PK ')[1].split(';')[0]
    shown = invoke('show', pk)
    assert 'Best pairs' in shown.output


def test_json_of_an_archive_with_known_properties(invoke, tmp_path):
    path, known = tmp_path / 'oxides.jsonl', tmp_path / 'known.yaml'
    path.write_text(write_archive([Entry('lao', LAO), Entry('sto', STO)]))
    known.write_text('SrTiO3: {gap: 3.2, dielectric_constant: 300}\nlao: {gap: 5.6, dielectric_constant: 24}\n')
    done = invoke('interfaces', 'screen', path, *SMALL, '--known', known, '--json')
    assert done.exit_code == 0, done.output
    record = json.loads(done.stdout)
    best = record['summary']['best'][0]
    assert (best['film'], best['substrate']) == ('lao', 'sto')
    assert best['critical_thickness_A'] > 100
    assert record['exit_status'] == 0


def test_group(aiida_profile, invoke):
    group, _ = orm.Group.collection.get_or_create('two oxides')
    nodes = [orm.StructureData(pymatgen=structure).store() for structure in (LAO, STO)]
    group.add_nodes(nodes)
    done = invoke('interfaces', 'screen', '--group', 'two oxides', *SMALL, '--json')
    assert done.exit_code == 0, done.output
    names = {f'{node.get_formula()}_{node.uuid[:8]}' for node in nodes}
    best = json.loads(done.stdout)['summary']['best'][0]
    assert {best['film'], best['substrate']} == names


def test_dry_run_stores_nothing(folder, invoke, aiida_profile):
    before = orm.QueryBuilder().append(orm.Node).count()
    done = invoke('interfaces', 'screen', folder, '--dry-run', '--json')
    assert done.exit_code == 0, done.output
    record = json.loads(done.stdout)
    assert (record['structures'], record['readable']) == (4, 3)
    assert (record['crystals_taking_part'], record['pairs_of_crystals']) == (2, 1)
    assert record['core_seconds'] > 0
    assert orm.QueryBuilder().append(orm.Node).count() == before
    assert 'about 2 take part' in invoke('interfaces', 'screen', folder, '--dry-run').output


def test_no_insulators(invoke, tmp_path):
    path = tmp_path / 'metals.jsonl'
    path.write_text(write_archive([Entry('one', ALUMINIUM), Entry('two', ALUMINIUM)]))
    done = invoke('interfaces', 'screen', path, *SMALL)
    assert done.exit_code == 1
    assert '0 of 2 crystals take part' in done.output


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        ((), 'SOURCE or --group'),
        (('nowhere',), 'does not exist'),
        (('--group', 'nobody'), 'none, or several, of this label'),
        (('{folder}', '--group', 'nobody'), 'SOURCE or --group'),
        (('{folder}', '--set', 'parameters.max_area=-1'), 'max_area'),
        (('{folder}', '--known', '{known}'), 'SrTIO3'),
        (('http://127.0.0.1:1',), 'no usable answer'),
    ],
)
def test_refused(arguments, words, folder, invoke, tmp_path):
    known = tmp_path / 'known.yaml'
    known.write_text('SrTIO3: {gap: 3.2}\n')
    done = invoke('interfaces', 'screen', *(word.format(folder=folder, known=known) for word in arguments))
    assert done.exit_code == 2
    assert words in done.output
