"""Berry phases in the XML file of pw.x.

The totals in that file are not used. pw.x 6.7 reduces the electronic phase modulo 1 and adds it to an ionic phase
modulo 2, then prints the sum as known modulo 2: the parity of the electron pairs is lost, and the result depends on the
origin. It also averages strings around the first of them, wherever the others lie. The phases of the strings are
complete.
"""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np

_STRING = re.compile(
    r'^ +(?:(?:up|down) +)?\d+ +(\d\.\d{6}) +(-?\d+\.\d{4}) *(-?\d+\.\d{4}) *(-?\d+\.\d{4}) +(\S+)$', re.MULTILINE
)
_IONIC = re.compile(r'^ +Ionic Phase: +(\S+)$', re.MULTILINE)
_DIGITS = np.array([1e-6, 1e-4, 1e-4, 1e-4, 1e-5])
"""Units in the last digits of weight, k-point and phase."""


class BerryPhaseMissingError(ValueError):
    """The file holds no Berry phase, or one that cannot be read."""


def parse_berry_phase(xml: str) -> dict[str, Any]:
    """Return the phases of all strings.

    Args:
        xml: content of ``data-file-schema.xml``.

    Returns:
        ``weights`` and ``phases`` (spins, strings): phase of each string divided by 2π, of one electron per band;
        ``ionic_phase`` in e, modulo 1 or 2; ``first_kpoints`` (strings, 3), Cartesian in 2π/alat.

    Raises:
        BerryPhaseMissingError: no Berry phase in the file, or one that does not fit together.
    """
    try:
        berry = ET.fromstring(xml).find('.//output/electric_field/BerryPhase')  # noqa: S314 - written by pw.x
        if berry is None:
            raise BerryPhaseMissingError('there is no element BerryPhase')
        return _read(berry)
    except (ET.ParseError, AttributeError, TypeError, ValueError) as error:
        raise BerryPhaseMissingError(str(error)) from error


def phase_contradictions(stdout: str, xml: str) -> list[str]:
    """Return what standard output and XML tell differently of the phases, as short names.

    Args:
        stdout: of a run that ended.
        xml: content of ``data-file-schema.xml`` with Berry phases.
    """
    berry = parse_berry_phase(xml)
    electrons = 2 if len(berry['phases']) == 1 else 1
    strings = [
        [weight, *kpoint, electrons * phase]
        for weights, phases in zip(berry['weights'], berry['phases'], strict=True)
        for weight, kpoint, phase in zip(weights, berry['first_kpoints'], phases, strict=True)
    ]
    printed, ionic = _numbers(_STRING.findall(stdout)), _numbers(_IONIC.findall(stdout))
    wrong = [] if _agree(np.array(strings), printed.reshape(-1, 5), _DIGITS) else ['phases of strings']
    return wrong + ([] if _agree(np.array([berry['ionic_phase']]), ionic, _DIGITS[-1:]) else ['ionic phase'])


def _agree(found: np.ndarray, printed: np.ndarray, digits: np.ndarray) -> bool:
    return found.shape == printed.shape and bool((np.abs(found - printed) < digits).all())


def _numbers(words: list[Any]) -> np.ndarray:
    try:
        return np.array(words, dtype=float)
    except ValueError:  # NaN is a number, ***** is none
        return np.full(np.shape(words), np.nan)


def _read(berry: ET.Element) -> dict[str, Any]:
    strings = [_read_string(element) for element in berry.findall('electronicPolarization')]
    spins = sorted({spin for spin, *_ in strings})
    channels = [[entry for entry in strings if entry[0] == spin] for spin in spins]
    if not strings or len({len(channel) for channel in channels}) != 1:
        raise BerryPhaseMissingError(f'{[len(channel) for channel in channels]} strings by spin channel')
    # without spin pw.x writes the phase of an electron pair
    electrons = 2 if len(channels) == 1 else 1
    return {
        'weights': [[weight for _, weight, _, _ in channel] for channel in channels],
        'phases': [[phase / electrons for _, _, phase, _ in channel] for channel in channels],
        'first_kpoints': [kpoint for _, _, _, kpoint in channels[0]],
        'ionic_phase': float(berry.find('totalPhase').attrib['ionic']),  # type: ignore[union-attr]
    }


def _read_string(element: ET.Element) -> tuple[int, float, float, list[float]]:
    first = element.find('firstKeyPoint')
    spin = element.findtext('spin')
    kpoint = [float(value) for value in first.text.split()]  # type: ignore[union-attr]
    weight = float(first.attrib['weight'])  # type: ignore[union-attr]
    return int(spin) if spin else 1, weight, float(element.findtext('phase')), kpoint  # type: ignore[arg-type]
