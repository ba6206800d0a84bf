"""Windows of bands around degenerate states."""

from __future__ import annotations

import pytest

from aiida_foundry.analysis.band_window import widen
from aiida_foundry.common.errors import InputError

#: Bands of silicon at Γ, L and X in eV (LDA): triplets at Γ, pairs at L and X.
BANDS = [
    [-12.0, 0.0, 0.0, 0.0, 2.5, 2.5, 2.5, 3.2, 7.4],
    [-9.6, -7.0, -1.2, -1.2, 1.4, 3.3, 3.3, 7.5, 7.6],
    [-7.8, -7.8, -2.9, -2.9, 0.6, 0.6, 10.0, 10.0, 10.7],
]


@pytest.mark.parametrize(
    ('valence', 'conduction', 'window'),
    [(4, 4, (1, 8)), (1, 1, (1, 8)), (3, 2, (1, 8)), (2, 4, (1, 8))],
)
def test_window_is_widened(valence, conduction, window):
    """Band 2 and 1 touch at X, 6 and 7 at Γ and L, 7 and 8 at X."""
    assert widen(BANDS, 4, valence, conduction) == window


def test_window_is_left_alone_where_nothing_is_cut():
    assert widen([[0, 1, 5, 6, 7], [0.5, 1, 5, 6, 7]], 2, 1, 1) == (2, 3)


def test_no_window():
    with pytest.raises(InputError, match='ends between bands closer than'):
        widen([row[:8] for row in BANDS], 4, 4, 4)
