"""What one ABINIT run computes."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

_RESPONSE_SWITCHES = ('rfddk', 'rfelfd', 'rfmagn', 'rfphon', 'rfstrs', 'rfuser')


class Task(IntEnum):
    """Values of ``optdriver`` whose results the parser reads."""

    GROUND_STATE = 0
    RESPONSE = 1
    SCREENING = 3
    SIGMA = 4
    BETHE_SALPETER = 99


def task_of(parameters: Mapping[str, Any]) -> int:
    """Return ``optdriver``, or what ABINIT takes if the variables do not set it.

    Args:
        parameters: variables with names in lower case.
    """
    if 'optdriver' in parameters:
        return int(parameters['optdriver'])
    asks_for_response = any(parameters.get(name) for name in _RESPONSE_SWITCHES)
    return Task.RESPONSE if asks_for_response else Task.GROUND_STATE


def diagonalises(parameters: Mapping[str, Any]) -> bool:
    """Return whether the run diagonalises a Bethe-Salpeter Hamiltonian; names of variables in any case."""
    lower = {name.lower(): value for name, value in parameters.items()}
    return task_of(lower) == Task.BETHE_SALPETER and lower.get('bs_algorithm', 2) == 1
