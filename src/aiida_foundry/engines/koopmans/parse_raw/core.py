"""Core charge of a UPF file, for the non-linear core correction."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aiida_foundry.common.errors import InputError

_OUTERMOST = 10.0  # bohr, where pw.x ends its radial integrals
_BLOCK = 1000  # lengths at once


def read_core_charge(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]] | None:
    """Read the radial mesh in bohr, its derivative, and the core charge in bohr⁻³; None if the file has none.

    Raises:
        InputError: the file is missing or is no UPF file of version 2.
    """
    try:
        text = path.read_text('utf-8', errors='replace')
    except OSError as error:
        raise InputError(f'file `{path.name}`', f'cannot be read ({error.strerror})', 'Keep the folder') from error
    flag = re.search(r'core_correction="\s*\.?(\w)', text)
    if flag is None:
        raise InputError(f'file `{path.name}`', 'is no UPF file of version 2', 'Use another pseudopotential')
    if flag.group(1).upper() != 'T':
        return None
    return _section(text, 'PP_R', path), _section(text, 'PP_RAB', path), _section(text, 'PP_NLCC', path)


def _section(text: str, name: str, path: Path) -> NDArray[np.float64]:
    match = re.search(rf'<{name}(?:\s[^>]*)?>(.*?)</{name}>', text, re.DOTALL)
    if match is None:
        raise InputError(f'file `{path.name}`', f'has no `{name}`', 'Use another pseudopotential')
    return np.array(match.group(1).split(), dtype=float)


def core_form_factor(
    radii: NDArray[np.float64], steps: NDArray[np.float64], charge: NDArray[np.float64], lengths: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return 4π ∫ r² ρ(r) j₀(Gr) dr for wave vectors of given lengths in 1/bohr."""
    # Simpson's rule as in pw.x: an odd number of points; the mesh of Li ends before 10 bohr, with an even number
    last = int(np.searchsorted(radii, _OUTERMOST))
    last = min(last + 1 - last % 2, len(radii) - 1 + len(radii) % 2)
    r, weight = radii[:last], steps[:last]
    unique, inverse = np.unique(np.round(lengths, 9), return_inverse=True)
    simpson = np.ones(last)
    simpson[1:-1:2], simpson[2:-1:2] = 4, 2
    weighted = 4 * np.pi / 3 * simpson * r**2 * charge[:last] * weight
    blocks = [unique[start : start + _BLOCK] for start in range(0, len(unique), _BLOCK)]
    values = np.concatenate([np.sinc(np.outer(block, r) / np.pi) @ weighted for block in blocks])
    return np.asarray(values[inverse].reshape(lengths.shape))
