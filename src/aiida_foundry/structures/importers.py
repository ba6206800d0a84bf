"""One way in for structures: a file, a node of the profile, or the name of a well-known crystal."""

from __future__ import annotations

from pathlib import Path

from aiida.common.exceptions import MultipleObjectsError, NotExistent
from aiida.orm import CifData, Node, SinglefileData, StructureData, load_node

from aiida_foundry.common.errors import InputError
from aiida_foundry.structures import calcfunctions, prototypes, readers
from aiida_foundry.structures.checks import check_geometry, check_structure_data


def load_structure(spec: str, primitive: bool = True, store: bool = True) -> StructureData:
    """Return the structure that ``spec`` means, checked.

    Looked up in this order: a file (CIF, POSCAR, extended xyz), a name in `prototypes.PROTOTYPES`, the PK or UUID of a
    `StructureData` (used as it is), `CifData` or `SinglefileData`. Files are stored as they are, and a calcfunction
    makes the structure from them, so that it can be traced back to its source.

    Args:
        spec: path, name, PK or UUID.
        primitive: reduce what comes from a file to the standardised primitive cell and average lattice and positions
            over its space group (tolerance `readers.SYMPREC`), which makes special positions exact: engines then find
            all symmetries and the smallest cell. Otherwise the cell is taken as written.
        store: whether to store the nodes; without, nothing is written to the profile.

    Raises:
        InputError: if nothing answers to ``spec``, or no calculation can be run on it.
    """
    path = Path(spec)
    if path.is_file():
        return _from_file(path, primitive, store)
    if spec in prototypes.PROTOTYPES:
        return _call(calcfunctions.structure_from_prototype, store, name=spec, version=prototypes.VERSION)
    node = _load_node(spec)
    if isinstance(node, StructureData):
        check_structure_data(node, f'structure `{spec}`')
        return node
    if isinstance(node, SinglefileData):
        _check_content(node.get_content(mode='rb'), node.filename)
        return _convert(node, primitive, store)
    raise InputError(
        f'structure `{spec}`',
        f'node {node.pk} is a {type(node).__name__}',
        'Give a StructureData, a CifData, or a SinglefileData that holds a structure file',
    )


def _from_file(path: Path, primitive: bool, store: bool) -> StructureData:
    _check_content(path.read_bytes(), path.name)
    arguments = {'file': str(path.resolve()), 'filename': path.name}
    # lazy: the CIF was read above, and by a reader that is more tolerant than that of `CifData`
    is_cif = readers.format_of(path.name) == 'cif'
    source = CifData(parse_policy='lazy', **arguments) if is_cif else SinglefileData(**arguments)
    return _convert(source, primitive, store)


def _convert(source: SinglefileData, primitive: bool, store: bool) -> StructureData:
    return _call(calcfunctions.structure_from_file, store, source=source, primitive=primitive, version=readers.VERSION)


def _check_content(content: bytes, filename: str) -> None:
    """Refuse the content of a file before a node is made of it: a refused file leaves nothing in the profile."""
    subject = f'structure `{filename}`'
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise InputError(subject, 'it is not a text file', 'Give a CIF, POSCAR or extended xyz file') from None
    check_geometry(readers.to_cell(readers.read_structure(text, filename)), subject)


def _call(function: object, store: bool, **inputs: object) -> StructureData:
    return function(**inputs, metadata={'store_provenance': store})  # type: ignore[operator]


def _load_node(spec: str) -> Node:
    subject = f'structure `{spec}`'
    remedy = (
        'Give an existing CIF, POSCAR or extended xyz file, the PK or UUID of a structure, or one of '
        f'{", ".join(prototypes.PROTOTYPES)}'
    )
    try:
        return load_node(int(spec) if spec.isdigit() else spec)
    except (NotExistent, ValueError):
        raise InputError(subject, 'there is no such file, crystal or node', remedy) from None
    except MultipleObjectsError:
        raise InputError(subject, 'several nodes have this UUID or label', 'Give the whole UUID') from None
