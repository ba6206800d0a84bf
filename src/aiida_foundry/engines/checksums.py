"""Checksums of the files that an engine wrote, made where it ran: what is damaged on the way is not taken for a result.

Disks fill up, transfers are cut and folders are shared. A file may then be shorter than it was, or another; often it
still reads well. The job script writes the SHA-256 of its results after the engine ended, and the parser compares.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aiida.common.exceptions import NotExistent

FILE = 'checksums.sha256'
_LINE = re.compile(r'\\?([0-9a-f]{64}) [ *](.+)')


def command(names: Iterable[str], pattern: str = '') -> str:
    """Return the shell command that writes the checksums of those files that are there.

    Args:
        names: of files.
        pattern: of further ones, as the shell expands it: never from a user.

    It does not change the exit status of the job, and is silent where ``sha256sum`` (GNU coreutils) is missing: then
    there is no file of checksums, and nothing to compare with.
    """
    files = ' '.join([*(shlex.quote(name) for name in names), pattern]).rstrip()
    return f'sha256sum -- {files} > {FILE} 2> /dev/null || true'


def damaged(listing: str, read: Callable[[str], bytes | None], expected: Iterable[str] = ()) -> list[str]:
    """Return the names of the files whose content is not what the job wrote, and of those that are gone.

    Args:
        listing: content of the file of checksums.
        read: returns the content of a file, or None if it is not there.
        expected: files that must have a checksum if they are there.
    """
    checksums = parse(listing)
    contents: Mapping[str, bytes | None] = {name: read(name) for name in {*checksums, *expected}}
    changed = {name for name, checksum in checksums.items() if _sha256(contents[name]) != checksum}
    unlisted = {name for name in expected if contents[name] is not None and name not in checksums}
    return sorted(changed | unlisted)


def damaged_in(retrieved: Any, expected: Iterable[str]) -> list[str]:
    """Return the damaged files among those that a job retrieved; none where the job could not make checksums.

    Args:
        retrieved: ``FolderData`` of the job.
        expected: files that must have a checksum if they are there.
    """

    def read(name: str) -> bytes | None:
        try:
            content: bytes = retrieved.base.repository.get_object_content(name, mode='rb')
        except (FileNotFoundError, NotExistent):
            return None
        return content

    listing = (read(FILE) or b'').decode('utf-8', errors='replace')
    return damaged(listing, read, expected) if listing else []


def parse(listing: str) -> dict[str, str]:
    """Return the checksum of each file by its name without folder, as it comes back.

    Lines that are not as ``sha256sum`` writes them are left out.
    """
    matches = (_LINE.fullmatch(line) for line in listing.splitlines())
    return {match[2].rpartition('/')[2]: match[1] for match in matches if match}


def _sha256(content: bytes | None) -> str | None:
    return None if content is None else hashlib.sha256(content).hexdigest()
