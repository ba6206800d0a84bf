"""The AiiDA profile: found or created, and configured for speed; other profiles are never touched."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiida_foundry.common.errors import InputError
from aiida_foundry.setup.reporting import Report, silent

if TYPE_CHECKING:
    from aiida.manage.configuration.config import Config
    from aiida.manage.configuration.profile import Profile

PROFILE = 'foundry'

# The files of `core.sqlite_dos`, opened so that several workers wait for each other instead of failing, and do less
# per step: docs/design/003-overhead.md.
STORAGE = 'foundry.sqlite'

# The shared memory of SQLite's write-ahead log does not work over a network (sqlite.org/wal.html).
LOCAL_FILESYSTEMS = {'btrfs', 'ext2', 'ext3', 'ext4', 'f2fs', 'overlay', 'tmpfs', 'xfs', 'zfs', 'apfs', 'hfs'}

defaults: dict[str, Any] = {
    # A step whose inputs are those of one that ran is not run again: a second `make demo` takes seconds. Engine steps
    # and our calcfunctions only: the latter take a `version` input, which a numerical change bumps. The first pattern
    # stands for `aiida.calculations:foundry.*` and `aiida_foundry.*`: AiiDA tries to import the latter and refuses it.
    'caching.enabled_for': ['aiida*foundry.*', 'aiida.calculations:quantumespresso.*'],
    # Parents learn by broadcast that a child ended; this polling is the fail-safe, and the only way in a blocking run
    # without broker, where AiiDA's 60 s would be waited for by every step. AiiDA takes whole seconds only.
    'runner.poll.interval': 1,
    # Two workers parse and submit at once. SQLite has one writer at a time, so that more of them mostly wait.
    'daemon.default_workers': 2,
    # On a machine kept busy by its own engines a worker needs longer than AiiDA's 2 s to answer `verdi daemon stop`.
    'daemon.timeout': 20,
}


def ensure_profile(name: str = PROFILE, report: Report = silent) -> Profile:
    """Find or create the profile, configure it and load it.

    A new profile is that of ``verdi presto``: SQLite storage and the built-in ZeroMQ broker, no service needed. It
    becomes AiiDA's default only where there is none. Options that the profile already sets are kept.

    Args:
        name: name of the profile.
        report: is told what was done.

    Returns:
        The loaded profile.

    Raises:
        InputError: if the configuration or the storage of the profile was made by another AiiDA version.
    """
    from aiida import load_profile

    config = read_config()
    if name in config.profile_names:
        report('kept', f'profile `{name}`')
    else:
        _create(config, name)
        report('created', f'profile `{name}` (SQLite storage, ZeroMQ broker) in {config.dirpath}')
    profile = config.get_profile(name)
    _require_known_storage(profile)
    _set_options(config, name, report)
    _set_default(config, name, report)
    _use_write_ahead_log(profile, report)
    load_profile(name, allow_switch=True)
    return profile


def read_config(create: bool = True) -> Config:
    """Read AiiDA's configuration, of this process's ``AIIDA_PATH``.

    Args:
        create: write a new one where there is none.

    Raises:
        InputError: if the file is not valid, or was written by a newer AiiDA.
        aiida.common.exceptions.MissingConfigurationError: if there is none and ``create`` is false.
    """
    from aiida.common.exceptions import ConfigurationError, ConfigurationVersionError, MissingConfigurationError
    from aiida.manage.configuration import get_config, get_config_path

    try:
        return get_config(create=create)
    except MissingConfigurationError:
        raise
    except ConfigurationVersionError as exception:
        raise InputError(
            f'AiiDA configuration `{get_config_path()}`',
            f'it was written by a newer AiiDA than {_aiida_version()} ({exception})',
            'Upgrade aiida-core in this environment, or set AIIDA_PATH to another folder',
        ) from exception
    except ConfigurationError as exception:
        raise InputError(
            f'AiiDA configuration `{get_config_path()}`',
            str(exception),
            'Restore one of the backups beside it, or set AIIDA_PATH to another folder',
        ) from exception


def _aiida_version() -> str:
    from aiida import __version__

    return str(__version__)


def _create(config: Config, name: str) -> None:
    """Create the profile as ``verdi presto --use-zeromq`` does, except for AiiDA's default profile."""
    from aiida.common.log import override_log_level
    from aiida.manage.configuration import create_profile
    from aiida.plugins import BrokerFactory

    with override_log_level():
        create_profile(
            config,
            name=name,
            email=config.get_option('autofill.user.email') or 'aiida@localhost',
            storage_backend=STORAGE,
            storage_config={},
            broker_backend='core.zeromq',
            broker_config=BrokerFactory('core.zeromq').get_default_config(),
        )


def _require_known_storage(profile: Profile) -> None:
    """Refuse a storage whose schema is not the one of this aiida-core.

    Raises:
        InputError: says whether the storage is older (and can be migrated) or newer.
    """
    storage = profile.storage_cls
    try:
        found, expected = storage.version_profile(profile), storage.version_head()
    except Exception as exception:  # the storage plugins raise errors of SQLAlchemy, Alembic or the file system
        raise InputError(
            f'profile `{profile.name}`',
            f'its storage cannot be read ({exception})',
            f'Look at `verdi -p {profile.name} storage version`, or choose another name with --profile',
        ) from exception
    if found == expected:
        return
    migrator = getattr(storage, 'migrator', None)
    if migrator is not None and found in migrator.get_schema_versions():
        reason = f'its storage has the older schema {found} (aiida-core {_aiida_version()} has {expected})'
        remedy = f'Migrate it with `verdi -p {profile.name} storage migrate` after a backup'
    else:
        reason = (
            f'its storage has schema {found}, which aiida-core {_aiida_version()} does not know (it has {expected})'
        )
        remedy = 'It was made by a newer AiiDA: upgrade aiida-core here'
    raise InputError(f'profile `{profile.name}`', reason, f'{remedy}, or choose another name with --profile')


def _set_options(config: Config, name: str, report: Report) -> None:
    """Set the options of ``defaults`` that the profile does not set itself, and write the configuration if any."""
    profile = config.get_profile(name)
    missing = {key: value for key, value in defaults.items() if key not in profile.options}
    for key, value in missing.items():
        config.set_option(key, value, scope=name)
        report('changed', f'option {key} = {value} of profile `{name}`')
    for key in defaults.keys() - missing.keys():
        if profile.options[key] != defaults[key]:
            report('kept', f'option {key} = {profile.options[key]} of profile `{name}` (ours would be {defaults[key]})')
    if missing:
        config.store()


def _set_default(config: Config, name: str, report: Report) -> None:
    """Make the profile AiiDA's default where there is none; otherwise say how to select ours."""
    if config.default_profile_name == name:
        return
    if config.default_profile_name is None:
        config.set_default_profile(name)
        config.store()
        report('changed', f'`{name}` is the default profile of AiiDA (there was none)')
    else:
        report(
            'note',
            f"AiiDA's default profile stays `{config.default_profile_name}`: select ours with "
            f'`verdi -p {name} ...`, or `verdi profile set-default {name}`',
        )


def _use_write_ahead_log(profile: Profile, report: Report) -> None:
    """Let the SQLite database append changes to a log instead of rewriting pages behind a rollback journal.

    A commit then waits for the disk once instead of several times, and readers do not block the writer: AiiDA commits
    at every step of a process. The mode is kept in the file and holds for every process that opens it; the log is
    merged into the database when the last one closes it. Only for our storage, whose backup includes the log: that of
    ``core.sqlite_dos`` copies the database without it.
    """
    if profile.storage_backend != STORAGE:
        return
    database = Path(profile.storage_config['filepath']) / 'database.sqlite'
    with closing(sqlite3.connect(database)) as connection:
        if connection.execute('PRAGMA journal_mode').fetchone()[0] == 'wal':
            return
        filesystem = _filesystem(database)
        if filesystem not in LOCAL_FILESYSTEMS:
            report(
                'note', f'no write-ahead log: the database is on a file system of type {filesystem}, not surely local'
            )
            return
        try:
            connection.execute('PRAGMA journal_mode = WAL')
        except sqlite3.OperationalError as exception:
            report('note', f'no write-ahead log now ({exception}): stop the daemon and run setup again')
        else:
            message = f'database of profile `{profile.name}` uses a write-ahead log'
            report('changed', f'{message} (stop the daemon before `verdi storage backup`)')


def _filesystem(path: Path) -> str:
    """Type of the file system that holds the path: that of the longest mount point above it."""
    import psutil  # type: ignore[import-untyped]

    mounts = {Path(partition.mountpoint): partition.fstype for partition in psutil.disk_partitions(all=True)}
    return next((mounts[folder] for folder in path.resolve().parents if folder in mounts), 'unknown')
