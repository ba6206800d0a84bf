"""Checkpoints of processes written and read by libyaml instead of PyYAML's pure Python.

AiiDA saves a process as YAML at each of its steps, and reads it when a worker takes the process up. The text has the
same meaning either way, so that a process can be saved by one and continued by the other.
"""

from __future__ import annotations

from typing import IO, Any

import yaml
from aiida.orm.utils import serialize
from yaml.constructor import Constructor
from yaml.representer import Representer
from yaml.resolver import Resolver

from aiida_foundry.common.errors import InputError


def use_libyaml() -> None:
    """Let ``aiida.orm.utils.serialize`` of this process use libyaml; calling it again changes nothing.

    aiida-core has no option for it: the module looks its dumper and its loader up by name at every call, and we put
    subclasses of them there, which keep all their rules and replace the text layer only.

    Raises:
        InputError: if PyYAML was built without libyaml; its wheels for all common platforms have it.
    """
    if not yaml.__with_libyaml__:
        raise InputError('PyYAML', 'it was built without libyaml', 'Install the wheel: `pip install --force PyYAML`')
    from yaml._yaml import CEmitter

    if issubclass(serialize.AiiDADumper, CEmitter):
        return
    serialize.AiiDADumper, serialize.AiiDALoader = _libyaml_classes(serialize.AiiDADumper, serialize.AiiDALoader)


def _libyaml_classes(dumper: type[yaml.Dumper], loader: type[yaml.Loader]) -> tuple[type, type]:
    """Return subclasses of a dumper and a loader, built as PyYAML builds ``CDumper`` and ``CLoader``."""
    from yaml._yaml import CEmitter, CParser

    class LibyamlDumper(CEmitter, dumper):  # type: ignore[misc, valid-type]
        def __init__(self, stream: IO[str], default_style: str | None = None, **options: Any) -> None:
            representation = {
                'default_flow_style': options.pop('default_flow_style'),
                'sort_keys': options.pop('sort_keys'),
            }
            CEmitter.__init__(self, stream, **options)
            Representer.__init__(self, default_style=default_style, **representation)
            Resolver.__init__(self)

    class LibyamlLoader(CParser, loader):  # type: ignore[misc, valid-type]
        def __init__(self, stream: str) -> None:
            CParser.__init__(self, stream)
            Constructor.__init__(self)
            Resolver.__init__(self)

    return LibyamlDumper, LibyamlLoader
