"""What libyaml writes and reads is what PyYAML writes and reads."""

from __future__ import annotations

from enum import Enum

import pytest
import yaml
from aiida import orm
from aiida.common import AttributeDict
from aiida.orm.utils import serialize
from hypothesis import given
from hypothesis import strategies as st
from plumpy import Bundle
from plumpy.utils import AttributesFrozendict
from yaml._yaml import CEmitter, CParser

from aiida_foundry.setup.checkpoints import _libyaml_classes, use_libyaml

PURE = (serialize.AiiDADumper, serialize.AiiDALoader)
if issubclass(PURE[0], CEmitter):  # another test opened a storage of ours
    PURE = (PURE[0].__mro__[2], PURE[1].__mro__[2])
LIBYAML = _libyaml_classes(*PURE)
PAIRS = pytest.mark.parametrize(
    ('dumper', 'loader'), [(LIBYAML[0], LIBYAML[1]), (LIBYAML[0], PURE[1]), (PURE[0], LIBYAML[1])]
)

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)


class Step(Enum):
    FIRST = 'first'


@PAIRS
@given(values)
def test_any_data_survives(dumper, loader, value):
    assert yaml.load(yaml.dump(value, Dumper=dumper), Loader=loader) == value  # noqa: S506 our own text


@PAIRS
def test_objects_of_checkpoints_survive(dumper, loader, aiida_profile):
    shared = ['one object in two places']
    bundle = Bundle.__new__(Bundle)
    bundle.update(
        {
            'node': orm.Int(3).store(),
            'inputs': AttributesFrozendict({'parameters': orm.Dict({'a': 1}).store()}),
            'ctx': AttributeDict({'text': 'two lines \n  and trailing blanks  \n\n', 'shared': shared}),
            'shared': shared,
            'state': Step.FIRST,
            'nested': yaml.dump({'text': 'a "quoted" string: {with} [marks] # and more'}, Dumper=dumper),
        }
    )
    loaded = yaml.load(yaml.dump(bundle, Dumper=dumper), Loader=loader)  # noqa: S506 our own text
    assert type(loaded) is Bundle
    assert dict(loaded) == dict(bundle)
    assert type(loaded['ctx']) is AttributeDict
    assert loaded['ctx'].shared is loaded['shared']


def test_it_is_used_by_aiida_and_once_only(monkeypatch):
    monkeypatch.setattr(serialize, 'AiiDADumper', PURE[0])
    monkeypatch.setattr(serialize, 'AiiDALoader', PURE[1])
    use_libyaml()
    chosen = serialize.AiiDADumper, serialize.AiiDALoader
    assert issubclass(chosen[0], CEmitter)
    assert issubclass(chosen[1], CParser)
    use_libyaml()
    assert (serialize.AiiDADumper, serialize.AiiDALoader) == chosen
    assert serialize.deserialize_unsafe(serialize.serialize({'a': (1, 2)})) == {'a': (1, 2)}
