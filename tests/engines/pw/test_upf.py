"""Headers and orbitals of UPF files."""

from __future__ import annotations

import pytest

from aiida_foundry.common.errors import InputError
from aiida_foundry.engines.pw.upf import check_norm_conserving, number_of_orbitals

HEADER = '<UPF version="2.0.1">\n<PP_HEADER\n element="X" pseudo_type="{kind}" has_so="{so}" />'


@pytest.mark.parametrize(('element', 'orbitals'), [('Si', 4), ('Mg', 5), ('Zn', 10), ('Ga', 9)])
def test_pseudodojo(pbe_family, element, orbitals):
    """Mg: 2s 2p 3s; Zn: 3s 3p 3d 4s; Ga: 3d 4s 4p."""
    content = pbe_family.get_pseudo(element).get_content()
    check_norm_conserving(content, element)
    assert number_of_orbitals(content) == orbitals


@pytest.mark.parametrize(
    ('content', 'reason'),
    [
        (HEADER.format(kind='PAW', so='F'), 'not norm-conserving but `PAW`'),
        (HEADER.format(kind='USPP', so='F'), 'not norm-conserving but `USPP`'),
        (HEADER.format(kind='NC', so='T'), 'it has spin-orbit coupling'),
        ('<PP_INFO>', 'no UPF of version 2'),
    ],
)
def test_refused(content, reason):
    with pytest.raises(InputError, match=reason):
        check_norm_conserving(content, 'pseudopotential of `X`')
