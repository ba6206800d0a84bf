"""Second derivatives of exchange and correlation at zero spin polarisation: LDA (PW92), PBE and PBEsol.

The energy densities are written once, and differentiated by the arithmetic of `jets`. J. P. Perdew and Y. Wang, Phys.
Rev. B 45, 13244 (1992); J. P. Perdew, K. Burke and M. Ernzerhof, Phys. Rev. Lett. 77, 3865 (1996); J. P. Perdew et al.,
Phys. Rev. Lett. 100, 136406 (2008).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aiida_foundry.analysis.koopmans.jets import Jet, variables
from aiida_foundry.common.errors import InputError

VERSION = 1

LOWEST_DENSITY = 1e-10
"""Density in bohr⁻³ below which the kernels are zero: they diverge where there is nothing to correct."""

_GRADIENT: dict[str, tuple[float, float] | None] = {
    'lda': None,
    'pbe': (0.2195149727645171, 0.06672455060314922),
    'pbesol': (10 / 81, 0.046),
}
"""μ of exchange and β of correlation."""
_KAPPA = 0.804
_GAMMA = (1 - np.log(2)) / np.pi**2


class KernelCoefficients(NamedTuple):
    """Derivatives in Ry of the energy per volume e(n, s, ζ), s = |∇n|², each of the shape of the density.

    Attributes:
        nn: ∂²e/∂n².
        ns: ∂²e/∂n∂s.
        ss: ∂²e/∂s².
        s: ∂e/∂s.
        zz: ∂²e_c/∂ζ² / n², correlation alone; zero in the coefficients of the charge.
    """

    nn: NDArray[np.float64]
    ns: NDArray[np.float64]
    ss: NDArray[np.float64]
    s: NDArray[np.float64]
    zz: NDArray[np.float64]


def canonical_name(name: str) -> str:
    """Return ``lda``, ``pbe`` or ``pbesol`` for the name of a functional in Quantum ESPRESSO, whose `LDA` is PZ.

    Raises:
        InputError: another functional.
    """
    words = name.upper().replace('+', ' ').replace('-', ' ').split()
    known = {('PW',): 'lda', ('SLA', 'PW', 'NOGX', 'NOGC'): 'lda', ('PBE',): 'pbe'}
    known |= {('SLA', 'PW', 'PBX', 'PBC'): 'pbe', ('PBESOL',): 'pbesol', ('SLA', 'PW', 'PSX', 'PSC'): 'pbesol'}
    if tuple(words) not in known:
        raise InputError(f'functional `{name}`', 'its Koopmans kernels are not here', 'Use PW92 (LDA), PBE or PBEsol')
    return known[tuple(words)]


def coefficients(
    functional: str, density: NDArray[np.float64], squared_gradient: NDArray[np.float64]
) -> tuple[KernelCoefficients, KernelCoefficients]:
    """Return the derivatives for perturbations of the charge, and those for perturbations of the spin.

    Exchange scales with spin, E_x[n↑, n↓] = (E_x[2n↑] + E_x[2n↓])/2, so that its response to ±δn/2 in the two channels
    is the same as that to the charge; in correlation only the total gradient enters, so that its response to spin is
    local.

    Args:
        functional: ``lda``, ``pbe`` or ``pbesol``.
        density: in bohr⁻³, core included.
        squared_gradient: of the density, same shape.
    """
    solid = density > LOWEST_DENSITY
    n, s = variables(np.where(solid, density, 1.0), np.where(solid, squared_gradient, 0.0))
    exchange, correlation = _exchange(functional, n, s), _correlation(functional, n, s)

    def keep(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return 2 * np.where(solid, values, 0.0)

    spin = KernelCoefficients(
        keep(exchange.xx), keep(exchange.xy), keep(exchange.yy), keep(exchange.y), keep(_stiffness(functional, n, s))
    )
    total = exchange.plus(correlation)
    charge = KernelCoefficients(keep(total.xx), keep(total.xy), keep(total.yy), keep(total.y), np.zeros_like(spin.zz))
    return charge, spin


def energy_density(
    functional: str, density: NDArray[np.float64], squared_gradient: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the exchange-correlation energy per volume in Ry at zero spin polarisation."""
    n, s = variables(np.asarray(density, dtype=float), np.asarray(squared_gradient, dtype=float))
    return 2 * (_exchange(functional, n, s).value + _correlation(functional, n, s).value)


def _pw92(rs: Jet, a: float, a1: float, b1: float, b2: float, b3: float, b4: float) -> Jet:
    """Return the function G of PW92 (its equation 10) in hartree."""
    series = rs.power(0.5).scaled(b1).plus(rs.scaled(b2)).plus(rs.power(1.5).scaled(b3)).plus(rs.power(2).scaled(b4))
    logarithm = series.scaled(2 * a).power(-1).shifted(1.0).log()
    return rs.scaled(a1).shifted(1.0).times(logarithm).scaled(-2 * a)


def _radius(n: Jet) -> Jet:
    return n.scaled(4 * np.pi / 3).power(-1 / 3)


def _unpolarised(n: Jet) -> Jet:
    """Return the correlation energy per electron of the homogeneous gas."""
    return _pw92(_radius(n), 0.0310907, 0.21370, 7.5957, 3.5876, 1.6382, 0.49294)


def _spin_stiffness(n: Jet) -> Jet:
    """Return α_c = ∂²ε_c/∂ζ² at ζ = 0; the fit is to -α_c."""
    return _pw92(_radius(n), 0.0168869, 0.11125, 10.357, 3.6231, 0.88026, 0.49671).scaled(-1.0)


def _exchange(functional: str, n: Jet, s: Jet) -> Jet:
    """Return the exchange energy per volume in hartree."""
    homogeneous = n.power(4 / 3).scaled(-0.75 * (3 / np.pi) ** (1 / 3))
    parameters = _GRADIENT[functional]
    if parameters is None:
        return homogeneous
    reduced = s.times(n.power(-8 / 3)).scaled(1 / (4 * (3 * np.pi**2) ** (2 / 3)))
    bounded = reduced.scaled(parameters[0] / _KAPPA).shifted(1.0).power(-1).scaled(-_KAPPA)
    return homogeneous.times(bounded.shifted(1.0 + _KAPPA))


def _correlation(functional: str, n: Jet, s: Jet) -> Jet:
    """Return the correlation energy per volume in hartree."""
    per_electron = _unpolarised(n)
    parameters = _GRADIENT[functional]
    if parameters is not None:
        one = Jet(*(np.zeros_like(n.value) for _ in Jet._fields)).shifted(1.0)
        per_electron = per_electron.plus(_gradient_correction(parameters[1], n, s, one, per_electron))
    return n.times(per_electron)


def _gradient_correction(beta: float, n: Jet, s: Jet, phi: Jet, eps: Jet) -> Jet:
    """Return H of PBE (its equations 7 and 8) per electron in hartree."""
    scale = 16 * (3 * np.pi**2) ** (1 / 3) / np.pi
    t2 = s.times(n.power(-7 / 3)).times(phi.power(-2)).scaled(1 / scale)
    cubed = phi.power(3).scaled(_GAMMA)
    ratio = beta / _GAMMA
    at2 = eps.times(cubed.power(-1)).scaled(-1.0).exp().shifted(-1.0).power(-1).scaled(ratio).times(t2)
    fraction = at2.shifted(1.0).times(at2.plus(at2.times(at2)).shifted(1.0).power(-1))
    return cubed.times(t2.times(fraction).scaled(ratio).shifted(1.0).log())


def _stiffness(functional: str, n: Jet, s: Jet) -> NDArray[np.float64]:
    """Return ∂²e_c/∂ζ² / n² at ζ = 0, per volume; φ = 1 - ζ²/9 + O(ζ⁴)."""
    stiffness = _spin_stiffness(n).value
    parameters = _GRADIENT[functional]
    if parameters is not None:
        phi, eps = variables(np.ones_like(n.value), _unpolarised(n).value)
        constant = [variables(field.value, field.value)[0]._replace(x=np.zeros_like(field.value)) for field in (n, s)]
        correction = _gradient_correction(parameters[1], constant[0], constant[1], phi, eps)
        stiffness = stiffness - 2 / 9 * correction.x + stiffness * correction.y
    return stiffness / n.value
