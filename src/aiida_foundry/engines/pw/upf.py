"""What the header and the atomic orbitals of a UPF v2 file tell."""

from __future__ import annotations

import re

from aiida_foundry.common.errors import InputError

_HEADER = re.compile(r'<PP_HEADER(.*?)/?>', re.DOTALL)
_ORBITAL = re.compile(r'<PP_CHI\.\d+(.*?)>', re.DOTALL)


def _attributes(text: str) -> dict[str, str]:
    return {name.lower(): value.strip() for name, value in re.findall(r'(\w+)\s*=\s*"([^"]*)"', text)}


def check_norm_conserving(content: str, subject: str) -> None:
    """Refuse pseudopotentials that are not norm-conserving or hold spin-orbit coupling.

    Args:
        content: of the UPF file.
        subject: the pseudopotential as the user knows it.

    Raises:
        InputError: ultrasoft, PAW, fully relativistic, or no UPF v2.
    """
    header = _HEADER.search(content)
    if header is None:
        raise InputError(subject, 'it is no UPF of version 2', 'Use a table such as PseudoDojo')
    values = _attributes(header.group(1))
    remedy = 'Use a scalar-relativistic norm-conserving table, such as PseudoDojo SR'
    if values.get('pseudo_type', '').upper() not in ('NC', 'SL'):
        raise InputError(subject, f'it is not norm-conserving but `{values.get("pseudo_type")}`', remedy)
    if values.get('has_so', 'F').upper().strip('.')[:1] == 'T':
        raise InputError(subject, 'it has spin-orbit coupling', remedy)


def number_of_orbitals(content: str) -> int:
    """Return the number of atomic orbitals of a UPF file, each l counted 2l + 1 times."""
    momenta = [int(_attributes(match)['l']) for match in _ORBITAL.findall(content)]
    return sum(2 * momentum + 1 for momentum in momenta)
