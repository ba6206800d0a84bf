"""The AiiDA profile of a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiida_foundry.common.errors import InputError
from aiida_foundry.setup.profile import PROFILE, read_config

if TYPE_CHECKING:
    from aiida.manage.configuration.profile import Profile
    from aiida.orm import Node, ProcessNode


def load_profile(name: str | None = None) -> Profile:
    """Load a profile and its storage.

    Args:
        name: name of the profile; without it the one already loaded, else ours, else AiiDA's default.

    Raises:
        InputError: if there is none, or it was made by another AiiDA version.
    """
    import aiida
    from aiida.common.exceptions import ConfigurationError, IncompatibleStorageSchema, StorageMigrationError
    from aiida.manage import get_manager

    manager = get_manager()
    loaded = manager.get_profile()
    if loaded is not None and name in (None, loaded.name):
        return loaded
    name = _existing_name(name)
    try:
        profile = aiida.load_profile(name)
        manager.get_profile_storage()
    except (IncompatibleStorageSchema, StorageMigrationError) as exception:
        raise InputError(
            f'profile `{name}`',
            f'its storage was made by another AiiDA version ({exception})',
            f'Newer: upgrade aiida-core here. Older: `verdi -p {name} storage migrate`, after a backup',
        ) from exception
    except ConfigurationError as exception:
        raise InputError(
            f'profile `{name}`', f'it cannot be loaded ({exception})', f'Look at `verdi -p {name} status`'
        ) from exception
    return profile


def _existing_name(name: str | None) -> str:
    """Return the name of the profile to load."""
    from aiida.common.exceptions import MissingConfigurationError

    remedy = 'Create it with `aiida-foundry setup`'
    try:
        config = read_config(create=False)
    except MissingConfigurationError:
        raise InputError('AiiDA configuration', 'there is none', remedy) from None
    if name is None:
        name = PROFILE if PROFILE in config.profile_names else config.default_profile_name
    if name is None or name not in config.profile_names:
        existing = ', '.join(config.profile_names) or 'none'
        raise InputError(f'profile `{name or PROFILE}`', f'it does not exist (there are: {existing})', remedy)
    return name


def load_node(identifier: str) -> Node:
    """Return the node with this PK or UUID.

    Raises:
        InputError: if there is none.
    """
    from aiida import orm
    from aiida.common.exceptions import MultipleObjectsError, NotExistent

    try:
        return orm.load_node(int(identifier) if identifier.isdigit() else identifier)
    except (NotExistent, MultipleObjectsError, ValueError) as exception:
        raise InputError(
            f'node `{identifier}`',
            f'no node of this profile is meant by it ({exception})',
            '`verdi process list -a` shows processes with their PKs; --profile selects another profile',
        ) from None


def load_process(identifier: str) -> ProcessNode:
    """Return the process with this PK or UUID; for data, the process that made it.

    Raises:
        InputError: if there is none.
    """
    from aiida.orm import Data, ProcessNode

    node = load_node(identifier)
    if isinstance(node, Data) and node.creator is not None:
        return node.creator
    if not isinstance(node, ProcessNode):
        raise InputError(
            f'node `{identifier}`',
            f'it is a {type(node).__name__}, neither a process nor made by one',
            '`verdi process list -a` shows processes with their PKs',
        )
    return node
