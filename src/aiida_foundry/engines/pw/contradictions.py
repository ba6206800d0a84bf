"""Do standard output and XML of one run of pw.x belong together? What both hold must agree; no aiida.

A folder that was used before, or a file that was damaged, leaves an XML file that reads well and is not of this run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from aiida_foundry.common.units import HARTREE_TO_EV

_ENERGY = re.compile(r'^!!?\s+total energy\s+=\s+(\S+) Ry', re.MULTILINE)
_LEVEL = re.compile(r'^\s+(?:the Fermi energy is|highest occupied level \(ev\):)\s+(\S+)', re.MULTILINE)
_BANDS = re.compile(r'^\s+k =.*bands \(ev\):\s*\n\s*\n((?:[-+.\d ]+\n)+)', re.MULTILINE)
_FORCES = re.compile(r'^\s+Forces acting on atoms.*\n\s*\n((?:\s+atom .*\n)+)', re.MULTILINE)
_ELECTRONS = re.compile(r'^\s+number of electrons\s+=\s+(\S+)', re.MULTILINE)
_LAST_CYCLE = re.compile(r'End of (?:self-consistent|band structure) calculation')
_END = 'JOB DONE'

ENERGY_DIGITS = 6e-9
"""Half the last digit of energies in Ry, and of forces in Ry/bohr."""
LEVEL_DIGITS = 6e-5
"""Half the last digit of eigenvalues in eV."""


def contradictions(stdout: str, xml: str) -> list[str]:
    """Return what standard output and XML tell differently, as short names; nothing if all is well.

    Total energy, Fermi energy or highest occupied level, number of electrons, forces, and eigenvalues if they are
    printed, as pw.x does below 100 k-points. A run that did not end is not compared.

    Args:
        stdout: standard output.
        xml: content of ``data-file-schema.xml``.
    """
    _, _, output = xml.rpartition('<output>')
    if _END not in stdout or not output:
        return []
    return [
        name
        for name, found, printed, tolerance in _pairs(stdout, output)
        if np.shape(found) != np.shape(printed) or not np.allclose(found, printed, 0, tolerance)
    ]


def _pairs(stdout: str, xml: str) -> Iterator[tuple[str, np.ndarray, np.ndarray, float]]:
    """Iterate over name, value of the XML, last printed value and tolerance."""
    if energies := _ENERGY.findall(stdout):
        total = xml.partition('<total_energy>')[2]  # without this element the parser finds no energy
        yield 'total energy', 2 * _numbers(_tag(total, 'etot')), _numbers(energies[-1]), ENERGY_DIGITS
    level = _tag(xml, 'highestOccupiedLevel') or _tag(xml, 'fermi_energy')
    if (levels := _LEVEL.findall(stdout)) and level:
        yield 'Fermi energy', HARTREE_TO_EV * _numbers(level), _numbers(levels[-1]), LEVEL_DIGITS
    if electrons := _ELECTRONS.findall(stdout):
        yield 'number of electrons', _numbers(_tag(xml, 'nelec')), _numbers(electrons[-1]), 6e-3
    if blocks := _FORCES.findall(stdout):
        printed = ' '.join(line.partition('=')[2] for line in blocks[-1].splitlines())
        yield 'forces', 2 * _numbers(_tag(xml, 'forces')), _numbers(printed), ENERGY_DIGITS
    yield from _bands(stdout, xml)


def _bands(stdout: str, xml: str) -> Iterator[tuple[str, np.ndarray, np.ndarray, float]]:
    """Compare the eigenvalues of the last cycle if all are printed; with two spins, all of the first come before."""
    blocks = [_numbers(text) for text in re.findall(r'<eigenvalues [^>]*>([^<]*)<', xml)]
    if _tag(xml, 'lsda').strip() == 'true':
        halves = [np.split(block, 2) for block in blocks if len(block) % 2 == 0]
        blocks = [half[spin] for spin in (0, 1) for half in halves]
    printed = [_numbers(text) for text in _BANDS.findall(_LAST_CYCLE.split(stdout)[-1])]
    if len(printed) == len(blocks):
        for found, last in zip(blocks, printed, strict=True):
            yield 'eigenvalues', HARTREE_TO_EV * found, last, LEVEL_DIGITS


def _tag(xml: str, name: str) -> str:
    """Return the content of the last element of this name, empty if there is none."""
    found = re.findall(rf'<{name}(?: [^>]*)?>([^<]*)</{name}>', xml)
    return found[-1] if found else ''


def _numbers(text: str) -> np.ndarray:
    """Return the numbers in a text, where a sign may follow a digit; NaN for what is none."""
    return np.array([_number(word) for word in re.sub(r'(?<=[\d.])-', ' -', text).split()])


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return float('nan')
