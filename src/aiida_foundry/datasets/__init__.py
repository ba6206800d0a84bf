"""Every result by a query: ``datasets.gaps('formula=Si').frame()``, for each type of records that an area registers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from aiida_foundry.common.records import record_types

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiida_foundry.datasets.queries import Query


def __getattr__(name: str) -> Callable[..., Query]:
    """Return the function that queries records by their registered name; its arguments are those of `Query`."""
    if name.startswith('_') or name not in record_types():
        raise AttributeError(f'no records `{name}` are registered; known are {", ".join(record_types())}')
    from aiida_foundry.datasets.queries import Query

    return partial(Query, name)


def __dir__() -> list[str]:
    return [*globals(), *record_types()]
