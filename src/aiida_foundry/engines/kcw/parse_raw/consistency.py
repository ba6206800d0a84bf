"""Does an output of kcw.x agree with itself and with the input? What is known twice must be the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_foundry.engines.kcw.parse_raw.ham import Hamiltonian
from aiida_foundry.engines.kcw.parse_raw.run import KcwRun, to_reduced
from aiida_foundry.engines.kcw.parse_raw.screen import Screening

SETTINGS = ('calculation', 'MP grid', 'l_vcut', 'num_wann_occ', 'num_wann_emp')
"""Settings that every step prints and that its results depend on."""
SCREEN_SETTINGS = ('tr2', 'eps_inf')

_DIGITS = 1e-8
"""A unit in the last digit of integrals (Ry) and screening parameters."""
_LEVEL_DIGITS = 1e-4
"""A unit in the last digit of energies in eV."""
_SETTING_DIGITS = 1e-3
"""Relative: numbers of the input are repeated with four digits."""


def wanted_settings(run: KcwRun, step: str) -> dict[str, str]:
    """Return the settings that results depend on, as far as the output has them."""
    names = SETTINGS + (SCREEN_SETTINGS if step == 'screen' else ())
    return {name: run.settings[name] for name in names if name in run.settings}


def setting_contradictions(run: KcwRun, step: str, parameters: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the settings that are missing, or not those of the input.

    Args:
        run: that ended.
        step: ``wann2kcw``, ``screen`` or ``ham``.
        parameters: keywords of the input by namelist.
    """
    names = SETTINGS + (SCREEN_SETTINGS if step == 'screen' else ())
    wanted = {name.lower(): value for namelist in parameters.values() for name, value in namelist.items()}
    wanted['calculation'] = step
    if {'mp1', 'mp2', 'mp3'} <= set(wanted):
        wanted['MP grid'] = [wanted[name] for name in ('mp1', 'mp2', 'mp3')]
    wrong = [name for name in names if name not in run.settings]
    wrong += [name for name, text in run.settings.items() if name in wanted and not _same(text, wanted[name])]
    wrong += [name for name in names if name in SCREEN_SETTINGS and not _is_number(run.settings.get(name, 'NaN'))]
    return list(dict.fromkeys(wrong))


def _same(text: str, value: Any) -> bool:
    """Return whether a setting is the value of the input."""
    if isinstance(value, bool):
        return text == 'FT'[value]
    if isinstance(value, list):
        return text.split() == [str(entry) for entry in value]
    if isinstance(value, int | float):
        return _is_number(text) and abs(float(text) - value) <= _SETTING_DIGITS * abs(value)
    return text == str(value)


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def mesh_contradictions(run: KcwRun) -> list[str]:
    """Return whether the points of the mesh are not all there, or differ in the two units."""
    divisions = [int(word) for word in run.settings['MP grid'].split() if word.isdigit()]
    if len(divisions) != 3 or len(run.reduced) != np.prod(divisions):
        return ['q-points']
    try:
        back = to_reduced(run, run.cartesian)
    except ValueError:
        return ['q-points']
    steps = run.reduced * divisions
    on_mesh = np.abs(steps - np.rint(steps)).max() < _SETTING_DIGITS * max(divisions)
    return [] if on_mesh and np.abs(back - run.reduced).max() < _SETTING_DIGITS else ['q-points']


def screening_contradictions(run: KcwRun, screening: Screening) -> list[str]:
    """Return what the sums, quotients and copies of integrals tell differently from the integrals themselves."""
    return [name for name, agrees in _screening(run, screening) if not agrees]


def _screening(run: KcwRun, screening: Screening) -> Iterator[tuple[str, bool]]:
    with np.errstate(all='ignore'):
        digits = _DIGITS * (1 + (1 + np.abs(screening.alpha)) / np.abs(screening.unrelaxed))
        quotient = np.abs(screening.relaxed / screening.unrelaxed - screening.alpha)
    yield 'screening parameters', bool((quotient <= digits).all())
    yield 'head', (screening.head is not None) == (run.settings['l_vcut'] == 'T')
    totals = np.array([screening.relaxed, screening.unrelaxed, screening.self_hartree]).T
    computed = totals[screening.computed]
    yield 'copies', all((np.abs(computed - row) <= _DIGITS).all(axis=1).any() for row in totals[~screening.computed])
    yield (
        'integrals',
        all(
            _adds_up(screening.integrals[screening.points[:, 1] == orbital], total)
            for orbital, total in zip(screening.orbitals[screening.computed], computed, strict=True)
        ),
    )
    yield 'orbitals', set(screening.points[:, 1]) == set(screening.orbitals[screening.computed])
    yield 'numbers of q-points', set(screening.points[:, 0]) <= set(range(1, len(run.reduced) + 1))


def _adds_up(integrals: NDArray[np.float64], total: NDArray[np.float64]) -> bool:
    return bool((np.abs(integrals.sum(axis=0) - total) <= _DIGITS * (len(integrals) + 1)).all())


def energy_contradictions(run: KcwRun, result: Hamiltonian, alpha: Sequence[float] | None) -> list[str]:
    """Return what band edges and screening parameters tell differently from the energies and the input.

    Args:
        run: that ended.
        result: energies at all points of the mesh.
        alpha: screening parameters of the input.
    """
    occupied, empty = (int(run.settings[name]) for name in ('num_wann_occ', 'num_wann_emp'))
    wrong = [] if result.koopmans.shape[1] == len(result.alpha) == occupied + empty else ['number of functions']
    if alpha is not None and (len(alpha) != len(result.alpha) or np.abs(result.alpha - alpha).max() > _DIGITS):
        wrong.append('screening parameters')
    for name, energies in (('KS', result.kohn_sham), ('KI[2nd]', result.koopmans)):
        if empty and not wrong:
            edges = np.array([energies[:, :occupied].max(), energies[:, occupied:].min()])
            if name in result.edges and np.abs(edges - result.edges[name]).max() > _LEVEL_DIGITS:
                wrong.append(f'band edges of {name}')
    return wrong
