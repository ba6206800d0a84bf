"""Arrays of a result, loaded when they are asked for: records hold the UUID of the node."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm
from aiida.common.exceptions import NotExistent
from numpy.typing import NDArray

from aiida_foundry.common.errors import InputError


def load_arrays(uuid: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of a node by name; units are among the attributes of the node.

    Args:
        uuid: of the node, as a record holds it: ``record.quasiparticle_bands``.

    Raises:
        InputError: if there is no such node, or it has no arrays.
    """
    try:
        node = orm.load_node(uuid=uuid)
    except (NotExistent, ValueError) as error:
        raise InputError(f'node `{uuid}`', 'it is not in this profile', 'Load the profile of the query') from error
    if not isinstance(node, orm.ArrayData):
        raise InputError(f'node `{uuid}`', f'it is a {type(node).__name__} without arrays', 'Give that of an array')
    return {name: np.asarray(node.get_array(name)) for name in node.get_arraynames()}
