"""Locks that a process loses with its life: one driver per campaign, one submission at a time per profile."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiida.manage import get_manager
from aiida.manage.configuration import get_config

from aiida_foundry.common.errors import InputError


def lock_file(name: str) -> Path:
    """Return the path of a lock of the loaded profile; its folder exists."""
    profile = get_manager().get_profile()
    folder = Path(get_config().dirpath) / 'foundry-locks' / str(profile.uuid)
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f'{name}.lock'


@contextmanager
def only_driver(campaign_uuid: str, name: str) -> Iterator[None]:
    """Be the only driver of a campaign while the context lasts.

    The lock is that of the kernel on an open file: it ends with the process that holds it, however that ends, and is
    not handed on to the jobs that the process starts.

    Raises:
        InputError: if another process drives the campaign; says which.
    """
    path = lock_file(campaign_uuid)
    with path.open('a+', encoding='utf-8') as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f'campaign `{name}`',
                f'another process drives it ({path.read_text(encoding="utf-8").strip() or "just started"})',
                f'Watch it with `aiida-foundry campaign status {name}`, or end it with `campaign stop {name}`',
            ) from None
        handle.truncate(0)
        handle.write(f'PID {os.getpid()} on {socket.gethostname()}')
        handle.flush()
        try:
            yield
        finally:
            handle.truncate(0)


def is_driven(campaign_uuid: str) -> bool:
    """Return whether a process drives the campaign."""
    with lock_file(campaign_uuid).open('a+', encoding='utf-8') as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def submission() -> Iterator[None]:
    """Wait for one's turn to look for a key and to submit: no two campaigns start the same job at the same time."""
    with lock_file('submission').open('a', encoding='utf-8') as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
