"""Do the files of one run belong together? What ABINIT writes twice must agree, and identities must hold.

A folder that was used before, or a file that was damaged, leaves a netCDF file that reads well and is not of this run.
The main output prints the energy with all digits and the quasiparticles of every state with three decimals.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiida_foundry.common.units import BOHR_TO_ANGSTROM, HARTREE_TO_EV
from aiida_foundry.engines.abinit.parse_raw.gsr import GroundState
from aiida_foundry.engines.abinit.parse_raw.main_output import count_scf_iterations, parse_dielectric_constants
from aiida_foundry.engines.abinit.parse_raw.sigres import Quasiparticles

_BLOCK = re.compile(r'^--- !(?P<tag>\w+)\s*\n(?P<body>.*?)^\.\.\.\s*$', re.MULTILINE | re.DOTALL)
_START = re.compile(r'^\.Starting date :.*\n.*', re.MULTILINE)
_SIZES = re.compile(r'Values of the parameters that define the memory need.*?This job should need[^\n]*', re.DOTALL)
_ENERGY = re.compile(r'^etotal\s*:\s*(\S+)\s*$', re.MULTILINE)
_FERMI = re.compile(r'^fermie\s*:\s*(\S+)\s*$', re.MULTILINE)
_KPOINT = re.compile(r'^kpoint\s*: \[(.*)\]', re.MULTILINE)
_SPIN = re.compile(r'^spin\s*: (\d+)', re.MULTILINE)

_EIGENVALUES = re.compile(r'^ Eigenvalues \(hartree\).*\n kpt#\s+1, .*\n((?:[-+.\dEe ]+\n)+)', re.MULTILINE)

PRINTED_DIGITS = 2e-8
"""Relative difference of numbers that are printed with 9 digits."""
NOISE = 1e-12
"""Absolute difference in atomic units, of what symmetry makes zero."""
PRINTED_CELL = 6e-8
"""Half the last digit of lattice vectors in bohr."""
PRINTED_EIGENVALUES = 6e-6
"""Half the last digit of eigenvalues in hartree."""
PRINTED_EV = 1.1e-3
"""Difference in eV of numbers that are printed with 3 decimals, from single precision."""
IDENTITY = 1e-6
"""Deviation from 1 of the sum of the weights, and per electron of the sum of the occupations."""


def check_texts(log: str, main_output: str) -> list[str]:
    """Return what log and main output, which ABINIT writes side by side, tell differently."""
    problems = []
    if _START.findall(log) != _START.findall(main_output):
        problems.append('time of the start')
    if _SIZES.findall(log) != _SIZES.findall(main_output):  # the time has no seconds
        problems.append('sizes')
    if count_scf_iterations(log) != count_scf_iterations(main_output):
        problems.append('self-consistent iterations')
    first, second = parse_dielectric_constants(log), parse_dielectric_constants(main_output)
    if str(first) != str(second):  # as text, so that NaN equals NaN: it has an exit code of its own
        problems.append('dielectric constants')
    return problems


def check_ground_state(state: GroundState, main_output: str, self_consistent: bool) -> list[str]:
    """Return what contradicts itself in a ground state, as short names; nothing if all is well.

    Weights sum to 1 and, weighted, occupations to the electrons, unless the k-points are a list at fixed potential;
    eigenvalues ascend; energy, Fermi energy, forces and the eigenvalues at the first k-point are those that the main
    output prints last.
    """
    problems = []
    if self_consistent:
        if abs(state.weights.sum() - 1) > IDENTITY or (state.weights < 0).any():
            problems.append('weights of the k-points')
        electrons = float(np.nansum(state.occupations * state.weights[:, np.newaxis]))
        if abs(electrons - state.number_of_electrons) > IDENTITY * max(state.number_of_electrons, 1):
            problems.append('occupations')
    if (np.diff(state.eigenvalues, axis=-1) < -IDENTITY).any():
        problems.append('order of the eigenvalues')
    problems += [
        name
        for name, found, printed, tolerance in _printed(state, main_output)
        if np.shape(found) != np.shape(printed) or not np.allclose(found, printed, PRINTED_DIGITS, tolerance)
    ]
    return problems


def _printed(state: GroundState, text: str) -> Iterator[tuple[str, Any, Any, float]]:
    """Iterate over name, value, the value that the main output prints last, if any, and half its last digit; in a.u."""
    bodies = [block['body'] for block in _BLOCK.finditer(text) if block['tag'] == 'ResultsGS']
    body = bodies[-1] if bodies else ''
    if energy := _ENERGY.search(body):
        yield 'energy', state.energy / HARTREE_TO_EV, _float(energy[1]), NOISE
    if fermi := _FERMI.search(body):
        yield 'Fermi energy', state.fermi_energy / HARTREE_TO_EV, _float(fermi[1]), NOISE
    force, stress = HARTREE_TO_EV / BOHR_TO_ANGSTROM, HARTREE_TO_EV / BOHR_TO_ANGSTROM**3
    for name, title, values, tolerance in (
        ('forces', 'cartesian_forces', state.forces / force, NOISE),
        ('stress', 'cartesian_stress_tensor', state.stress / stress, NOISE),
        ('cell', 'lattice_vectors', state.cell / BOHR_TO_ANGSTROM, PRINTED_CELL),
    ):
        if rows := re.search(rf'^{title}:.*\n((?:^- \[.*\n)+)', body, re.MULTILINE):
            yield name, values, _table(re.sub(r'[][,]|^-', ' ', rows[1], flags=re.MULTILINE)), tolerance
    if blocks := [match[1] for match in _EIGENVALUES.finditer(text)]:
        printed = _table('\n'.join(' '.join(block.split()) for block in blocks[-len(state.eigenvalues) :]))
        first = state.eigenvalues[:, 0] / HARTREE_TO_EV
        yield 'eigenvalues', first[:, np.isfinite(first).all(axis=0)], printed, PRINTED_EIGENVALUES


def _table(text: str) -> NDArray[np.float64]:
    """Return the numbers in lines of text; NaN for what is no number, and nothing if the lines differ in length."""
    rows = [[_float(entry) for entry in line.split()] for line in text.splitlines()]
    return np.array(rows if len({len(row) for row in rows}) == 1 else [])


def check_quasiparticles(quasiparticles: Quasiparticles, main_output: str) -> list[str]:
    """Return what of the quasiparticles is not what the main output prints, as short names."""
    names = {'Kohn-Sham energies': 'ks_energies', 'vxc': 'vxc', 'exchange': 'exchange', 'energies': 'qp_energies'}
    problems: dict[str, None] = {}
    for spin, kpoint, band, row in _rows(main_output):
        index = _index(quasiparticles.kpoints, kpoint)
        spins, _, bands = quasiparticles.ks_energies.shape
        if index is None or not 1 <= band <= bands or not 1 <= spin <= spins:
            problems['spins, k-points or bands'] = None
            continue
        for name, attribute in names.items():
            if name in row:
                value = getattr(quasiparticles, attribute)[spin - 1, index, int(band) - 1]
                if not abs(value - row[name]) <= PRINTED_EV:
                    problems[name] = None
    return list(problems)


def _rows(text: str) -> Iterator[tuple[int, NDArray[np.float64], float, dict[str, float]]]:
    """Iterate over spin, k-point, band and printed values of each state; columns differ with and without iteration."""
    for block in _BLOCK.finditer(text):
        kpoint, spin = _KPOINT.search(block['body']), _SPIN.search(block['body'])
        if block['tag'] != 'SelfEnergy_ee' or kpoint is None or spin is None:
            continue
        coordinates = np.array([_float(entry) for entry in kpoint[1].split(',') if entry.strip()])
        _, _, table = block['body'].partition('!SigmaeeData |\n')
        seen: set[float] = set()
        for line in table.splitlines()[1:]:
            band, *values = [_float(entry) for entry in line.split()] or [0.0]
            if band in seen:  # a second line holds imaginary parts
                continue
            seen.add(band)
            if len(values) == 9:  # one shot: Band E0 <VxcDFT> SigX SigC(E0) Z dSigC/dE Sig(E) E-E0 E
                columns = {'Kohn-Sham energies': 0, 'vxc': 1, 'exchange': 2, 'energies': 8}
            elif (
                len(values) == 12
            ):  # wavefunctions updated; the last is the eigenvalue that the next iteration starts from
                columns = {'Kohn-Sham energies': 0, 'vxc': 1, 'exchange': 4, 'energies': 11}
            else:
                continue
            yield int(spin[1]), coordinates, band, {name: values[place] for name, place in columns.items()}


def _index(kpoints: NDArray[np.float64], kpoint: NDArray[np.float64]) -> int | None:
    if kpoint.shape != (3,):
        return None
    found = np.flatnonzero((np.abs(kpoints - kpoint) < PRINTED_EV).all(axis=1))
    return int(found[0]) if len(found) else None


def _float(text: str) -> float:
    """Return a number, NaN for what is none: it then agrees with nothing."""
    try:
        return float(text)
    except ValueError:
        return float('nan')
