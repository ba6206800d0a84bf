"""Queries find what is there, all of it, with a number of SQL statements that does not depend on how much it is."""

from __future__ import annotations

import hashlib
from datetime import timezone

import pytest

from aiida_foundry import datasets
from aiida_foundry.common.errors import InputError
from aiida_foundry.datasets.arrays import load_arrays
from aiida_foundry.datasets.crystals import with_atoms
from aiida_foundry.datasets.queries import Query


def test_every_value_is_that_of_the_graph(find, three_gaps):
    records = list(find())
    assert [record.uuid for record in records] == [node.uuid for node in three_gaps]
    for record, node in zip(records, three_gaps, strict=True):
        gaps, parameters = node.outputs.gaps.get_dict(), node.inputs.parameters.get_dict()
        assert record.direct == gaps['quasiparticle']['direct']
        assert record.indirect == gaps['quasiparticle']['indirect']
        assert record.kohn_sham_direct == gaps['kohn_sham']['direct']
        assert record.kohn_sham_indirect == gaps['kohn_sham']['indirect']
        assert record.extremum_on_mesh is False
        assert record.method == node.inputs.method.value
        assert record.mesh == tuple(node.inputs.kpoints.get_kpoints_mesh()[0])
        assert record.wavefunction_cutoff == parameters['wavefunction_cutoff']
        assert record.screening_cutoff == parameters['screening_cutoff']
        assert record.bands == parameters['bands']
        assert record.functional == 'PBE'
        assert record.frequency_treatment == 'plasmon-pole'
        assert record.core_seconds == 12.5
        assert record.structure == node.inputs.structure.uuid
        assert record.atoms == len(node.inputs.structure.sites)
        assert record.process == node.process_type
        assert record.created.astimezone(timezone.utc) == node.ctime
        assert record.plugin_version == '0.1.0'
        assert record.aiida_version == '2.9.4'
        assert record.quasiparticle_bands == node.outputs.quasiparticle_bands.uuid
    assert [record.formula for record in records] == ['Si', 'Si', 'AlP']


def test_all_versions_of_an_engine(find, three_gaps):
    assert [record.engines for record in find()] == [
        'abinit 9.6.2',
        'abinit 9.6.2',
        'abinit 9.10.3, abinit 9.6.2',
    ]


def test_hash_of_all_pseudopotentials(find, three_gaps, make_gap):
    oxide = three_gaps[2]
    checksums = sorted(node.md5 for label, node in oxide.inputs.pseudos.items())
    assert len(checksums) == 2
    digest = hashlib.sha256(' '.join(checksums).encode()).hexdigest()[:16]
    first, second, third = (record.pseudopotentials for record in find())
    assert third == f'sha256:{digest}'
    assert first == second != third


@pytest.mark.parametrize(
    ('where', 'found'),
    [
        ('formula=Si', [0, 1]),
        ('formula=Si,method=qsgw', [1]),
        ('formula!=Si', [2]),
        ('direct>3', [1, 2]),  # an integer in SQL would cut 3.5 to 3
        ('direct>=3, direct<=3.5', [0, 1]),
        ('direct<3', []),
        ('extremum_on_mesh=false', [0, 1, 2]),  # SQLite does not find Boolean values
        ('extremum_on_mesh=true', []),
        ('bands=40', [0, 1, 2]),
        ('engines="abinit 9.10.3, abinit 9.6.2"', [2]),
        ('created>2020-01-01', [0, 1, 2]),
        ('created<2020-01-01T00:00:00+02:00', []),
        ('structure=nonsense', []),
        (['formula=Si', 'method=qsgw'], [1]),
        ('', [0, 1, 2]),
    ],
)
def test_conditions(find, three_gaps, where, found):
    assert [record.uuid for record in find(where)] == [three_gaps[index].uuid for index in found]


def test_conditions_as_arguments(find, three_gaps):
    assert [record.uuid for record in find(formula='Si', method='qsgw')] == [three_gaps[1].uuid]
    assert [record.uuid for record in find(uuid=three_gaps[2].uuid)] == [three_gaps[2].uuid]


def test_nothing_is_read_before_it_is_asked_for(find, three_gaps, statements):
    query = find('formula=Si')
    assert not statements
    list(query)
    assert statements


def test_frame_has_units(find, three_gaps):
    frame = find().frame()
    assert frame['direct'].tolist() == [3.0, 3.5, 7.0]
    assert frame['mesh'][0].tolist() == [2, 2, 2]
    assert frame.attrs['units']['direct'] == 'eV'
    assert frame.attrs['units']['screening_cutoff'] == 'hartree'
    assert str(frame['created'].dtype).startswith('datetime64')


def test_batches(find, three_gaps):
    assert [len(batch) for batch in find().batches(2)] == [2, 1]


def test_arrays_on_demand(find, three_gaps):
    record = next(iter(find(method='qsgw')))
    assert load_arrays(record.quasiparticle_bands)['bands'].tolist() == [[5.0, 8.5]]


@pytest.mark.parametrize(
    ('argument', 'message'),
    [('not-a-uuid', 'it is not in this profile'), ('structure', 'it is a StructureData without arrays')],
)
def test_no_arrays(three_gaps, argument, message):
    uuid = three_gaps[0].inputs.structure.uuid if argument == 'structure' else argument
    with pytest.raises(InputError, match=message):
        load_arrays(uuid)


def test_unknown_records():
    with pytest.raises(InputError, match=r'records `bananas`.*Known are .*gaps'):
        Query('bananas')
    with pytest.raises(AttributeError, match='no records `bananas`'):
        _ = datasets.bananas


@pytest.mark.parametrize('structure', [None, '00000000-0000-4000-8000-000000000000'])
def test_record_without_crystal(find, three_gaps, monkeypatch, structure):
    records = [record.model_copy(update={'structure': structure}) for record in find()]
    monkeypatch.setattr(Query, 'batches', lambda *_: iter([records]))
    with pytest.raises(InputError, match=f'{records[0].uuid}: it has no crystal in this profile'):
        list(with_atoms(find()))
