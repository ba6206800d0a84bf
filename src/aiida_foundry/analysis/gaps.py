"""Band edges and band gaps from eigenvalues on a set of k-points."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

VERSION = 1


class MetallicBandsError(ValueError):
    """The occupied and the empty bands overlap: there is no gap to report."""


@dataclass(frozen=True)
class BandEdge:
    """An extremum of a band.

    Attributes:
        energy: eigenvalue in eV.
        kpoint: reduced coordinates.
        band: index of the band, starting at 1.
        spin: index of the spin channel, starting at 1.
    """

    energy: float
    kpoint: tuple[float, float, float]
    band: int
    spin: int


@dataclass(frozen=True)
class Gap:
    """Direct and indirect gap of an insulator, in eV, on the k-points given.

    Attributes:
        direct: the smallest vertical transition energy.
        direct_kpoint: the k-point of that transition, in reduced coordinates.
        indirect: conduction minimum minus valence maximum, wherever they lie.
        valence_maximum: the highest occupied state.
        conduction_minimum: the lowest empty state.
    """

    direct: float
    direct_kpoint: tuple[float, float, float]
    indirect: float
    valence_maximum: BandEdge
    conduction_minimum: BandEdge

    def as_dict(self) -> dict[str, Any]:
        """Return nested dictionaries and lists of plain numbers."""
        record = asdict(self)
        record['direct_kpoint'] = list(self.direct_kpoint)
        for edge in ('valence_maximum', 'conduction_minimum'):
            record[edge]['kpoint'] = list(record[edge]['kpoint'])
        return record


def find_gap(
    energies: ArrayLike, kpoints: ArrayLike, number_of_electrons: float, *, first_band: int = 1, minimum: float = 1e-3
) -> Gap:
    """Find the gaps of a crystal whose bands are completely filled or empty.

    Args:
        energies: eigenvalues in eV, shape ``(nspin, nk, nband)`` or ``(nk, nband)``; need not be sorted in energy,
            because quasiparticle corrections may reorder states: band `n` is occupied if ``n ≤ N/2`` (``N`` electrons,
            one spin channel).
        kpoints: reduced coordinates, shape ``(nk, 3)``.
        number_of_electrons: valence electrons per cell.
        first_band: index, starting at 1, of the first band in `energies`.
        minimum: the indirect gap in eV at or below which the bands count as metallic.

    Raises:
        ValueError: if the arrays do not fit together, hold values that are not finite, or lack one of the band edges.
        MetallicBandsError: if the indirect gap does not exceed `minimum`.
    """
    bands = _validated_bands(energies, kpoints)
    points = np.asarray(kpoints, dtype=float)
    occupied = _occupied_bands(number_of_electrons, bands.shape[0]) - first_band + 1
    if not 0 < occupied < bands.shape[2]:
        raise ValueError(
            f'the bands {first_band} to {first_band + bands.shape[2] - 1} do not hold both band edges of '
            f'{number_of_electrons:g} electrons'
        )
    valence, conduction = bands[:, :, :occupied], bands[:, :, occupied:]
    valence_maximum = _edge(valence, points, np.argmax, first_band)
    conduction_minimum = _edge(conduction, points, np.argmin, first_band + occupied)
    indirect = conduction_minimum.energy - valence_maximum.energy
    if indirect <= minimum:
        raise MetallicBandsError(
            f'the valence maximum ({valence_maximum.energy:.3f} eV at k = {valence_maximum.kpoint}) reaches the '
            f'conduction minimum ({conduction_minimum.energy:.3f} eV at k = {conduction_minimum.kpoint}): '
            f'the gap is {indirect:.3f} eV'
        )
    vertical = conduction.min(axis=2) - valence.max(axis=2)
    closest = int(np.argmin(vertical.min(axis=0)))
    return Gap(
        direct=float(vertical.min()),
        direct_kpoint=_as_kpoint(points[closest]),
        indirect=float(indirect),
        valence_maximum=valence_maximum,
        conduction_minimum=conduction_minimum,
    )


def extrema_on_mesh(mesh: Gap, path: Gap, tolerance: float = 1e-3) -> bool:
    """Tell whether a mesh holds the band edges that a path through the Brillouin zone shows.

    Args:
        mesh: gap of the eigenvalues on the mesh.
        path: gap of the eigenvalues on the path, of the same potential, so that energies compare directly.
        tolerance: energy in eV by which the path may go beyond the mesh.
    """
    higher = path.valence_maximum.energy - mesh.valence_maximum.energy
    lower = mesh.conduction_minimum.energy - path.conduction_minimum.energy
    return bool(max(higher, lower) <= tolerance)


def computed_bands(quasiparticle: ArrayLike) -> tuple[NDArray[np.float64], int]:
    """Return the bands with an energy at every k-point, and the index, from 1, of the first of them.

    Args:
        quasiparticle: energies, shape ``(nspin, nk, nband)``, counted from the first band, NaN where not computed.

    Raises:
        ValueError: if these bands are not a contiguous range.
    """
    energies = np.asarray(quasiparticle, dtype=float)
    computed = np.flatnonzero(np.isfinite(energies).all(axis=(0, 1)))
    if len(computed) == 0 or not np.array_equal(computed, np.arange(computed[0], computed[-1] + 1)):
        raise ValueError('no contiguous range of bands has a quasiparticle correction at every k-point')
    return energies[..., computed[0] : computed[-1] + 1], int(computed[0]) + 1


def compare_gaps(
    kohn_sham: ArrayLike,
    quasiparticle: ArrayLike,
    kpoints: ArrayLike,
    number_of_electrons: float,
    path: tuple[ArrayLike, ArrayLike],
) -> dict[str, Any]:
    """Compare the Kohn-Sham with the quasiparticle gap over the bands for which both are known.

    Args:
        kohn_sham: eigenvalues in eV, shape ``(nspin, nk, nband)``, counted from the first band.
        quasiparticle: the same states after the correction; NaN where it was not computed.
        kpoints: reduced coordinates, shape ``(nk, 3)``.
        number_of_electrons: valence electrons per cell.
        path: Kohn-Sham eigenvalues, ``(nk', nband')`` in eV, and k-points of a path, in the potential of `kohn_sham`.

    Returns:
        The records ``kohn_sham`` and ``quasiparticle`` (see `Gap.as_dict`), ``bands`` (first and last band with a
        correction at every k-point), and ``extremum_on_mesh``: whether the mesh holds the Kohn-Sham band edges of the
        path. If not, the gaps on the mesh are larger than those of the crystal.

    Raises:
        ValueError, MetallicBandsError: see `find_gap`.
    """
    window, first = computed_bands(quasiparticle)
    last = first + window.shape[-1] - 1
    before = find_gap(np.asarray(kohn_sham)[..., first - 1 : last], kpoints, number_of_electrons, first_band=first)
    after = find_gap(window, kpoints, number_of_electrons, first_band=first)
    return {
        'kohn_sham': before.as_dict(),
        'quasiparticle': after.as_dict(),
        'bands': [first, last],
        'extremum_on_mesh': extrema_on_mesh(before, find_gap(*path, number_of_electrons)),
    }


def _validated_bands(energies: ArrayLike, kpoints: ArrayLike) -> NDArray[np.float64]:
    """Return the energies with a spin axis, checked against the k-points."""
    bands = np.asarray(energies, dtype=float)
    if bands.ndim == 2:
        bands = bands[np.newaxis]
    if bands.ndim != 3 or bands.shape[1] != len(np.asarray(kpoints)):
        raise ValueError(f'energies of shape {bands.shape} do not fit {len(np.asarray(kpoints))} k-points')
    if not np.isfinite(bands).all():
        raise ValueError('some eigenvalues are not finite numbers')
    return bands


def _occupied_bands(number_of_electrons: float, spins: int) -> int:
    """Return the number of filled bands of a spin-degenerate insulator."""
    if spins != 1:
        raise ValueError('spin-polarised bands have no unique filling: only one spin channel is supported')
    pairs = number_of_electrons / 2
    if abs(pairs - round(pairs)) > 1e-6:
        raise ValueError(f'{number_of_electrons:g} electrons cannot fill bands in pairs')
    return round(pairs)


def _edge(bands: NDArray[np.float64], kpoints: NDArray[np.float64], choose: Any, first_band: int) -> BandEdge:
    """Return the extreme state of the bands; the first of degenerate ones."""
    spin, k, band = np.unravel_index(choose(bands), bands.shape)
    return BandEdge(
        energy=float(bands[spin, k, band]),
        kpoint=_as_kpoint(kpoints[k]),
        band=int(band) + first_band,
        spin=int(spin) + 1,
    )


def _as_kpoint(kpoint: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in kpoint)
    return x, y, z
