"""The list of variables and who owns them."""

from __future__ import annotations

import pytest

from aiida_foundry.engines.abinit.parents import PARENT_FILES
from aiida_foundry.engines.abinit.variables import OWNED, known_names, owned_reason, unknown_reason


def test_owned_variables_exist():
    """A typing error in the list of owned names would leave the variable free."""
    assert set(OWNED) <= known_names()


def test_restart_variables_exist_and_are_owned():
    for parent in PARENT_FILES.values():
        assert parent.variable in known_names()
        assert owned_reason(parent.variable)


@pytest.mark.parametrize(
    'name', ['ecut', 'gwcalctyp', 'bs_calctype', 'rfelfd', 'spinat', 'ppmodel', 'zcut', 'usekden', 'prt1dm', 'gwr_ntau']
)
def test_free_variables(name):
    assert unknown_reason(name) is None
    assert owned_reason(name) is None


def test_close_names():
    assert 'toldfe' in unknown_reason('toldef')
    assert 'close names' not in unknown_reason('qqqqqqqq')
