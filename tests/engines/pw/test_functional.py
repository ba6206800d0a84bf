"""Functionals that pw.x writes and its schema does not know."""

from __future__ import annotations

from aiida_foundry.engines.pw.parser import invalid_elements

MESSAGE = """failed validating '{name}' with XsdPatternFacets(['[pP][zZ]'])

Reason: value doesn't match any pattern of ['[pP][zZ]']

Instance:

  <functional>{name}</functional>

Path: /espresso/output/dft/functional
"""


def test_local_functional_of_perdew_and_wang():
    """Every run with PseudoDojo LDA has it; a damaged name is still refused."""
    assert invalid_elements([MESSAGE.format(name='PW')]) == []
    assert invalid_elements([MESSAGE.format(name='PX')]) == ['/espresso/output/dft/functional']
