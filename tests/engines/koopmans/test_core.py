"""Form factor of the core charge against that of a Gaussian, on meshes that end before and beyond 10 bohr."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_foundry.engines.koopmans.parse_raw.core import core_form_factor

LENGTHS = np.array([[0.0, 0.7], [2.0, 5.0]])
EXPONENT = 1.3


@pytest.mark.parametrize('points', [823, 824, 1326, 1327])
def test_gaussian(points):
    """exp(-ar²) becomes (π/a)^(3/2) exp(-G²/4a); Li of PseudoDojo ends at 8.23 bohr, with 824 points."""
    radii = 0.01 * np.arange(points)
    found = core_form_factor(radii, np.full(points, 0.01), np.exp(-EXPONENT * radii**2), LENGTHS)
    assert found == pytest.approx((np.pi / EXPONENT) ** 1.5 * np.exp(-(LENGTHS**2) / (4 * EXPONENT)), abs=1e-8)
