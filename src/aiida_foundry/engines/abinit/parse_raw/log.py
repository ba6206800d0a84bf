"""Log (standard output) of ABINIT: YAML blocks with messages, version, timing."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

_BLOCK = re.compile(r'^--- !(?P<tag>\w+)\s*\n(?P<body>.*?)^\.\.\.\s*$', re.MULTILINE | re.DOTALL)
_MESSAGE = re.compile(r'^message: \|\s*\n(?P<text>.*)\Z', re.MULTILINE | re.DOTALL)
_VERSION = re.compile(r'^\.?Version\s+(\S+)\s+of ABINIT', re.MULTILINE)
_SOURCE = re.compile(r'^src_file: (\S+)', re.MULTILINE)
_EVENT_TAG = re.compile(r'^(ERROR|BUG|WARNING|COMMENT|\w+(Error|Warning))$')
_TIME_LIMIT = 'Approaching time limit'
_NO_QUASIPARTICLES = 'file not found, 1st iteration initialized with KS eigenelements'
_ELECTRONS = re.compile(r'charge balance right with nelect:\s+([\d.E+-]+)')
_END = 'Calculation completed.'


@dataclass(frozen=True)
class Event:
    """One message of ABINIT.

    Args:
        tag: ``ERROR``, ``BUG``, ``WARNING``, ``COMMENT``, or a special one such as ``ScfConvergenceWarning``.
        message: the text, without indentation.
        source: the source file that wrote it, empty where ABINIT does not say.
    """

    tag: str
    message: str
    source: str = ''


@dataclass(frozen=True)
class Log:
    """What the log tells; None where the log ends before.

    Args:
        completed: whether ABINIT came to its end.
        time_limit_reached: whether it stopped its loop because of ``--timelimit``.
        quasiparticles_not_found: whether it started from Kohn-Sham states for lack of the file with quasiparticles,
            which ABINIT does without a warning even if ``irdqps`` asks for the file.
        version: of ABINIT.
        wall_time: in seconds.
        cpu_time: in seconds, of the first process.
        processes: number of MPI processes.
        events: all messages.
    """

    completed: bool
    time_limit_reached: bool
    quasiparticles_not_found: bool
    version: str | None
    wall_time: float | None
    cpu_time: float | None
    processes: int | None
    events: tuple[Event, ...] = field(default_factory=tuple)

    def tagged(self, *tags: str) -> list[Event]:
        """Return the events with one of the tags."""
        return [event for event in self.events if event.tag in tags]


def parse_events(text: str) -> tuple[Event, ...]:
    """Return all messages in the YAML blocks of the text, in order, each once."""
    events = []
    for block in _BLOCK.finditer(text):
        if not _EVENT_TAG.match(block['tag']):
            continue
        match = _MESSAGE.search(block['body'])
        lines = [line.strip() for line in (match['text'] if match else block['body']).splitlines()]
        source = _SOURCE.search(block['body'])
        message = '\n'.join(line for line in lines if line)
        events.append(Event(block['tag'], message, source.group(1) if source else ''))
    return tuple(dict.fromkeys(events))


def parse_required_electrons(message: str) -> float | None:
    """Return the number of electrons that the bands could not hold, from ABINIT's message about too few bands."""
    match = _ELECTRONS.search(message)
    return _finite(match.group(1)) if match else None


def _summary_value(summary: str, key: str) -> str | None:
    match = re.search(rf'^{key}:\s*(\S+)', summary, re.MULTILINE)
    return match.group(1) if match else None


def _finite(text: str | None) -> float | None:
    """Return a number, None for what is none."""
    try:
        number = float(text or 'nan')
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def parse_log(text: str) -> Log:
    """Return what the log tells about how the run went."""
    summary = next((block['body'] for block in _BLOCK.finditer(text) if block['tag'] == 'FinalSummary'), '')
    version = _VERSION.search(text)
    wall, cpu = (_summary_value(summary, f'overall_{kind}_time') for kind in ('wall', 'cpu'))
    processes = _summary_value(summary, 'mpi_procs')
    return Log(
        completed=_END in text,
        time_limit_reached=_TIME_LIMIT in text,
        quasiparticles_not_found=_NO_QUASIPARTICLES in text,
        version=version.group(1) if version else None,
        wall_time=_finite(wall),
        cpu_time=_finite(cpu),
        processes=int(processes) if processes and processes.isdecimal() else None,
        events=parse_events(text),
    )
