"""Conversion factors between the atomic units of the engines and the units of this package (CODATA, from scipy)."""

from __future__ import annotations

from scipy.constants import physical_constants

#: 1 hartree in eV.
HARTREE_TO_EV: float = physical_constants['Hartree energy in eV'][0]
#: 1 rydberg in eV.
RYDBERG_TO_EV: float = HARTREE_TO_EV / 2
#: 1 bohr in Å.
BOHR_TO_ANGSTROM: float = physical_constants['Bohr radius'][0] * 1e10
