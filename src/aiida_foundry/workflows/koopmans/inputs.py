"""Codes for the builders of this area."""

from __future__ import annotations

from collections.abc import Mapping

from aiida import orm

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
