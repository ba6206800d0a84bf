"""What the files of one run say twice: a file that is damaged, or of another run, contradicts the others."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_foundry.common.units import HARTREE_TO_EV
from aiida_foundry.engines.yambo.parse_raw.report import Levels, Origin, YamboReport
from aiida_foundry.engines.yambo.qp_database import Setup

GAP_TOLERANCE = 1e-4
"""eV between the gaps that Yambo reports and those of energies: both are in single precision (1e-6 eV)."""

SCREENING = frozenset({'em1s', 'em1d', 'ppa'})
"""Runlevels of a run that computes or reads a screening."""


def band_gaps(energies: NDArray[np.float64], filled: int) -> tuple[float, float]:
    """Return the direct and the indirect gap of energies (k, band), with bands by index, as Yambo counts them."""
    valence, conduction = energies[:, filled - 1], energies[:, filled]
    return float((conduction - valence).min()), float(conduction.min() - valence.max())


def same_gaps(levels: Levels, gaps: tuple[float, float]) -> bool:
    """Return whether a section of the report has these gaps, direct and indirect, in eV."""
    return all(abs(a - b) <= GAP_TOLERANCE for a, b in zip((levels.direct_gap, levels.indirect_gap), gaps, strict=True))


def problem_of_report(report: YamboReport, setup: Setup) -> str | None:
    """Return what the report of a run lacks, or says that the setup contradicts; None for a metal, or if it is sound.

    The number of filled bands is the one thing that only the report has: gaps of another number differ.
    """
    levels = report.kohn_sham
    if report.metallic:
        return None
    if levels is None or levels.filled is None:
        return 'the report has no gaps of the Kohn-Sham energies'
    if not 0 < levels.filled < setup.ks_energies.shape[1]:
        return f'the report has {levels.filled} filled of {setup.ks_energies.shape[1]} bands'
    if not same_gaps(levels, band_gaps(setup.ks_energies, levels.filled)):
        return 'the gaps of the Kohn-Sham energies in the report are not those of `ns.db1`'
    return None


def missing_size(report: YamboReport, levels: Collection[str], kernel: bool) -> str | None:
    """Return which number of plane waves the report lacks.

    Args:
        report: of the run.
        levels: its runlevels.
        kernel: whether it has a Bethe-Salpeter kernel with an electron-hole interaction.
    """
    wanted = {'screening': bool(SCREENING.intersection(levels)), 'exchange': kernel}
    lacking = [name for name, needed in wanted.items() if needed and name not in report.sizes]
    return f'the report has no number of plane waves of the {lacking[0]}' if lacking else None


def energy_in_hartree(energy: Mapping[str, Any] | None) -> float | None:
    """Return the energy of an input variable, `value` and `unit`; None if it is not set."""
    if energy is None:
        return None
    unit = {'Ha': 1.0, 'Ry': 0.5, 'eV': 1 / HARTREE_TO_EV}
    prefix, name = (1e-3, energy['unit'][1:]) if energy['unit'].startswith('m') else (1.0, energy['unit'])
    return float(energy['value']) * prefix * unit[name]


def same_run(report: Origin, table: Origin) -> bool:
    """Return whether report and table are of one run: they began at the same time, with the same kernel if any."""
    return report.start is not None and report == table
