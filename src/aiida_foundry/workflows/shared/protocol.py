"""Protocols as in aiida-quantumespresso, but an override that is not understood is an error."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from aiida_quantumespresso.workflows.protocols.utils import ProtocolMixin, recursive_merge

from aiida_foundry.common.errors import InputError


class StrictProtocolMixin(ProtocolMixin):
    """Build inputs from a YAML file that lists every key a user may override.

    `default_inputs` and `meta_inputs_schema` of the YAML together hold all keys. A key with the value `null` has no
    default; below a key whose value is an empty mapping anything is allowed.
    """

    @classmethod
    def get_protocol_inputs(
        cls, protocol: str | None = None, overrides: Mapping[str, Any] | Path | None = None
    ) -> dict[str, Any]:
        """Return the inputs of a protocol with the overrides applied.

        Raises:
            InputError: if the protocol or a key of the overrides is unknown.
        """
        data = cls._load_protocol_file()
        name = protocol or data['default_protocol']
        if name not in data['protocols']:
            raise InputError(f'protocol `{name}`', 'it is unknown', f'Known are {", ".join(data["protocols"])}')
        inputs: dict[str, Any] = recursive_merge(data['default_inputs'], data['protocols'][name])
        inputs.pop('description')
        if isinstance(overrides, Path):
            overrides = _read_overrides(overrides)
        if not overrides:
            return inputs
        _refuse_unknown(overrides, recursive_merge(data.get('meta_inputs_schema', {}), inputs))
        return recursive_merge(inputs, overrides)


def _read_overrides(path: Path) -> dict[str, Any]:
    with path.open(encoding='utf-8') as handle:
        overrides: dict[str, Any] = yaml.safe_load(handle)
    return overrides


def _refuse_unknown(overrides: Mapping[str, Any], known: Mapping[str, Any], path: str = '') -> None:
    """Raise for the first key of the overrides that the protocol does not know."""
    for key, value in overrides.items():
        subject = f'override `{path}{key}`'
        if key not in known:
            raise InputError(subject, 'it is unknown', f'Known here are {", ".join(known)}')
        below = known[key]
        if isinstance(below, Mapping) and not isinstance(value, Mapping):
            raise InputError(subject, f'it is a group of settings, not the value {value!r}', 'Set one of its members')
        if isinstance(below, Mapping) and below:
            _refuse_unknown(value, below, f'{path}{key}.')
