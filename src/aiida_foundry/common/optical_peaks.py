"""Measured peaks of Im ε of well-known crystals, to compare spectra with."""

from __future__ import annotations

from typing import NamedTuple


class MeasuredPeaks(NamedTuple):
    """Positions of the main peaks in eV at room temperature, and the DOI of their source."""

    energies: tuple[float, ...]
    doi: str


# Silicon: parabolas through the three highest of the tabulated values of each peak, read to 0.02 eV.
PEAKS: dict[tuple[str, int], MeasuredPeaks] = {
    ('Si', 227): MeasuredPeaks((3.43, 4.24), '10.1103/PhysRevB.27.985'),  # Aspnes and Studna (1983), E1 and E2
}
"""By reduced formula, as pymatgen writes it, and number of the space group."""


def measured_peaks(formula: str, space_group_number: int) -> MeasuredPeaks | None:
    """Return the measured peaks of a crystal, or ``None`` where the table has none.

    Args:
        formula: reduced formula, e.g. ``'Si'``.
        space_group_number: tells polymorphs apart.
    """
    return PEAKS.get((formula, space_group_number))
