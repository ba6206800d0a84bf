"""Oxidation states of a crystal: given, or guessed with a statement of how sure the guess is."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from pymatgen.analysis.bond_valence import PRIOR_PROB, BVAnalyzer
from pymatgen.core import Element, Species, Structure

from aiida_foundry.analysis.polarization.crystal import PrimitiveCrystal
from aiida_foundry.common.errors import InputError

Method = Literal['given', 'element', 'composition', 'bond valence', 'likeliest composition']
Given = Mapping[str, float] | Sequence[float]

#: Larger primitive cells are not given to BVAnalyzer: its neighbour search takes minutes for 1000 sites.
LARGEST_BOND_VALENCE_CELL = 200
#: Assignments that BVAnalyzer may try; its default of 100 000 takes a second for formulas of many elements.
BOND_VALENCE_ASSIGNMENTS = 10_000

STATEMENTS: dict[Method, str] = {
    'given': 'given with the structure or by the user',
    'element': 'an elemental crystal: every site counts as neutral',
    'composition': 'sure: the only neutral combination of states known from the ICSD with one state per element',
    'bond valence': 'fairly sure: chosen by bond valences',
    'likeliest composition': 'unsure: bond valences decide nothing, so the combination most frequent in the ICSD',
}


@dataclass(frozen=True)
class OxidationStates:
    """Integer charges of the sites of a primitive cell.

    Args:
        charges: one per site of the primitive cell, in e.
        elements: symbol of each site.
        method: where they come from.
        alternatives: other neutral assignments that the composition allows, likeliest first.
    """

    charges: tuple[int, ...]
    elements: tuple[str, ...]
    method: Method
    alternatives: tuple[tuple[int, ...], ...] = ()

    @property
    def statement(self) -> str:
        """How sure the states are, in words."""
        mixed = f'; mixed valence of {", ".join(self.mixed_valence)}' if self.mixed_valence else ''
        return f'{STATEMENTS[self.method]} ({len(self.alternatives)} alternatives){mixed}'

    @property
    def mixed_valence(self) -> tuple[str, ...]:
        """Elements that occur in more than one state, on sites that symmetry tells apart."""
        pairs = sorted(set(zip(self.elements, self.charges, strict=True)))
        return tuple(sorted({one for (one, _), (other, _) in itertools.pairwise(pairs) if one == other}))

    def __str__(self) -> str:
        pairs = sorted(set(zip(self.elements, self.charges, strict=True)))
        return ', '.join(f'{element}{charge:+d}' for element, charge in pairs)


def oxidation_states(crystal: PrimitiveCrystal, given: Given | None = None) -> OxidationStates:
    """Return the oxidation states of a crystal, guessed where none are given.

    The guess is the only neutral combination of the integer states that the ICSD knows for each element. Several
    combinations, or none (mixed valence), are decided by bond valences (O'Keeffe and Brese, JACS 113, 3226 (1991), as
    in pymatgen's BVAnalyzer), and where these fail, by how often the ICSD has each.

    Args:
        crystal: the crystal.
        given: states by element symbol, or one for each site of the structure that the crystal was made from.

    Raises:
        InputError: states that are not integers, not neutral, or differ between equivalent sites; no guess possible.
    """
    structure = crystal.structure
    elements = tuple(site.specie.symbol for site in structure)
    if given is None:
        charges, method, alternatives = _guess(structure)
    else:
        charges, method, alternatives = _given_charges(crystal, elements, given), 'given', ()
    states = OxidationStates(charges, elements, method, alternatives)
    _check_neutral(states)
    _check_equivalent(crystal, states)
    return states


def neutral_combinations(amounts: Mapping[Element, float]) -> list[dict[Element, int]]:
    """Return the neutral combinations with one ICSD state per element, most frequent in the ICSD first.

    pymatgen's ``Composition.oxi_state_guesses`` also mixes states within an element, which takes seconds for formulas
    such as Cr23C6 and yields averages that no polarization can be counted from.

    Args:
        amounts: number of atoms of each element.
    """
    choices = [element.icsd_oxidation_states or element.common_oxidation_states for element in amounts]
    numbers = list(amounts.values())

    def frequency(states: tuple[int, ...]) -> float:
        species = (Species(element.symbol, state) for element, state in zip(amounts, states, strict=True))
        return sum(number * PRIOR_PROB.get(one, 0.0) for number, one in zip(numbers, species, strict=True))

    neutral = (states for states in itertools.product(*choices) if np.dot(states, numbers) == 0)
    return [dict(zip(amounts, states, strict=True)) for states in sorted(neutral, key=frequency, reverse=True)]


def _guess(structure: Structure) -> tuple[tuple[int, ...], Method, tuple[tuple[int, ...], ...]]:
    if len(structure.elements) == 1:
        return (0,) * len(structure), 'element', ()
    combinations = neutral_combinations(structure.composition.reduced_composition)
    assignments = [tuple(states[site.specie] for site in structure) for states in combinations]
    if len(assignments) == 1:
        return assignments[0], 'composition', ()
    charges = _bond_valence(structure)
    if charges is not None:
        return charges, 'bond valence', tuple(other for other in assignments if other != charges)
    if not assignments:
        raise InputError(
            f'structure {structure.composition.reduced_formula}',
            'no neutral combination of oxidation states is known for it, neither with one state per element nor by '
            'bond valences',
            'Give the oxidation states; metals and intermetallic compounds have no formal polarization.',
        )
    return assignments[0], 'likeliest composition', tuple(assignments[1:])


def _bond_valence(structure: Structure) -> tuple[int, ...] | None:
    # BVAnalyzer signals "no answer" by whatever its parts raise: ValueError, or KeyError for unknown elements
    if len(structure) > LARGEST_BOND_VALENCE_CELL:
        return None
    try:
        return tuple(BVAnalyzer(max_permutations=BOND_VALENCE_ASSIGNMENTS).get_valences(structure))
    except (ValueError, KeyError):
        return None


def _given_charges(crystal: PrimitiveCrystal, elements: tuple[str, ...], given: Given) -> tuple[int, ...]:
    if isinstance(given, Mapping):
        missing = set(elements) - set(given)
        if missing:
            raise InputError(f'oxidation states {dict(given)}', f'{", ".join(sorted(missing))} is missing', 'Add it.')
        values = np.array([given[element] for element in elements], dtype=float)
    else:
        values = _site_charges(crystal, np.asarray(given, dtype=float))
    if np.any(values != np.rint(values)):
        raise InputError(
            f'oxidation states {given}',
            'a formal polarization counts whole electrons, and fractional states (mixed valence) belong to a metal',
            'Give the integer states of the charge-ordered phase, in the structure or with the moments that order it.',
        )
    return tuple(values.astype(int).tolist())


def _site_charges(crystal: PrimitiveCrystal, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Carry one charge per input site over to the primitive cell, refusing charges that enlarge that cell."""
    if values.shape != crystal.sites.shape:
        raise InputError(f'oxidation states of shape {values.shape}', f'there are {len(crystal.sites)} sites', 'Match.')
    first = np.unique(crystal.sites, return_index=True)[1]
    _refuse_different(crystal, values, values[first][crystal.sites], crystal.sites)
    return values[first]


def _check_neutral(states: OxidationStates) -> None:
    total = sum(states.charges)
    if total:
        raise InputError(
            f'oxidation states {states}',
            f'they add up to {total:+d} e per primitive cell',
            'Give states of a neutral crystal.',
        )


def _check_equivalent(crystal: PrimitiveCrystal, states: OxidationStates) -> None:
    charges = np.array(states.charges)
    _, first, orbits = np.unique(crystal.orbits, return_index=True, return_inverse=True)
    _refuse_different(crystal, charges, charges[first][orbits], orbits)


def _refuse_different(
    crystal: PrimitiveCrystal, charges: npt.NDArray, representatives: npt.NDArray, groups: npt.NDArray
) -> None:
    different = np.flatnonzero(charges != representatives)
    if len(different):
        one = different[0]
        other = int(np.flatnonzero(groups == groups[one])[0])
        raise InputError(
            f'oxidation states {charges[other]:+g} and {charges[one]:+g} of sites {other} and {one}',
            f'the space group {crystal.spacegroup} makes the two sites equivalent (mixed valence)',
            'Give the distorted structure of the charge-ordered phase, or magnetic moments that tell the sites apart.',
        )
