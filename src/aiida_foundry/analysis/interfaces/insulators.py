"""Whether a crystal is an insulator, and how sure that is: by what is known of its gap, else by counting electrons."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from pymatgen.core import Element

from aiida_foundry.analysis.polarization import FormalPolarization

#: Electrons that an ion of the main groups keeps in its outer shell where it is closed: none, a lone pair, an octet.
CLOSED_OUTER: tuple[int, ...] = (0, 2, 8)


class Sureness(IntEnum):
    """How sure it is that a crystal is an insulator with the polarization that was counted."""

    METAL = 0
    UNSURE = 1
    LIKELY = 2
    KNOWN = 3


@dataclass(frozen=True)
class Insulator:
    """A verdict, and what it rests on in words."""

    sureness: Sureness
    statement: str


def insulator(polarization: FormalPolarization, gap: float | None, source: str = '') -> Insulator:
    """Judge whether a crystal is an insulator, and whether its charges were counted right.

    - A known gap decides: `METAL` where it is zero, else `KNOWN`, if nothing speaks against the oxidation states.
    - Without one, charges that balance with closed shells make it `LIKELY`; a calculation has to confirm it, as some
      such crystals are metals (TiC) or have no gap (HgTe).
    - Open shells without a known gap leave it `UNSURE`, and so do oxidation states that are a mere guess, of mixed
      valence, or with an alternative that has another polarization.
    - An elemental crystal without a known gap counts as `METAL`: its charges balance whatever it is.

    Args:
        polarization: the formal polarization, which has the oxidation states.
        gap: fundamental gap in eV, or None if it is not known.
        source: where the gap comes from.
    """
    states = polarization.oxidation
    if gap is not None and gap <= 0:
        return Insulator(Sureness.METAL, f'its gap is {gap:g} eV ({source or "given"})')
    if gap is None and states.method == 'element':
        return Insulator(Sureness.METAL, 'an elemental crystal whose gap is not known: most are metals')
    known = 'gap not known' if gap is None else f'gap {gap:g} eV ({source or "given"})'
    basis = f'{known}; {states}: {states.statement}'
    doubts = _doubts_of_states(polarization)
    shells = open_shells(zip(states.elements, states.charges, strict=True)) if gap is None else []
    if shells:
        doubts.append(f'open shells of {", ".join(shells)}: insulating only by correlation or magnetic order')
    if doubts:
        return Insulator(Sureness.UNSURE, f'{basis}; {"; ".join(doubts)}')
    if gap is None:
        return Insulator(Sureness.LIKELY, f'{basis}; closed shells')
    return Insulator(Sureness.KNOWN, basis)


def _doubts_of_states(polarization: FormalPolarization) -> list[str]:
    states = polarization.oxidation
    doubts = []
    if states.method == 'likeliest composition':
        doubts.append('the oxidation states are only the most frequent ones')
    if states.mixed_valence:
        doubts.append(f'mixed valence of {", ".join(states.mixed_valence)}')
    if any(_is_rival(polarization, charges) for charges in states.alternatives):
        doubts.append('other possible oxidation states have another polarization')
    return doubts


def _is_rival(polarization: FormalPolarization, charges: tuple[int, ...]) -> bool:
    """Tell whether other charges are as plausible and have another polarization.

    Charges against the order of electronegativities (B-3 N+3), or with open shells where those chosen have none
    (Ga+2 As-2), are not as plausible.
    """
    states = polarization.oxidation
    opened, chosen = (open_shells(zip(states.elements, each, strict=True)) for each in (charges, states.charges))
    if not _follows_electronegativity(states.elements, charges) or (opened and not chosen):
        return False
    member = polarization.allowed.nearest(np.asarray(charges) @ polarization.crystal.positions)
    return member.fractions != polarization.member


def _follows_electronegativity(elements: tuple[str, ...], charges: tuple[int, ...]) -> bool:
    """Tell whether every anion is at least as electronegative (Pauling) as every cation: B-3 N+3 is not."""
    pairs = [(Element(symbol).X, charge) for symbol, charge in zip(elements, charges, strict=True)]
    cations = [value for value, charge in pairs if charge > 0]
    anions = [value for value, charge in pairs if charge < 0]
    return not cations or not anions or max(cations) <= min(anions)


def open_shells(ions: object) -> list[str]:
    """Return the ions with a partly filled shell, such as ``Ti+3 (d1)``, in alphabetic order, each once.

    Args:
        ions: pairs of element symbol and charge in e.
    """
    return sorted({text for symbol, charge in ions if (text := _open_shell(symbol, charge))})  # type: ignore[attr-defined]


def magnetic_shells(polarization: FormalPolarization) -> list[str]:
    """Return the ions of a crystal with partly filled d or f shells, which may have moments whatever its gap."""
    states = polarization.oxidation
    shells = open_shells(zip(states.elements, states.charges, strict=True))
    return [shell for shell in shells if '(sp' not in shell]


def _open_shell(symbol: str, charge: int) -> str:
    element = Element(symbol)
    closed: tuple[int, ...]
    if element.is_lanthanoid or element.is_actinoid:
        kind, number, closed = 'f', element.Z - (54 if element.is_lanthanoid else 86) - charge, (0, 14)
    elif 3 <= element.group <= 12:
        kind, number, closed = 'd', element.group - charge, (0, 10)
    else:
        outer = element.group - (10 if element.group > 12 else 0)
        kind, number, closed = 'sp', outer - charge, CLOSED_OUTER
    return '' if number in closed else f'{symbol}{charge:+d} ({kind}{number})'
