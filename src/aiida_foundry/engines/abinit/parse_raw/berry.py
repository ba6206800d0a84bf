"""Main output (``.abo``) of a run with ``berryopt -1``: Berry phases."""

from __future__ import annotations

import re
from typing import Any

_BLOCK = re.compile(
    r'Computing the polarization \(Berry phase\) for reciprocal vector:\s*'
    r'([-+.\dE]+)\s+([-+.\dE]+)\s+([-+.\dE]+) \(in reduced coordinates\).*?'
    r'Electronic Berry phase\s+([-+.\dE]+)\s+Ionic phase\s+([-+.\dE]+)',
    re.DOTALL,
)


def parse_berry_phase(text: str) -> dict[str, Any] | None:
    """Return the phase of a run along one direction without spin polarization, None if there is none.

    ABINIT prints the mean over its strings, which it joins itself: it counts as one string here.

    Returns:
        ``weights`` and ``phases`` (1, 1): the phase divided by 2π of one electron per band, of which ABINIT prints the
        double; ``ionic_phase`` in e; ``step`` (3,): the vector between points of a string, reduced.
    """
    blocks = _BLOCK.findall(text)
    if len(blocks) != 1:
        return None
    *step, electronic, ionic = (float(value) for value in blocks[0])
    return {'weights': [[1.0]], 'phases': [[electronic / 2]], 'ionic_phase': ionic, 'step': step}
