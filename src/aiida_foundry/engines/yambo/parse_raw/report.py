"""What Yambo says about a run: report (``r-*``) and log (``l-*``)."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

NUMBER = r'[-+]?(?:\d+\.?\d*(?:[Ee][-+]?\d+)?|NaN|Infinity)'
_VERSION = re.compile(r'Version\s+(\S+)\s+Revision\s+(\d+)')
_SERIAL = re.compile(r'- S/N\s+(\d+)\s+-')
_ERROR = re.compile(r'\[ERROR\]\s*(\S.*?)\s*$', re.MULTILINE)
_WARNING = re.compile(r'\[WARNING\]\s*(\S.*?)\s*$', re.MULTILINE)
_HAYDOCK = re.compile(rf'\[Haydock\] Iteration\s+(\d+)(?:\s+Accuracy\s+({NUMBER})\|\s*({NUMBER}))?')
_MATCHES = re.compile(rf'Exact matches\s*:\s*({NUMBER})')
_IDENTIFIER = re.compile(r'\[K\] Identifier\s*:\s*(\d+)')
_COUPLING = re.compile(r'BSE Kernel @q\d+ .*\(Coupling ([A-Z ]+)\)')
_START = re.compile(r'(\d+/\d+/\d+ at \d+:\d+ .*?)\s*\[start\]')
_STAMP = re.compile(r'^\s*<([^>]*)>', re.MULTILINE)
_UNIT_SECONDS = {'d': 86400.0, 'h': 3600.0, 'm': 60.0, 's': 1.0}
READ_FAILED = 'I/O problems in reading QP database'


@dataclass(frozen=True)
class Levels:
    """A section with gaps: ``[X]`` of the Kohn-Sham energies, ``[K+QP]`` of those that enter the kernel; in eV.

    Attributes:
        filled: number of filled bands; None for a metal.
        direct_gap: smallest vertical one.
        indirect_gap: smallest one.
    """

    filled: int | None
    direct_gap: float
    indirect_gap: float


@dataclass(frozen=True)
class Haydock:
    """The end of a Haydock recursion.

    Attributes:
        iterations: how many there were.
        accuracy: of the last one; None before the third.
        threshold: that it had to reach; negative where Yambo averages over frequencies.
    """

    iterations: int
    accuracy: float | None
    threshold: float | None

    @property
    def converged(self) -> bool:
        """Return whether the last accuracy is below the threshold."""
        return self.accuracy is not None and self.threshold is not None and self.accuracy <= abs(self.threshold)


@dataclass(frozen=True)
class Origin:
    """By what a report and a table are of one run.

    Attributes:
        start: date, time and host, in the end of each file; None if it is cut there.
        kernel: number that Yambo gives to a Bethe-Salpeter kernel; None if there is none.
    """

    start: str | None
    kernel: int | None


@dataclass(frozen=True)
class YamboReport:
    """How a run went.

    Attributes:
        version: of Yambo; None if the head is missing.
        serial: number that ties the run to its ``ns.db1``.
        completed: whether it came to its summary.
        errors: messages of ``[ERROR]``.
        warnings: messages of ``[WARNING]``.
        kohn_sham: gaps of the Kohn-Sham energies.
        quasiparticle: gaps of the energies that entered the kernel; None if no database was applied.
        exact_matches: per cent of the k-points found in the database; None if none was read.
        fitted: whether Yambo filled a partial database by a fit.
        haydock: the recursion; None if there was none.
        coupling: what couples resonant and antiresonant pairs, as Yambo words it; None within Tamm-Dancoff.
        sizes: numbers of plane waves that were used: ``screening``, ``exchange``.
        wall_time: seconds by the last stamp in the log, to a second; None without a log.
        metallic: whether there are metallic bands.
        log_completed: whether the log has its end.
        origin: by what its tables are known.
    """

    version: str | None
    serial: int | None
    completed: bool
    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    kohn_sham: Levels | None
    quasiparticle: Levels | None
    exact_matches: float | None
    fitted: bool
    haydock: Haydock | None
    coupling: str | None
    sizes: dict[str, int]
    wall_time: float | None
    metallic: bool
    log_completed: bool
    origin: Origin


def parse_origin(text: str) -> Origin:
    """Parse what tells the run of a report or a table."""
    start, kernel = _START.search(text), _IDENTIFIER.findall(text)
    return Origin(start[1] if start else None, int(kernel[-1]) if kernel else None)


def parse_report(report: str, log: str = '') -> YamboReport:
    """Parse a report and the log beside it."""
    both = f'{report}\n{log}'
    version, serial, matches = _VERSION.search(report), _SERIAL.search(report), _MATCHES.search(report)
    coupling = _COUPLING.search(report)
    return YamboReport(
        version=version[1] if version else None,
        serial=int(serial[1]) if serial else None,
        completed='Game Over' in report and '[end]' in report,
        errors=tuple(dict.fromkeys(_ERROR.findall(both))),
        warnings=tuple(dict.fromkeys(_WARNING.findall(both))),
        kohn_sham=_levels(report, 'X'),
        quasiparticle=_levels(report, 'K+QP'),
        exact_matches=float(matches[1]) if matches else None,
        fitted='] FIT on ' in report,
        haydock=_haydock(both),
        coupling=coupling[1] if coupling else None,
        sizes=_sizes(report),
        wall_time=_wall_time(log),
        metallic='Metallic Bands' in report,
        log_completed='Game Over' in log,
        origin=parse_origin(report),
    )


def _levels(report: str, name: str) -> Levels | None:
    head = rf'\[{re.escape(name)}\] '
    found = {
        key: re.search(rf'{head}{key}\s*:\s*({NUMBER})', report)
        for key in ('Direct Gap', 'Indirect Gap', 'Filled Bands')
    }
    if found['Direct Gap'] is None or found['Indirect Gap'] is None:
        return None
    direct, indirect, filled = float(found['Direct Gap'][1]), float(found['Indirect Gap'][1]), found['Filled Bands']
    if not math.isfinite(direct + indirect):
        return None
    return Levels(filled=int(float(filled[1])) if filled else None, direct_gap=direct, indirect_gap=indirect)


def _haydock(text: str) -> Haydock | None:
    steps = _HAYDOCK.findall(text)
    if not steps:
        return None
    number, accuracy, threshold = max(steps, key=lambda step: int(step[0]))
    return Haydock(int(number), float(accuracy) if accuracy else None, float(threshold) if threshold else None)


def _sizes(report: str) -> dict[str, int]:
    patterns = {'screening': r'X matrix size\s*:\s*(\d+)', 'exchange': r'\[BSE\] Exchange components\s*:\s*(\d+)'}
    found = {name: re.search(pattern, report) for name, pattern in patterns.items()}
    return {name: int(match[1]) for name, match in found.items() if match}


def _wall_time(log: str) -> float | None:
    """Return the seconds of the last stamp, e.g. ``<01m-12s>``; ``<--->`` is the first second."""
    stamps = _STAMP.findall(log)
    if not stamps:
        return None
    return sum(float(value) * _UNIT_SECONDS[unit] for value, unit in re.findall(r'(\d+)([dhms])', stamps[-1]))
