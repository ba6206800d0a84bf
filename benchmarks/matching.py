"""Lattice matching: against pymatgen's ZSLGenerator on the same vectors, and all crystals against all others.

Usage: python benchmarks/matching.py [--quick] [--only PART] [--plot PNG] [--plain-pymatgen]

The crystals are the AFLOW prototypes of pymatgen and the CIF files of Debian's libavogadro-data. Where more are needed
they are repeated with every length scaled by a random 0.92 to 1.08: those lattices are synthetic. All times are CPU
seconds of one core. The last line is JSON.

pymatgen compiles some of its functions where numba is installed, as it is here; that is done before the clock runs.
--plain-pymatgen runs them uncompiled, as pymatgen's own dependencies install it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pymatgen.analysis.interfaces import zsl
from pymatgen.analysis.prototypes import AFLOW_PROTOTYPE_LIBRARY
from pymatgen.core import Structure
from pymatgen.core.surface import SlabGenerator, get_symmetrically_distinct_miller_indices
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from aiida_foundry.analysis.crystal import Cell
from aiida_foundry.analysis.matching import (
    Crystal,
    LengthAngleLimit,
    Limit,
    Screen,
    StrainLimit,
    crystal_face,
    crystal_from_cell,
    distinct_faces,
    find_matches,
)
from aiida_foundry.analysis.matching.lattices import area, gram
from aiida_foundry.analysis.matching.lookup import Lookup
from aiida_foundry.analysis.matching.superlattices import superlattices
from aiida_foundry.common.errors import InputError

AVOGADRO = Path('/usr/share/avogadro2/crystals')  # Debian package libavogadro-data
SEED = 20
#: Ours takes milliseconds: the mean of so many runs.
REPEATS = 10
PARTS = ('pymatgen', 'pymatgen-large', 'primitive', 'screen')
#: Å²; faces compared with pymatgen: below, one pair costs it up to 23 s at 400 Å²; above, little matches.
FACE_AREAS = (15, 50)


@dataclass
class Report:
    """The table, and whether every target is met."""

    holds: bool = True
    speed: list[float] = field(default_factory=list)

    def check(self, title: str, found: str, target: str, holds: bool) -> None:
        """Print a line of the table."""
        self.holds &= bool(holds)
        print(f'{title:<62} {found:<34} {target:<26} {"holds" if holds else "FAILS"}', flush=True)


# ------------------------------------------------------------------------------------------------------- crystals


def structures(quick: bool) -> list[Structure]:
    found = [entry['snl'].structure for entry in AFLOW_PROTOTYPE_LIBRARY]
    if quick:
        return found
    for path in sorted(AVOGADRO.rglob('*.cif')):
        try:
            structure = Structure.from_file(path)
        except ValueError:
            continue
        if structure.is_ordered:
            found.append(structure)
    return found


def to_cell(structure: Structure, scale: float = 1.0) -> Cell:
    return Cell(structure.lattice.matrix * scale, structure.frac_coords, np.array(structure.atomic_numbers))


def readable(cells: list[Cell]) -> list[Cell]:
    """Keep the cells that are crystals: some CIF files overlap their atoms."""
    kept = []
    for cell in cells:
        try:
            crystal_from_cell(cell)
        except InputError:
            continue
        kept.append(cell)
    return kept


def many(cells: list[Cell], number: int) -> list[Cell]:
    """Return ``number`` cells: the given ones, then scaled copies of them (synthetic)."""
    random = np.random.default_rng(SEED)
    scales = itertools.chain(np.ones(len(cells)), iter(lambda: random.uniform(0.92, 1.08), None))
    scaled = (cell._replace(lattice=cell.lattice * scale) for cell, scale in zip(itertools.cycle(cells), scales))
    return list(itertools.islice(scaled, number))


# ----------------------------------------------------------------------------------------------- against pymatgen


def counts_of_pymatgen(films: list, substrates: list, max_area: float, length: float) -> tuple[np.ndarray, ...]:
    """Return for each pair of faces the number of matches and the smallest area (infinite without one)."""
    generator = zsl.ZSLGenerator(max_area=max_area, max_length_tol=length)
    counts = np.zeros((len(films), len(substrates)), dtype=int)
    smallest = np.full(counts.shape, np.inf)
    for (i, film), (j, substrate) in itertools.product(enumerate(films), enumerate(substrates)):
        areas = [match.match_area for match in generator(film, substrate)]
        counts[i, j] = len(areas)
        smallest[i, j] = min(areas, default=np.inf)
    return counts, smallest


def counts_of_ours(films: list, substrates: list, max_area: float, limit: Limit) -> tuple[np.ndarray, ...]:
    """Return the same from the superlattices and the lookup of `find_matches`."""
    tables = [superlattices(gram(np.array(vectors)), max_area) for vectors in (films, substrates)]
    rows, others = Lookup(tables[1].form, limit).matches(tables[0].form)
    pair = tables[0].lattice[rows], tables[1].lattice[others]
    counts = np.zeros((len(films), len(substrates)), dtype=int)
    smallest = np.full(counts.shape, np.inf)
    np.add.at(counts, pair, 1)
    np.minimum.at(smallest, pair, area(tables[0].form)[rows])
    return counts, smallest


def compare(report: Report, films: list, substrates: list, max_area: float, length: float) -> None:
    counts_of_ours(films, substrates, max_area, LengthAngleLimit(length, 0.01))  # the table of normal forms, once
    counts_of_pymatgen(films[:1], substrates[:1], max_area, length)  # compiles its functions
    start = time.process_time()
    for _ in range(REPEATS):
        ours = counts_of_ours(films, substrates, max_area, LengthAngleLimit(length, 0.01))
    middle = time.process_time()
    theirs = counts_of_pymatgen(films, substrates, max_area, length)
    seconds = (middle - start) / REPEATS, time.process_time() - middle
    pairs = len(films) * len(substrates)
    title = f'{pairs} face pairs, {length:.0%}, {max_area:.0f} Å²'
    found = f'{ours[0].sum()} matches, pymatgen {theirs[0].sum()}'
    if length <= 0.03:
        report.check(title, found, 'the same for every pair', (ours[0] == theirs[0]).all())
        report.check(
            '  smallest areas',
            f'differ by {largest_difference(ours[1], theirs[1]):.0e} Å²',
            '≤ 1e-6',
            largest_difference(ours[1], theirs[1]) <= 1e-6,
        )
    else:
        report.check(title, found, 'a superset in every pair', (ours[0] >= theirs[0]).all())
    ratio = seconds[1] / seconds[0]
    found = f'{seconds[0]:.3f} s, pymatgen {seconds[1]:.1f} s: {ratio:.0f}×'
    if pairs >= 500:
        report.speed.append(ratio)
        report.check('  speed', found, '≥ 1000×', ratio >= 1000)
    else:
        print(f'{"  speed (too few pairs for a target)":<62} {found}')


def largest_difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    if (np.isinf(ours) != np.isinf(theirs)).any():
        return np.inf
    both = np.isfinite(ours)
    return float(np.abs(ours[both] - theirs[both]).max(initial=0))


def sample_faces(cells: list[Cell], number: int) -> list[np.ndarray]:
    """Return the surface vectors (2, 3) of faces of crystals drawn at random."""
    found: list[np.ndarray] = []
    for index in np.random.default_rng(SEED).permutation(len(cells)):
        faces = distinct_faces(crystal_from_cell(cells[index]), 1, laue=True)[:2]
        found += [face.vectors[:2] for face in faces if FACE_AREAS[0] <= area(face.form) <= FACE_AREAS[1]]
        if len(found) >= number:
            break
    return found[:number]


def one_pair_at_a_time(cells: list[Cell]) -> None:
    """Print what a pair of crystals costs where nothing is shared with other pairs (no target)."""
    crystals = [crystal_from_cell(cell) for cell in cells[:8]]
    start = time.process_time()
    for film, substrate in itertools.pairwise(crystals):
        next(find_matches(film, substrate, max_miller=1, max_area=200, limit=StrainLimit(0.03)), None)
    seconds = (time.process_time() - start) / (len(crystals) - 1)
    print(
        f'{"find_matches, two crystals alone, hkl ≤ 1, 200 Å², 3 %":<62} {1000 * seconds:.0f} ms per pair of crystals'
    )


# ----------------------------------------------------------------------------------------- primitive surface cells


def surface_vectors(structure: Structure) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the vectors (2, 3) of each face as pymatgen's SubstrateAnalyzer has them, and the primitive ones."""
    conventional = SpacegroupAnalyzer(structure).get_conventional_standard_structure()
    crystal = crystal_from_cell(to_cell(conventional))
    for miller in get_symmetrically_distinct_miller_indices(conventional, 1):
        oriented = SlabGenerator(conventional, miller, 20, 15, primitive=False).oriented_unit_cell
        yield oriented.lattice.matrix[:2], crystal_face(crystal, our_indices(crystal, conventional, miller)).vectors[:2]


def our_indices(crystal: Crystal, structure: Structure, miller: tuple[int, ...]) -> tuple[int, int, int]:
    """Express Miller indices on the lattice of a structure on our conventional cell, whose setting may be another."""
    multiples = np.rint(6 * crystal.conventional @ np.linalg.solve(structure.lattice.matrix, miller)).astype(int)
    h, k, l = (int(value) for value in multiples // np.gcd.reduce(multiples))  # noqa: E741
    return h, k, l


def centred(structure: Structure) -> bool:
    """Tell whether the conventional cell is larger than the primitive one."""
    return SpacegroupAnalyzer(structure).get_space_group_symbol()[0] != 'P'


def primitive_cells(report: Report, chosen: list[Structure]) -> None:
    """Count the pairs of faces of different crystals that match at all, with pymatgen's cells and with ours."""
    faces = [(number, *pair) for number, structure in enumerate(chosen) for pair in surface_vectors(structure)]
    number, *vectors = zip(*faces, strict=True)
    limit = LengthAngleLimit(0.03, 0.01)
    theirs, ours = (counts_of_ours(list(each), list(each), 200, limit)[0] > 0 for each in vectors)
    crystal = np.array(number)
    special = np.array([centred(structure) for structure in chosen])[crystal]
    pairs = crystal[:, None] < crystal
    lost = int((theirs & ~ours & pairs).sum())
    report.check('primitive surface cells, 200 Å², 3 %: pairs lost', str(lost), '0', lost == 0)
    for title, kept, target in (('centred crystals', special, 1.8), ('all crystals', np.ones_like(special), None)):
        counts = [int((each & pairs & kept[:, None] & kept).sum()) for each in (ours, theirs)]
        line = f'  {title}, {kept.sum()} faces'
        found = f'{counts[0]} pairs, pymatgen {counts[1]}: {counts[0] / counts[1]:.2f}×'
        if target:
            report.check(line, found, f'≥ {target}×', counts[0] >= target * counts[1])
        else:
            print(f'{line:<62} {found}')


# ------------------------------------------------------------------------------------------------ all against all


def screen(cells: list[Cell]) -> dict[str, float]:
    """Match all against all, from cells to fronts; meant for a process of its own, whose memory is measured."""
    before = memory()
    start = time.process_time()
    crystals = [crystal_from_cell(cell) for cell in cells]
    symmetry = time.process_time() - start
    blocks = Screen(crystals, max_miller=1, max_area=200, limit=StrainLimit(0.03))
    matches = sum(len(pairs.area) for pairs in blocks)
    return {
        'crystals': len(cells),
        'seconds': time.process_time() - start,
        'symmetry_seconds': symmetry,
        'gigabytes': memory(),
        'start_gigabytes': before,
        'faces': sum(map(len, blocks.faces)),
        'matches': matches,
    }


def memory() -> float:
    """Peak memory of this process so far, GB. The kernel's ``ru_maxrss`` would include that of the parent."""
    peak = next(line for line in Path('/proc/self/status').read_text().splitlines() if line.startswith('VmHWM'))
    return int(peak.split()[1]) * 1024 / 1e9


def scaling(report: Report, cells: list[Cell], sizes: list[int]) -> list[dict[str, float]]:
    results = []
    for size in sizes:
        with multiprocessing.get_context('spawn').Pool(1) as pool:
            result = pool.apply(screen, (many(cells, size),))
        results.append(result)
        found = f'{result["seconds"]:.1f} s, {result["gigabytes"]:.2f} GB, {result["matches"]} matches'
        title = f'{size} crystals all against all, hkl ≤ 1, 200 Å², 3 %'
        if size == 1000:
            report.check(title, found, '≤ 30 s, ≤ 1 GB', result['seconds'] <= 30 and result['gigabytes'] <= 1)
        else:
            print(f'{title:<62} {found}', flush=True)
    return results


def plot(results: list[dict[str, float]], path: Path) -> None:
    from matplotlib.figure import Figure

    sizes = np.array([result['crystals'] for result in results])
    figure = Figure(figsize=(7, 3), layout='constrained')
    left, right = figure.subplots(1, 2)
    left.loglog(sizes, [result['seconds'] for result in results], 'o-', label='all')
    left.loglog(sizes, [result['symmetry_seconds'] for result in results], 's--', label='of this, symmetry (spglib)')
    left.set(xlabel='crystals', ylabel='CPU s, one core')
    left.legend(frameon=False)
    right.semilogx(sizes, [result['gigabytes'] for result in results], 'o-', label='peak')
    right.semilogx(sizes, [result['start_gigabytes'] for result in results], 's--', label='before: imports and cells')
    right.set(xlabel='crystals', ylabel='GB', ylim=(0, None))
    right.legend(frameon=False)
    figure.savefig(path, dpi=100)


def against_pymatgen(report: Report, cells: list[Cell], large: bool, quick: bool) -> None:
    """Compare 46 faces with 46 others; pymatgen takes seconds at 200 Å², minutes at 400 Å²."""
    faces = sample_faces(cells, 92)
    films, substrates = faces[:46], faces[46:]
    if large:
        compare(report, films, substrates, 400, 0.03)
        return
    compare(report, films, substrates, 200, 0.03)
    compare(report, films[:8] if quick else films, substrates[:8] if quick else substrates, 200, 0.05)
    one_pair_at_a_time(cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--quick', action='store_true', help='AFLOW prototypes only, fewer pairs, no scaling')
    parser.add_argument('--only', choices=PARTS, help='one part of the four')
    parser.add_argument('--plot', type=Path, help='where to draw the scaling')
    parser.add_argument('--plain-pymatgen', action='store_true', help='without numba in pymatgen')
    options = parser.parse_args()
    if options.plain_pymatgen:
        for name, function in vars(zsl).copy().items():
            setattr(zsl, name, getattr(function, 'py_func', function))
    warnings.simplefilter('ignore')

    report = Report()
    known = structures(options.quick)
    cells = readable([to_cell(structure) for structure in known])
    print(f'{len(cells)} crystals of {len(known)} ordered structures', flush=True)
    if options.only in {None, 'pymatgen'}:
        against_pymatgen(report, cells, large=False, quick=options.quick)
    if options.only == 'pymatgen-large' or (options.only is None and not options.quick):
        against_pymatgen(report, cells, large=True, quick=options.quick)
    if options.only in {None, 'primitive'}:
        small = [structure for structure in known if len(structure) <= 40]
        primitive_cells(report, small[::6] if options.quick else small[:260])
    if options.only in {None, 'screen'}:
        results = scaling(report, cells, [100] if options.quick else [100, 300, 1000, 3000, 10000])
        if options.plot:
            plot(results, options.plot)
    ratio = round(min(report.speed)) if report.speed else None
    print(json.dumps({'name': 'matching', 'ratio': ratio, 'target': 1000, 'holds': report.holds}))


if __name__ == '__main__':
    main()
