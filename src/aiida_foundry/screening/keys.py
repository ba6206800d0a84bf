"""The key of a job: what it would compute, as a hash, written into the label of its process."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from aiida.engine import ProcessBuilder
from aiida.orm import Node, ProcessNode, QueryBuilder

from aiida_foundry import __version__

PREFIX = 'foundry:'


def content_key(builder: ProcessBuilder) -> str:
    """Return the key of a job: equal for equal inputs, whichever nodes hold them, of one release of the workflow.

    Args:
        builder: the process with its inputs; metadata, such as labels, do not count.
    """
    inputs = sorted(_content(builder._inputs(prune=True)))
    content = json.dumps([builder.process_class.__name__, __version__, inputs])
    return PREFIX + hashlib.sha256(content.encode()).hexdigest()[:32]


def _content(inputs: Mapping[str, Any], path: str = '') -> Iterator[tuple[str, str]]:
    """Iterate over pairs of the path of an input and the hash of its content."""
    for name, value in inputs.items():
        if isinstance(value, Node):
            # of nodes that are not stored yet too, which `compute_hash` refuses
            yield f'{path}{name}', value.base.caching._compute_hash() or value.uuid
        elif isinstance(value, Mapping) and name != 'metadata':
            yield from _content(value, f'{path}{name}.')


def find_finished(key: str) -> ProcessNode | None:
    """Return the latest process with this key that finished with success, or None."""
    query = QueryBuilder().append(ProcessNode, filters={'label': key, 'attributes.exit_status': 0})
    node: ProcessNode | None = query.order_by({ProcessNode: {'id': 'desc'}}).limit(1).first(flat=True)
    return node
