"""Check of an AiiDA archive from others before anything of it is imported.

An archive is a zip file with a SQLite database and files named by their SHA-256. It is read here without AiiDA's ORM,
and nothing is written but a copy of the database in a temporary folder.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiida_foundry.common.errors import InputError

MAXIMUM_BYTES = 20 * 1024**3
"""Bytes that an archive may unpack to."""
MAXIMUM_RATIO = 200
"""Times its packed size that a file may unpack to; text of engines reaches about 50. Small files are not judged."""
_SMALL = 1024**2
_CHUNK = 1024**2
_MEMBER = re.compile(r'metadata\.json|db\.sqlite3|repo/|repo/[0-9a-f]{64}')
_ENDED = ('finished', 'excepted', 'killed')


@dataclass
class ArchiveReport:
    """What a check found.

    Attributes:
        problems: what an archive must not have; it must not be imported.
        executables: codes that it holds, each with what would run before and after it: to be read before one is used.
        nodes: number of nodes.
        processes: number of processes by type.
    """

    problems: list[str] = field(default_factory=list)
    executables: list[str] = field(default_factory=list)
    nodes: int = 0
    processes: dict[str, int] = field(default_factory=dict)


def check_archive(path: Path, maximum_bytes: int = MAXIMUM_BYTES) -> ArchiveReport:
    """Check an archive.

    Names and sizes of its files, their checksums, the integrity of its database, no triggers or views in it, no process
    that could be continued (its checkpoint would be code), links to existing nodes.

    Args:
        path: of the archive.
        maximum_bytes: that it may unpack to.

    Raises:
        InputError: if it is no zip file with a database.
    """
    report = ArchiveReport()
    try:
        with zipfile.ZipFile(path) as archive:
            report.problems += _check_members(archive, maximum_bytes)
            if report.problems:
                return report
            report.problems += _check_contents(archive)
            with tempfile.TemporaryDirectory() as folder:
                database = Path(archive.extract('db.sqlite3', folder))
                _check_database(database, report)
    except (zipfile.BadZipFile, KeyError, OSError) as error:
        raise InputError(
            f'archive `{path}`', f'it cannot be read ({error})', 'Get it again, or ask its author'
        ) from None
    return report


def _check_members(archive: zipfile.ZipFile, maximum_bytes: int) -> list[str]:
    problems, members = [], archive.infolist()
    names = [member.filename for member in members]
    if strange := [name for name in names if not _MEMBER.fullmatch(name)]:
        problems.append(f'it holds files that do not belong there, such as {strange[0]!r}')
    if len(set(names)) != len(names):
        problems.append('it holds several files of one name')
    if missing := {'metadata.json', 'db.sqlite3'} - set(names):
        problems.append(f'it lacks {", ".join(sorted(missing))}: it is no AiiDA archive of version 2')
    size = sum(member.file_size for member in members)
    if size > maximum_bytes:
        problems.append(f'it unpacks to {size / 1024**3:.1f} GB')
    inflated = (entry for entry in members if entry.file_size > max(_SMALL, MAXIMUM_RATIO * entry.compress_size))
    problems += [f'{entry.filename} unpacks to more than {MAXIMUM_RATIO} times its size' for entry in inflated]
    return problems


def _check_contents(archive: zipfile.ZipFile) -> list[str]:
    """Compare each file with the checksum that is its name; a false one would replace a file of the same name here."""
    problems = []
    for name in archive.namelist():
        if name.startswith('repo/') and len(name) > len('repo/'):
            digest = hashlib.sha256()
            with archive.open(name) as handle:
                while chunk := handle.read(_CHUNK):
                    digest.update(chunk)
            if digest.hexdigest() != name.removeprefix('repo/'):
                problems.append(f'the content of {name} does not have the checksum that it claims')
    try:
        metadata = json.loads(archive.read('metadata.json'))
        if not isinstance(metadata, dict) or not str(metadata.get('export_version', '')).startswith('main_'):
            problems.append('its metadata name no version of the format that AiiDA 2 writes')
    except (ValueError, RecursionError):
        problems.append('its metadata are no JSON')
    return problems


def _check_database(path: Path, report: ArchiveReport) -> None:
    try:
        with closing(sqlite3.connect(f'{path.as_uri()}?mode=ro', uri=True)) as database:
            report.problems += _check_schema(database)
            if not report.problems:
                _check_nodes(database, report)
    except (sqlite3.DatabaseError, ValueError, RecursionError) as error:
        report.problems.append(f'its database is damaged ({error})')


def _check_schema(database: sqlite3.Connection) -> list[str]:
    problems = []
    kinds = database.execute("SELECT type, name FROM sqlite_master WHERE type NOT IN ('table', 'index')").fetchall()
    if kinds:
        problems.append(f'its database has a {kinds[0][0]} `{kinds[0][1]}`, which AiiDA does not make')
    result = database.execute('PRAGMA quick_check(1)').fetchone()[0]
    if result != 'ok':
        problems.append(f'its database is damaged ({result})')
    return problems


def _check_nodes(database: sqlite3.Connection, report: ArchiveReport) -> None:
    lost = database.execute(
        'SELECT count(*) FROM db_dblink WHERE input_id NOT IN (SELECT id FROM db_dbnode)'
        ' OR output_id NOT IN (SELECT id FROM db_dbnode)'
    ).fetchone()[0]
    if lost:
        report.problems.append(f'{lost} links lead to nodes that it lacks')
    for kind, process_type, uuid, attributes in _nodes(database):
        report.nodes += 1
        if kind.startswith('process.'):
            report.processes[process_type or kind] = report.processes.get(process_type or kind, 0) + 1
            if 'checkpoints' in attributes:
                report.problems.append(f'process {uuid} has a checkpoint, which is code to whoever continues it')
            if attributes.get('process_state') not in _ENDED:
                report.problems.append(f'process {uuid} has not ended')
        elif kind.startswith('data.core.code.'):
            report.executables.append(_describe_code(uuid, attributes))


def _nodes(database: sqlite3.Connection) -> Iterator[tuple[str, str | None, str, dict[str, Any]]]:
    rows = database.execute(
        'SELECT node_type, process_type, uuid, attributes FROM db_dbnode'
        " WHERE node_type LIKE 'process.%' OR node_type LIKE 'data.core.code.%'"
    )
    for kind, process_type, uuid, attributes in rows:
        yield kind, process_type, uuid, json.loads(attributes or '{}') or {}


def _describe_code(uuid: str, attributes: dict[str, Any]) -> str:
    """Return what a code would run."""
    command = attributes.get('filepath_executable') or attributes.get('remote_exec_path') or 'an executable of its own'
    around = [f'{key}: {attributes[key]!r}' for key in ('prepend_text', 'append_text') if attributes.get(key)]
    return ', '.join([f'code {uuid} runs {command}', *around])
