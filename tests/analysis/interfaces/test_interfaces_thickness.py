"""Critical thickness against LaAlO3/SrTiO3."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_foundry.analysis.interfaces.charge import FIELD
from aiida_foundry.analysis.interfaces.thickness import band_barrier, film_thickness, superlattice_thickness


def test_lanthanum_aluminate_film():
    """Insulating with three unit cells, conducting with four (Thiel et al., Science 313, 1942 (2006)).

    Numbers of Reinle-Schmitt et al., Nature Commun. 3, 932 (2012): ε = 24, Δ = 3.3 eV.
    """
    cells = film_thickness(0.5 / 3.905**2, 24, 3.3) / 3.79
    assert 3 < cells < 4


def test_diluted_film():
    """Half the charge and nearly the same ε and Δ double it, as in LASTO:0.5 (the same: 3.5 and about 6 to 7 cells)."""
    full, half = film_thickness([0.033, 0.0165], 24, 3.3)
    assert half == pytest.approx(2 * full)


def test_superlattice_drops_the_barrier_over_each_layer():
    density, constants, barrier = 0.03, np.array([5.0, 12.0]), 2.0
    thickness = superlattice_thickness(density, constants, barrier)
    # ε₁E₁ − ε₂E₂ = σ/ε₀ and E₁ = −E₂, solved as a linear system
    fields = np.linalg.solve([[constants[0], -constants[1]], [1, 1]], [density * FIELD, 0])
    assert abs(fields[0]) * thickness == pytest.approx(barrier)


def test_no_charge_no_limit():
    assert np.isinf(film_thickness(0.0, 10.0, 1.0))


@pytest.mark.parametrize(
    ('affinities', 'barrier'),
    [
        ([4.0, 3.0], 3.0),  # straddling: the smaller gap
        ([4.0, 0.5], 1.5),  # staggered: valence band of the second at -5.5, conduction band of the first at -4
        ([9.0, 1.0], 0.0),  # broken
        ([np.nan, 1.0], 3.0),  # not known: the smaller gap
    ],
)
def test_alignment(affinities, barrier):
    assert float(band_barrier([3.0, 5.0], affinities)) == pytest.approx(barrier)
