"""Formal polarization of all crystals that pymatgen and Debian's libavogadro-data bundle: outcomes and CPU time.

Usage: python benchmarks/polarization.py [--quick] [FOLDER_OF_CIFS]

The last line is JSON; its ratio is the mean of the CPU milliseconds per crystal.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from pymatgen.analysis import prototypes
from pymatgen.core import Structure

from aiida_foundry.analysis.polarization import survey
from aiida_foundry.analysis.polarization.formal import Surveyed

AFLOW = Path(prototypes.__file__).parent / 'aflow_prototypes.json.gz'
AVOGADRO = Path('/usr/share/avogadro2/crystals')
TARGET = 40
"""CPU milliseconds per crystal, at most."""


def aflow() -> list[Structure]:
    with gzip.open(AFLOW, 'rt') as file:
        return [Structure.from_dict(entry['snl']) for entry in json.load(file)]


def cifs(folder: Path) -> tuple[list[Structure], int]:
    structures, unreadable = [], 0
    for path in sorted(folder.rglob('*.cif')):
        try:
            structures.append(Structure.from_file(path))
        except ValueError:  # noqa: PERF203
            unreadable += 1
    return structures, unreadable


def outcome(result: Surveyed) -> str:
    if result.polarization is None:
        return f'refused: {result.reason.split(": ", 1)[1].split(".")[0].split(",")[0]}'
    kind = 'polar' if result.polarization.needs_dft else 'fixed'
    value = '' if kind == 'polar' else ', not zero' if any(result.polarization.member) else ', zero'
    return f'{kind}{value} (charges: {result.polarization.oxidation.method})'


def report(title: str, structures: list[Structure]) -> list[float]:
    """Print outcomes and times; return the CPU milliseconds of each crystal."""
    list(survey(structures[:1]))  # tables of pymatgen and sympy are read at first use
    results, seconds = [], []
    for structure in structures:
        start = time.process_time()
        results.extend(survey([structure]))
        seconds.append(time.process_time() - start)
    milliseconds = 1000 * np.array(seconds)
    print(f'\n{title}: {len(structures)} crystals')
    for name, count in sorted(Counter(map(outcome, results)).items()):
        print(f'{count:5d}  {name}')
    percentiles = np.percentile(milliseconds, [50, 90, 99, 100])
    print(
        f'CPU ms per crystal: mean {milliseconds.mean():.1f}, median {percentiles[0]:.1f}, 90 % {percentiles[1]:.1f}, '
        f'99 % {percentiles[2]:.1f}, worst {percentiles[3]:.1f}'
    )
    return milliseconds.tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', nargs='?', type=Path, default=AVOGADRO, help='CIF files')
    parser.add_argument('--quick', action='store_true', help='AFLOW prototypes only')
    options = parser.parse_args()
    warnings.simplefilter('ignore')
    times = report('AFLOW prototypes', aflow())
    if not options.quick:
        structures, unreadable = cifs(options.folder)
        times += report(f'CIF files ({unreadable} more that pymatgen cannot read)', structures)
    mean = round(float(np.mean(times)), 1)
    print(json.dumps({'name': 'polarization', 'ratio': mean, 'target': TARGET, 'holds': mean <= TARGET}))


if __name__ == '__main__':
    main()
