"""Codes and pseudopotential families for the builders of this area."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aiida import orm
from aiida.common.exceptions import NotExistent

from aiida_foundry.common.errors import InputError

EXECUTABLES = {
    'pw': 'pw.x',
    'ph': 'ph.x',
    'projwfc': 'projwfc.x',
    'pw2wannier90': 'pw2wannier90.x',
    'wannier90': 'wannier90.x',
    'kcw': 'kcw.x',
    'ki': 'aiida-foundry-ki',
}
"""Programs by the key of their code."""


def message_of(check: Callable[..., None], *arguments: Any) -> str | None:
    """Return the message of the input error that the check raises, as AiiDA's validators want it."""
    try:
        check(*arguments)
    except InputError as error:
        return str(error)
    return None


def choose_codes(codes: Mapping[str, orm.AbstractCode], wanted: tuple[str, ...]) -> dict[str, orm.AbstractCode]:
    """Return the codes that a workflow needs; others are left out.

    Raises:
        InputError: names the executable that is missing.
    """
    for label in wanted:
        if label not in codes:
            raise InputError(
                f'code `{label}`',
                f'it is missing, and {EXECUTABLES[label]} with it',
                '`aiida-foundry setup` registers the executables it finds, `aiida-foundry doctor` says how to get it',
            )
    return {label: codes[label] for label in wanted}


def load_family(label: str) -> Any:
    """Return a pseudopotential family.

    Raises:
        InputError: if the profile has none of that label.
    """
    try:
        return orm.load_group(label)
    except NotExistent as exception:
        raise InputError(
            f'pseudopotential family `{label}`',
            'the profile does not have it',
            f'Install it: `aiida-foundry setup --family {label}`',
        ) from exception
