"""What an area may register, and what is refused when it does."""

from __future__ import annotations

from typing import Annotated

import pytest

from aiida_foundry.common.records import Record, RecordType, called, input_, output, process, record_types
from aiida_foundry.datasets.tables import arrow_type, schema_of


def test_every_registered_type_is_complete():
    """Columns have a meaning, real numbers a unit, and a table can hold them."""
    for name, kind in record_types().items():
        assert kind.description
        schema = schema_of(name, kind)
        for field in schema:
            assert kind.about(field.name), f'{name}.{field.name} does not say what it is'


def test_places():
    assert output('gaps', 'a.b').projection == 'attributes.a.b'
    assert output('gaps').projection == 'uuid'
    assert [link.kind for link in called('output_parameters', 'version', calls=('gap', '%')).links] == [
        'call',
        'call',
        'output',
    ]


@pytest.mark.parametrize(
    ('annotation', 'message'),
    [
        (float, 'needs one place'),
        (Annotated[float, output('a', 'b')], 'needs a unit'),
        (Annotated[float | None, output('a', 'b')], 'needs a unit'),
        (Annotated[str, output('a'), input_('b')], 'needs one place'),
        (Annotated[str, input_('pseudos__%', 'md5')], 'needs one place'),
    ],
)
def test_refused(annotation, message):
    model = type('Bad', (Record,), {'__annotations__': {'value': annotation}})
    with pytest.raises(TypeError, match=message):
        RecordType(model, ('aiida.workflows:bad',), 'Bad')


def test_summary_names_fields():
    model = type('Good', (Record,), {'__annotations__': {'state': Annotated[str, process('label')]}})
    with pytest.raises(TypeError, match='colour'):
        RecordType(model, ('aiida.workflows:good',), 'Good', summary=('colour',))


def test_type_that_no_table_holds():
    with pytest.raises(TypeError, match='cannot be a column'):
        arrow_type(dict)
