"""The error that every check of user input raises."""

from __future__ import annotations


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
