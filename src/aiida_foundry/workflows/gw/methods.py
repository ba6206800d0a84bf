"""The GW methods that the interface knows, independent of the engine."""

from __future__ import annotations

from dataclasses import dataclass

from aiida_foundry.common.errors import InputError

PLASMON_POLE = 'plasmon-pole'
CONTOUR_DEFORMATION = 'contour-deformation'
FREQUENCY_TREATMENTS = (PLASMON_POLE, CONTOUR_DEFORMATION)


@dataclass(frozen=True)
class Method:
    """A variant of GW.

    Attributes:
        description: the name in full.
        treatment: the default frequency treatment of W.
        updates: what is iterated: ``none``, ``energies`` (evGW) or ``wavefunctions`` (QSGW; van Schilfgaarde, Kotani,
            Faleev, Phys. Rev. Lett. 96, 226402 (2006)).
        vertex: whether W contains the bootstrap kernel (Sharma et al., Phys. Rev. Lett. 107, 186401 (2011)).
    """

    description: str
    treatment: str
    updates: str = 'none'
    vertex: bool = False

    @property
    def self_consistent(self) -> bool:
        """Return whether screening and self-energy are iterated."""
        return self.updates != 'none'


METHODS: dict[str, Method] = {
    'g0w0-ppm': Method('G0W0, plasmon pole', PLASMON_POLE),
    'g0w0-ff': Method('G0W0, full frequency', CONTOUR_DEFORMATION),
    'evgw': Method('eigenvalue self-consistent GW', CONTOUR_DEFORMATION, updates='energies'),
    'qsgw': Method('quasiparticle self-consistent GW', CONTOUR_DEFORMATION, updates='wavefunctions'),
    'qsgw-vertex': Method('QSGW with bootstrap vertex in W', CONTOUR_DEFORMATION, updates='wavefunctions', vertex=True),
}


def get_method(name: str) -> Method:
    """Return a method by name.

    Raises:
        InputError: if there is no such method.
    """
    if name not in METHODS:
        raise InputError(f'method `{name}`', 'it is unknown', f'Known are {", ".join(METHODS)}')
    return METHODS[name]


def namespace(name: str) -> str:
    """Return the name of a method as a link label: `g0w0-ppm` becomes `g0w0_ppm`."""
    return name.replace('-', '_')
