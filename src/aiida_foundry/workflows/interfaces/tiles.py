"""A screening that works in a folder, piece by piece: it may be killed at any moment and goes on where it was.

Every piece of work, a few crystals or the pairs of two blocks of crystals, ends with a file that appears whole. What is
in a file is not computed again, and the tables put together from the files are the same however often it was killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from aiida_foundry.analysis.interfaces import candidates as selection
from aiida_foundry.analysis.interfaces.candidates import Ingredients, best_pairs, candidates, gather
from aiida_foundry.analysis.interfaces.crystals import Assessed, assess, matching_crystal
from aiida_foundry.analysis.interfaces.fronts import unsurpassed
from aiida_foundry.analysis.interfaces.properties import (
    KnownProperties,
    ScreenParameters,
    parse_known,
    parse_parameters,
)
from aiida_foundry.analysis.matching import Screen, StrainLimit, screen
from aiida_foundry.common.errors import InputError
from aiida_foundry.structures.collections import archive_resources, read_archive, resource_formula
from aiida_foundry.workflows.interfaces import tables

#: Crystals that are assessed before they are written: at about 0.1 s each, so much may be lost by a kill.
CHUNK = 25
NOTHING = KnownProperties()


class Screening:
    """One screening in one folder, which belongs to it while it is open: ``with Screening(…) as screening``.

    Args:
        archive: the crystals, OPTIMADE JSON Lines.
        parameters: limits, see `ScreenParameters`.
        known: what is known of crystals, by name or reduced formula, see `KnownProperties`.
        folder: where the work is kept; it is made.

    Raises:
        InputError: unknown or impossible parameters, properties of a crystal that is not there, a folder that holds
            another screening or is in use.
    """

    def __init__(
        self, archive: str, parameters: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]], folder: Path
    ) -> None:
        self.parameters: ScreenParameters = parse_parameters(parameters)
        self._known = parse_known(known)
        self._archive = archive
        self._names = [str(resource.get('id')) for resource in archive_resources(archive)]
        check_known(archive, self._known)
        self._folder = folder
        self._lock: IO[str] | None = None

    def __enter__(self) -> Screening:
        """Take the folder."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = (self._folder / 'lock').open('w')
        subject = f'folder `{self._folder}`'
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise InputError(subject, 'another process works in it', 'Wait for it, or stop it') from None
        with contextlib.suppress(FileNotFoundError):
            if (self._folder / 'key').read_text() != self.key:
                self.__exit__()
                raise InputError(subject, 'it holds another screening', 'Take another folder')
        part = self._folder / 'key.part'
        part.write_text(self.key)
        part.replace(self._folder / 'key')
        return self

    def __exit__(self, *_: object) -> None:
        """Give the folder back; all work stays."""
        if self._lock is not None:
            self._lock.close()

    @cached_property
    def key(self) -> str:
        """Return a hash of everything that the result depends on."""
        known = {name: value.model_dump() for name, value in self._known.items()}
        limits = self.parameters.model_dump(exclude={'best'})
        content = [self._archive, limits, known, selection.VERSION, CHUNK, screen.BLOCK]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]

    @property
    def progress(self) -> tuple[str, int, int]:
        """Return what is being done, how much of it is done, and how much there is in all."""
        if missing := self._missing_chunks():
            left = sum(min(CHUNK, len(self._names) - start) for start in missing)
            return 'crystals', len(self._names) - left, len(self._names)
        return 'blocks of pairs', len(self._screen.tiles) - len(self._missing_tiles()), len(self._screen.tiles)

    def advance(self, seconds: float = np.inf) -> bool:
        """Work for about some seconds; return whether everything is done."""
        end = time.monotonic() + seconds
        missing = self._missing_chunks()
        for start in missing:
            self._assess(start)
            if time.monotonic() > end:
                return False
        for tile in self._missing_tiles():
            self._match(tile)
            if time.monotonic() > end:
                break
        return not self._missing_tiles()

    # ------------------------------------------------------------------------------------------------ the pieces

    def _chunk(self, start: int) -> Path:
        return self._folder / f'crystals-{start:06d}.parquet'

    def _tile(self, tile: tuple[int, int]) -> Path:
        return self._folder / f'pairs-{tile[0]:04d}-{tile[1]:04d}.parquet'

    def _missing_chunks(self) -> list[int]:
        return [start for start in range(0, len(self._names), CHUNK) if not self._chunk(start).exists()]

    def _missing_tiles(self) -> list[tuple[int, int]]:
        return [tile for tile in self._screen.tiles if not self._tile(tile).exists()]

    @cached_property
    def _entries(self) -> list[Any]:
        return list(read_archive(self._archive))

    def _assess(self, start: int) -> None:
        found = []
        for entry in self._entries[start : start + CHUNK]:
            if entry.structure is None:
                found.append(Assessed(entry.name, reason=entry.reason))
                continue
            known = self._known.get(entry.name) or self._known.get(entry.structure.composition.reduced_formula)
            found.append(assess(entry.name, entry.structure, known or NOTHING, self.parameters))
        tables.write_whole(self._chunk(start), tables.crystals_table(found))

    @cached_property
    def crystals(self) -> list[Assessed]:
        """Return all crystals, in the order of the archive."""
        chunks = [self._chunk(start) for start in range(0, len(self._names), CHUNK)]
        return [one for chunk in chunks for one in tables.crystals_of(pq.read_table(chunk))]

    @cached_property
    def taking_part(self) -> list[Assessed]:
        """Return the crystals that the numbers in the rows of candidates stand for."""
        return [one for one in self.crystals if not one.reason]

    @cached_property
    def _screen(self) -> Screen:
        structures = [
            entry.structure for entry, one in zip(self._entries, self.crystals, strict=True) if not one.reason
        ]
        limits = self.parameters
        return Screen(
            [matching_crystal(structure) for structure in structures],
            max_miller=limits.max_miller,
            max_area=limits.max_area,
            limit=StrainLimit(limits.max_strain),
        )

    @cached_property
    def _ingredients(self) -> Ingredients:
        return gather(self.taking_part, self._screen.faces, self.parameters.min_thickness)

    def _match(self, tile: tuple[int, int]) -> None:
        pairs = self._screen.tile(*tile)
        found, dropped = candidates(pairs, self._ingredients, self.parameters)
        counts = {'matches': len(pairs.area), **dropped}
        tables.write_whole(self._tile(tile), tables.candidates_table(found), {'counts': json.dumps(counts)})

    # ------------------------------------------------------------------------------------------------- the result

    def write_tables(self, folder: Path) -> dict[str, Any]:
        """Put the pieces together as ``crystals.parquet`` and ``pairs.parquet``, and return the summary.

        Args:
            folder: where the two tables are written, row group by row group.

        Returns:
            Counts of crystals, pairs and what was dropped why; and the best pairs, see `best`.
        """
        self.advance()
        pq.write_table(tables.crystals_table(self.crystals), folder / 'crystals.parquet', compression='zstd')
        millers = [[' '.join(map(str, face.miller)) for face in group] for group in self._screen.faces]
        counts: Counter[str] = Counter()
        with pq.ParquetWriter(folder / 'pairs.parquet', tables.PAIRS, compression='zstd') as writer:
            for file in self._tiles():
                counts += Counter(json.loads(file.schema_arrow.metadata[b'counts']))
                writer.write_table(tables.pairs_table(file.read(), self.taking_part, millers))
                counts['candidates'] += file.metadata.num_rows
        return {
            'crystals': len(self.crystals),
            'crystals_taking_part': len(self.taking_part),
            'left_out': dict(sorted(Counter(left_out(one.reason) for one in self.crystals if one.reason).items())),
            'pairs_of_crystals': len(self.taking_part) * (len(self.taking_part) - 1) // 2,
            'matches': counts.pop('matches', 0),
            'candidates': counts.pop('candidates', 0),
            'dropped': dict(sorted(counts.items())),
            'best': self.best(folder / 'pairs.parquet'),
            'parameters': self.parameters.model_dump(),
        }

    def _tiles(self) -> Iterator[pq.ParquetFile]:
        return (pq.ParquetFile(self._tile(tile)) for tile in self._screen.tiles)

    def best(self, pairs: Path) -> list[dict[str, Any]]:
        """Return the rows that go on: one for each pair of crystals, by Pareto front, then by charge.

        Args:
            pairs: the table of all pairs, which the rows are taken from.
        """
        names = ('film', 'substrate', 'charge_density', 'strain', 'atoms')
        parts, start = [], 0
        for file in self._tiles():
            columns = [file.read([name])[name].to_numpy() for name in names]
            # what another candidate of the same crystals surpasses is never the first of them
            rows = unsurpassed(columns[0].astype(np.int64) * len(self.taking_part) + columns[1], *columns[2:])
            parts.append([column[rows] for column in columns] + [rows + start])
            start += file.metadata.num_rows
        if not start:
            return []
        film, substrate, density, strain, atoms, row = (np.concatenate(part) for part in zip(*parts, strict=True))
        chosen, fronts = best_pairs(film, substrate, (density, strain, atoms), self.parameters.best)
        records = read_rows(pairs, row[chosen])
        return [
            {'rank': rank, 'front': int(front), 'row': int(row[place]), **record}
            for rank, (place, front, record) in enumerate(zip(chosen, fronts, records, strict=True), start=1)
        ]


def read_rows(pairs: Path, rows: Sequence[int] | np.ndarray) -> list[dict[str, Any]]:
    """Return some rows of the table of pairs, in the order asked for, without reading all of it at once."""
    file = pq.ParquetFile(pairs)
    sizes = [file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)]
    ends = np.cumsum(sizes)
    groups = np.searchsorted(ends, rows, side='right')
    found: dict[int, dict[str, Any]] = {}
    for group in np.unique(groups):
        wanted = [int(row) for row, place in zip(rows, groups, strict=True) if place == group]
        first = int(ends[group] - sizes[group])
        records = file.read_row_group(int(group)).take(pa.array([row - first for row in wanted])).to_pylist()
        found.update(zip(wanted, map(_without_nan, records), strict=True))
    return [found[int(row)] for row in rows]


def _without_nan(record: dict[str, Any]) -> dict[str, Any]:
    return {name: None if isinstance(value, float) and np.isnan(value) else value for name, value in record.items()}


def left_out(reason: str) -> str:
    """Return the kind of a reason for leaving a crystal out, for counting."""
    kinds = {
        'not an insulator': 'metal, or elemental without a known gap',
        'not sure enough': 'not sure that it is an insulator',
        'partial occupancies': 'disordered',
        'disorder': 'disordered',
        'carries the charge': 'charged',
        'hold no atom': 'two-dimensional',
        'of 3 directions': 'two-dimensional',
        'magnetic order has': 'magnetic order larger than the cell',
        'magnetic moments': 'not collinear',
        'oxidation states': 'no consistent oxidation states',
        'overlap': 'overlapping atoms',
        'polarization (': 'polarization given contradicts symmetry or charges',
    }
    return next((kind for text, kind in kinds.items() if text in reason), 'unreadable')


def check_known(archive: str, known: Mapping[str, KnownProperties]) -> None:
    """Refuse properties of crystals that are not there, which are misspelt.

    Raises:
        InputError: names the first.
    """
    if not known:
        return
    present = set()
    for resource in archive_resources(archive):
        present |= {str(resource.get('id')), resource_formula(resource)}
    if missing := sorted(set(known) - present):
        raise InputError(
            f'properties of `{missing[0]}`', 'no crystal has this name or reduced formula', 'Correct the name'
        )
