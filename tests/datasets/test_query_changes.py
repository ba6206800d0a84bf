"""Queries while the profile grows, and of what is not as it should be."""

from __future__ import annotations

import pytest
from aiida import orm


def test_number_of_statements_does_not_depend_on_that_of_rows(find, three_gaps, make_gap, statements):
    number = len(list(find()))
    few = len(statements)
    for _ in range(4):
        make_gap(direct=4.0)
    statements.clear()
    assert len(list(find())) == number + 4
    assert len(statements) == few <= 5


def test_failed_processes_are_asked_for(find, make_gap):
    node = make_gap(exit_status=502)
    assert node.uuid not in [record.uuid for record in find()]
    assert [record.uuid for record in find('exit_status!=0', failed=True)] == [node.uuid]


def test_reading_may_stop_and_nodes_be_stored_meanwhile(find, three_gaps):
    number = len(list(find()))
    records = iter(find())
    first = next(records)
    orm.Int(1).store()
    assert first.uuid == three_gaps[0].uuid
    records.close()
    orm.Int(2).store()
    assert len(list(find())) == number


def test_what_does_not_fit_is_left_out_and_named(find, three_gaps, make_gap):
    number = len(list(find()))
    gaps = {'kohn_sham': {'direct': 2.0, 'indirect': 1.0}, 'quasiparticle': {'direct': 'wide', 'indirect': 1.0}}
    bad = make_gap(gaps=gaps)
    query = find()
    assert len(list(query)) == number
    ((uuid, reason),) = query.left_out
    assert uuid == bad.uuid
    assert 'direct: Input should be a valid number' in reason
    assert 'extremum_on_mesh' in reason
    with pytest.warns(UserWarning, match=bad.uuid):
        assert len(query.frame()) == number


def test_frame_of_nothing_has_its_columns(find):
    frame = find('formula=Og').frame()
    assert len(frame) == 0
    assert {'formula', 'direct', 'uuid'} <= set(frame.columns)
