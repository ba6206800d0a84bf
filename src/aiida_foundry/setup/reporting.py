"""How setup tells what it did: one line per decision, to whoever listens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

Outcome = Literal['created', 'changed', 'kept', 'skipped', 'note']

Report = Callable[[Outcome, str], None]


def silent(outcome: Outcome, message: str) -> None:
    """Listen to nothing: the default of the functions that take a ``report``."""
