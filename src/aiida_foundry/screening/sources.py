"""The structures of a campaign: from a folder, a group, a query or by name; each once, however often it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from aiida.common.exceptions import MultipleObjectsError, NotExistent
from aiida.orm import QueryBuilder, StructureData, load_group

from aiida_foundry.common.errors import InputError
from aiida_foundry.screening.campaign_file import Structures
from aiida_foundry.structures.importers import load_structure

Refuse = Callable[[str, str], None]
"""Told the name of a structure that cannot be used, and why."""


def iterate_structures(
    source: Structures, refuse: Refuse, known: set[str] | None = None, store: bool = True
) -> Iterator[tuple[str, StructureData]]:
    """Iterate over names and structures.

    Args:
        source: where they come from.
        refuse: told of each that cannot be used; the others go on.
        known: hashes of structures that are there already, which are left out; those that follow are added.
        store: store what is read from files; without, nothing is written to the profile.

    Raises:
        InputError: if the source itself does not exist or is empty.
    """
    if source.folder is not None or source.names is not None:
        yield from _from_names(source, refuse, set() if known is None else known, store)
        return
    for structure in _from_profile(source):
        yield structure.label or structure.get_formula(), structure


def _from_names(
    source: Structures, refuse: Refuse, known: set[str], store: bool
) -> Iterator[tuple[str, StructureData]]:
    primitive = source.cell == 'primitive'
    for name in _names(source):
        try:
            structure = load_structure(name, primitive=primitive, store=False)
            content = structure.base.caching._compute_hash()
            if content in known:
                continue
            if store and not structure.is_stored:
                structure = load_structure(name, primitive=primitive, store=True)
        except InputError as error:
            refuse(Path(name).name, str(error))
            continue
        known.add(content)
        yield Path(name).name, structure


def _names(source: Structures) -> list[str]:
    if source.folder is None:
        return list(source.names or ())
    folder = Path(source.folder)
    names = sorted(str(path) for path in folder.iterdir() if _is_visible(path)) if folder.is_dir() else []
    if not names:
        raise InputError(f'folder `{folder}`', 'it does not exist or has no files', 'Give a folder of structures')
    return names


def _is_visible(path: Path) -> bool:
    return path.is_file() and not path.name.startswith('.')


def _from_profile(source: Structures) -> Iterator[StructureData]:
    query = QueryBuilder()
    if source.group is not None:
        try:
            group = load_group(label=source.group)
        except (NotExistent, MultipleObjectsError):
            raise InputError(
                f'group `{source.group}`',
                'the profile has none, or several, of this label',
                '`verdi group list` shows them',
            ) from None
        query.append(type(group), filters={'id': group.pk}, tag='group').append(StructureData, with_group='group')
    else:
        query.append(StructureData, filters=dict(source.query or {}))
    structures = query.order_by({StructureData: {'id': 'asc'}}).all(flat=True)
    if not structures:
        raise InputError('structures', 'the group or query has none', 'Put structures in the group, widen the query')
    yield from structures
