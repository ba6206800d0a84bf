"""The error that every check of user input raises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class InputError(ValueError):
    """Bad user input: names the input, says why it is refused, and what to do about it.

    Args:
        subject: the input as the user knows it, e.g. ``'structure `si.cif`'``.
        reason: why it cannot be used.
        remedy: what the user can do.
    """

    def __init__(self, subject: str, reason: str, remedy: str) -> None:
        super().__init__(f'{subject}: {reason}. {remedy}')
        self.subject = subject
        self.reason = reason
        self.remedy = remedy


def message_of(check: Callable[..., Any], *arguments: Any) -> str | None:
    """Return the message of the input error that a check raises, or ``None``: what AiiDA's validators want."""
    try:
        check(*arguments)
    except InputError as error:
        return str(error)
    return None
