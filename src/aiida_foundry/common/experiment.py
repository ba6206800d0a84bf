"""Measured band gaps of well-known crystals, to compare calculations with."""

from __future__ import annotations

from typing import NamedTuple


class ExperimentalGap(NamedTuple):
    """The fundamental gap in eV, ``'direct'`` or ``'indirect'``, and the DOI of its source."""

    energy: float
    kind: str
    doi: str


_MADELUNG = '10.1007/978-3-642-18865-7'  # O. Madelung, Semiconductors: Data Handbook, 3rd ed., Springer (2004)

# Values and sources as compiled in the benchmark of M. Großmann, M. Thieme, M. Grunert and E. Runge, arXiv:2508.05247
# (data under the MIT licence, copyright 2025 Max Großmann, Marc Thieme, and Malte Grunert). They are measured values:
# the zero-point renormalisation by phonons, which calculations of the static lattice lack, is not taken out.
GAPS: dict[tuple[str, int], ExperimentalGap] = {
    ('AlAs', 216): ExperimentalGap(2.23, 'indirect', _MADELUNG),
    ('AlN', 186): ExperimentalGap(6.11, 'direct', '10.1063/1.1633965'),
    ('AlP', 216): ExperimentalGap(2.45, 'indirect', _MADELUNG),
    ('BN', 216): ExperimentalGap(6.36, 'indirect', '10.1088/0953-8984/20/7/075233'),
    ('C', 227): ExperimentalGap(5.50, 'indirect', _MADELUNG),
    ('CdS', 186): ExperimentalGap(2.48, 'direct', _MADELUNG),
    ('CdTe', 216): ExperimentalGap(1.48, 'direct', _MADELUNG),
    ('GaAs', 216): ExperimentalGap(1.52, 'direct', _MADELUNG),
    ('GaN', 186): ExperimentalGap(3.50, 'direct', _MADELUNG),
    ('GaP', 216): ExperimentalGap(2.35, 'indirect', _MADELUNG),
    ('Ge', 227): ExperimentalGap(0.74, 'indirect', _MADELUNG),
    ('InP', 216): ExperimentalGap(1.42, 'direct', _MADELUNG),
    ('LiCl', 225): ExperimentalGap(9.40, 'direct', '10.1002/pssb.19700380132'),
    ('LiF', 225): ExperimentalGap(13.60, 'direct', '10.1016/0022-3697(67)90280-6'),
    ('MgO', 225): ExperimentalGap(7.67, 'direct', _MADELUNG),
    ('NaCl', 225): ExperimentalGap(8.75, 'direct', '10.1143/JPSJ.24.1286'),
    ('Si', 227): ExperimentalGap(1.17, 'indirect', _MADELUNG),
    ('SiC', 216): ExperimentalGap(2.42, 'indirect', _MADELUNG),
    ('ZnO', 186): ExperimentalGap(3.44, 'direct', _MADELUNG),
    ('ZnS', 216): ExperimentalGap(3.72, 'direct', _MADELUNG),
    ('ZnSe', 216): ExperimentalGap(2.82, 'direct', _MADELUNG),
}
"""By reduced formula, as pymatgen writes it, and number of the space group."""


def experimental_gap(formula: str, space_group_number: int) -> ExperimentalGap | None:
    """Return the measured gap of a crystal, or ``None`` where the table has none.

    Args:
        formula: reduced formula, e.g. ``'GaAs'``.
        space_group_number: tells polymorphs apart.
    """
    return GAPS.get((formula, space_group_number))
