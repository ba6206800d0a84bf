"""Berry phases in the XML file of pw.x.

The totals in that file are not used. pw.x 6.7 reduces the electronic phase modulo 1 and adds it to an ionic phase
modulo 2, then prints the sum as known modulo 2: the parity of the electron pairs is lost, and the result depends on the
origin. It also averages strings around the first of them, wherever the others lie. The phases of the strings are
complete.
"""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET


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
