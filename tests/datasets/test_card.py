"""The card beside a table says what is in it, in whose words, under which licence, and how to check it."""

from __future__ import annotations

import hashlib
import json

import pyarrow.parquet
import pytest

from aiida_foundry.common.errors import InputError
from aiida_foundry.datasets.card import write_card
from aiida_foundry.datasets.export import export


@pytest.mark.parametrize('name', ['gaps.parquet', 'gaps.csv'])
def test_card(find, three_gaps, tmp_path, name):
    query, path = find('method=g0w0-ppm'), tmp_path / name
    number = export(query, path)
    card = json.loads(write_card(query, path, 'CC-BY-4.0', 'A. Group', query).read_text())
    assert card['license'] == 'https://spdx.org/licenses/CC-BY-4.0.html'
    assert card['conformsTo'] == 'http://mlcommons.org/croissant/1.0'
    assert card['citeAs'].startswith('A. Group, gaps, computed with aiida-foundry ')
    assert f'{number} records' in card['description']
    assert 'method = g0w0-ppm' in card['description']
    assert 'abinit 9.6.2' in card['prov:wasGeneratedBy']['prov:wasAssociatedWith']
    assert card['prov:wasGeneratedBy']['prov:used'] == ['aiida.workflows:foundry.gw.abinit']
    (file,) = card['distribution']
    assert file['sha256'] == hashlib.sha256(path.read_bytes()).hexdigest()
    (records,) = card['recordSet']
    fields = {field['name']: field for field in records['field']}
    assert fields['direct']['description'] == 'direct quasiparticle gap, in eV'
    assert fields['direct']['dataType'] == 'sc:Float'
    assert fields['created']['dataType'] == 'sc:DateTime'
    assert fields['mesh']['repeated'] is True
    # every field is read from a column that the table has
    if name.endswith('.csv'):
        header = path.read_text().splitlines()[0].split(',')
    else:
        header = pyarrow.parquet.read_schema(path).names
    assert [field['source']['extract']['column'] for field in records['field']] == header


@pytest.mark.parametrize(
    ('name', 'licence', 'message'),
    [('gaps.csv', 'free for all', 'no SPDX identifier'), ('gaps.extxyz', 'CC-BY-4.0', 'its format has no card')],
)
def test_refused(find, tmp_path, name, licence, message):
    with pytest.raises(InputError, match=message):
        write_card(find(), tmp_path / name, licence, 'A. Group', [])
