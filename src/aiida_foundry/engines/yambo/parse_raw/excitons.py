"""Excitons of a diagonalised Bethe-Salpeter Hamiltonian (``ndb.BS_diago_Q1``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_foundry.analysis.excitons import composition
from aiida_foundry.common.units import HARTREE_TO_EV
from aiida_foundry.engines.yambo.parse_raw.netcdf import read_variables, whole_numbers
from aiida_foundry.engines.yambo.qp_database import Setup

FloatArray = NDArray[np.float64]

SAME_POLE = 1e-4
"""Hartree between the energy of a fit as it was asked for and as it was done, in single precision."""


class UnreadableExcitonsError(ValueError):
    """The database is truncated, holds values that are no numbers, or is of another run."""


@dataclass(frozen=True)
class Excitons:
    """Excitons of a run.

    Attributes:
        energies: (n,) in eV, ascending.
        strengths: (n,), residues f of ε = 1 + Σ f [1/(E − ω) + 1/(E + ω)] along the direction of the field, in eV.
        amplitudes: (n, t) complex, in the order of the energies; None if they were not written. With coupling the
            antiresonant pairs follow.
        pairs: (t, 3) of each pair: k-point of the full mesh, valence and conduction band, all from 1; None like these.
        kernel: number of the Bethe-Salpeter kernel, which the report has too.
    """

    energies: FloatArray
    strengths: FloatArray
    amplitudes: NDArray[np.complex128] | None
    pairs: NDArray[np.int_] | None
    kernel: int


def parse_excitons(content: bytes, setup: Setup, *, with_states: bool, coupling: bool = False) -> Excitons:
    """Return the excitons in the bytes of the database, with the states that they are made of if the run wrote them.

    If resonant and antiresonant pairs are coupled, each exciton has a partner of opposite energy, which is left out.

    With amplitudes R of the dipoles at the small momentum q of the field, f = 8π/(V N_k q²) R_left R_right (hartree);
    checked on the spectra that Yambo writes.

    Raises:
        UnreadableExcitonsError: truncated, values that are no numbers, or of another crystal.
    """
    names = ['PARS1', 'PARS', 'BS_Energies', 'BS_left_Residuals', 'BS_right_Residuals']
    names += ['BS_TABLE', 'BS_EIGENSTATES'] if with_states else []
    values = read_variables(content, 'ndb.BS_diago_Q1', names, UnreadableExcitonsError)
    points = int(setup.multiplicities.sum())
    kernel, states = whole_numbers(values['PARS1'][:1]), values.get('BS_EIGENSTATES')
    table = _pairs(values['BS_TABLE'], points, setup.ks_energies.shape[1]) if with_states else None
    if kernel is None or (states is not None and not np.isfinite(states).all()):
        raise UnreadableExcitonsError('its kernel or its eigenvectors hold no numbers')
    if states is not None and table is not None and states.shape[1] != len(table) * (2 if coupling else 1):
        raise UnreadableExcitonsError(f'it has {states.shape[1]} amplitudes of an exciton for {len(table)} pairs')
    energies = values['BS_Energies'][:, 0] * HARTREE_TO_EV
    product = _complex(values['BS_left_Residuals']) * _complex(values['BS_right_Residuals'])
    field = float(np.square(values['PARS'][1:4]).sum())
    prefactor = 8 * np.pi / (setup.volume * points * field) * HARTREE_TO_EV
    order = np.argsort(energies, kind='stable')
    if coupling:
        if np.count_nonzero(energies > 0) * 2 != len(energies):
            raise UnreadableExcitonsError('its energies are not pairs of opposite sign')
        order = order[energies[order] > 0]
    return Excitons(
        energies=energies[order],
        strengths=prefactor * product.real[order],
        amplitudes=None if states is None else _complex(states)[order],
        pairs=table,
        kernel=int(kernel[0]),
    )


def _pairs(table: FloatArray, points: int, bands: int) -> NDArray[np.int_]:
    """Return k-point, valence and conduction band of each pair, (t, 3).

    Raises:
        UnreadableExcitonsError: no whole numbers, or of k-points and bands that the setup does not have.
    """
    pairs = whole_numbers(table[:3])
    if pairs is None or pairs.min() < 1 or pairs[0].max() > points or pairs[1:].max() > bands:
        raise UnreadableExcitonsError(f'it has pairs that are not among {points} k-points and {bands} bands')
    return pairs.T


def exciton_arrays(excitons: Excitons, setup: Setup, number: int) -> dict[str, NDArray[Any]]:
    """Return the arrays of the output `output_excitons`.

    Args:
        excitons: all of them.
        setup: of the run; its irreducible k-points come, each with its star, in the order of the full mesh.
        number: of how many excitons, from the lowest on, the composition is kept.
    """
    arrays: dict[str, NDArray[Any]] = {'energies': excitons.energies, 'strengths': excitons.strengths}
    if excitons.amplitudes is None or excitons.pairs is None:
        return arrays
    first, last = int(excitons.pairs[:, 1].min()), int(excitons.pairs[:, 2].max())
    irreducible = np.repeat(np.arange(len(setup.kpoints)), setup.multiplicities)[excitons.pairs[:, 0] - 1]
    shape = (len(setup.kpoints), last - first + 1)
    bands = excitons.pairs[:, 1:] - first
    weights = [composition(row, irreducible, bands, shape) for row in excitons.amplitudes[:number]]
    return {
        **arrays,
        'weights': np.array(weights),
        'kpoints': setup.kpoints,
        'bands': np.arange(first, last + 1),
    }


def parse_dielectric_constant(content: bytes, size: int, pole: float | None) -> float:
    """Return ε∞ with local fields from the first fragment of the screening, ``ndb.em1s`` or ``ndb.pp``.

    It holds ε⁻¹ − 1, of plasmon poles first at zero frequency; q and G of the first element vanish.

    Args:
        content: bytes of the fragment.
        size: plane waves of the screening, by the report.
        pole: energy of the fit of a plasmon-pole model, in hartree; None for a static screening or Yambo's own choice.

    Raises:
        UnreadableExcitonsError: truncated, no number, or of another number of plane waves or another pole.
    """
    names = ['X_Q_1'] if pole is None else ['X_Q_1', 'FREQ_sec_iq1']
    values = read_variables(content, 'screening', names, UnreadableExcitonsError)
    matrices = values['X_Q_1']
    if matrices.shape[-3:-1] != (size, size):
        raise UnreadableExcitonsError(f'the screening has the shape {matrices.shape}, not of {size} plane waves')
    if not np.isfinite(matrices).all() or matrices.flat[0] <= -1:
        raise UnreadableExcitonsError('the screening holds values that are no numbers, or an impossible one')
    if pole is not None and not abs((fitted := values['FREQ_sec_iq1'].flat[-1]) - pole) <= SAME_POLE:
        raise UnreadableExcitonsError(f'the plasmon poles are fitted at {fitted:.4f}, not {pole} hartree')
    return float(1 / (1 + matrices.flat[0]))


def _complex(pairs: FloatArray) -> NDArray[np.complex128]:
    """Return complex numbers from arrays whose last axis is real and imaginary part."""
    return np.asarray(pairs[..., 0] + 1j * pairs[..., 1])
