"""Macroscopic dielectric functions of a Bethe-Salpeter run (``MDF.nc``)."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from aiida_foundry.engines.abinit.parse_raw.netcdf import open_netcdf, read_array


@dataclass(frozen=True)
class OpticalSpectra:
    """Dielectric functions in the long-wavelength limit along several directions.

    Args:
        frequencies: (w,) in eV.
        directions: (q, 3) reduced.
        excitonic: (q, w), with the electron-hole interaction.
        independent_particle: (q, w), without local fields, from Kohn-Sham energies.
        independent_quasiparticle: (q, w), without local fields, from corrected energies.
    """

    frequencies: NDArray[np.float64]
    directions: NDArray[np.float64]
    excitonic: NDArray[np.complex128]
    independent_particle: NDArray[np.complex128]
    independent_quasiparticle: NDArray[np.complex128]


def parse_mdf(content: bytes) -> OpticalSpectra:
    """Return the spectra from the bytes of ``MDF.nc``.

    Raises:
        UnreadableNetcdfError: the file is truncated or no MDF file.
    """
    imaginary = np.array([1, 1j])
    with open_netcdf(content) as dataset:
        return OpticalSpectra(
            frequencies=read_array(dataset, 'wmesh'),
            directions=read_array(dataset, 'qpoints'),
            excitonic=read_array(dataset, 'exc_mdf') @ imaginary,
            independent_particle=read_array(dataset, 'rpanlf_mdf') @ imaginary,
            independent_quasiparticle=read_array(dataset, 'gwnlf_mdf') @ imaginary,
        )


def check_finite(spectra: OpticalSpectra) -> list[str]:
    """Return the names of the results that hold NaN or infinity."""
    return [entry.name for entry in fields(spectra) if not np.isfinite(getattr(spectra, entry.name)).all()]
