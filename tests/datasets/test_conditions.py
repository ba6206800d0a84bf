"""Conditions as text: what is understood, and what is said of the rest."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from aiida_foundry.common.errors import InputError
from aiida_foundry.datasets.conditions import Condition, parse_conditions
from aiida_foundry.workflows.gw.records import GapRecord


@pytest.mark.parametrize(
    ('text', 'conditions'),
    [
        ('formula=Si', [Condition('formula', '=', 'Si')]),
        (' formula = Si , direct >= 1.2 ', [Condition('formula', '=', 'Si'), Condition('direct', '>=', 1.2)]),
        ('label="a, b=c"', [Condition('label', '=', 'a, b=c')]),
        ('direct>1', [Condition('direct', '>', 1.0)]),
        ('bands!=40', [Condition('bands', '!=', 40)]),
        ('extremum_on_mesh=true', [Condition('extremum_on_mesh', '=', True)]),
        ('created<2026-01-02', [Condition('created', '<', datetime(2026, 1, 2, tzinfo=timezone.utc))]),
        ('formula=', [Condition('formula', '=', '')]),
        ('', []),
    ],
)
def test_parse(text, conditions):
    parsed = parse_conditions(text, GapRecord)
    assert parsed == conditions
    assert [type(condition.value) for condition in parsed] == [type(condition.value) for condition in conditions]


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('formula', 'it is not a field, an operator and a value'),
        ('formula~Si', 'it is not a field, an operator and a value'),
        ('colour=red', 'these records do not have it. Their fields are uuid'),
        ('direct=wide', "'wide' is no float"),
        ('bands=1.5', "'1.5' is no int"),
        ('mesh=2', 'it holds several values'),
        ('label="a', 'a quote is not closed'),
    ],
)
def test_refused(text, message):
    with pytest.raises(InputError, match=message):
        parse_conditions(text, GapRecord)


def test_missing_value_satisfies_nothing():
    assert not Condition('formula', '!=', 'Si').holds(None)
