"""Many crystals at once: a folder of files, or OPTIMADE structures from a file or a server. Free of aiida.

The archive that a set of crystals is stored as is OPTIMADE's JSON Lines: one resource object per line, with oxidation
states, moments and the reasons for unreadable entries as extensions (prefix ``_foundry_``).
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pymatgen.core import Element, Species, Structure

from aiida_foundry.common.errors import InputError
from aiida_foundry.structures.checks import check_geometry, check_species
from aiida_foundry.structures.readers import FORMATS, READERS, format_of, to_cell

#: The first line of an archive, as OPTIMADE 1.2 has it.
HEADER = {'x-optimade': {'meta': {'api_version': '1.2.0'}}}
#: What is asked of a server.
FIELDS = (
    'lattice_vectors',
    'cartesian_site_positions',
    'species',
    'species_at_sites',
    'structure_features',
    'dimension_types',
)
PAGE = 100
TIMEOUT = 60.0


@dataclass(frozen=True)
class Entry:
    """A crystal of a collection, or the reason why it cannot be used."""

    name: str
    structure: Structure | None
    reason: str = ''


def read_folder(folder: Path) -> Iterator[Entry]:
    """Yield the crystals in all CIF, POSCAR and extended xyz files below a folder, by path.

    Oxidation states in the files are kept.

    Raises:
        InputError: there is no such folder, or no structure file in it.
    """
    if not folder.is_dir():
        raise InputError(f'folder `{folder}`', 'it does not exist', 'Give a folder of structure files')
    paths = [path for path in sorted(folder.rglob('*')) if path.is_file() and _is_structure_file(path)]
    if not paths:
        raise InputError(f'folder `{folder}`', 'it holds no structure files', f'Known are {", ".join(FORMATS)}, POSCAR')
    for path in paths:
        name = str(path.relative_to(folder))
        yield _entry(name, lambda path=path, name=name: _read_file(path, name))


def _is_structure_file(path: Path) -> bool:
    return path.suffix.lower() in FORMATS or path.name.upper().startswith(('POSCAR', 'CONTCAR'))


def _read_file(path: Path, name: str) -> Structure:
    subject = f'structure `{name}`'
    try:
        text = path.read_text(encoding='utf-8')
    except UnicodeDecodeError:
        raise InputError(subject, 'it is not a text file', 'Give a CIF, POSCAR or extended xyz file') from None
    return READERS[format_of(path.name)](text, subject)


def _entry(name: str, read: Any) -> Entry:
    """Return what ``read`` returns, checked, or the reason why not."""
    try:
        structure = read()
        check_species(structure, f'structure `{name}`')
        check_geometry(to_cell(structure), f'structure `{name}`')
    except InputError as error:
        return Entry(name, None, str(error))
    return Entry(name, structure)


def fetch_optimade(url: str, query: str = '', limit: int | None = None) -> Iterator[Entry]:
    """Yield the structures that an OPTIMADE server finds, page by page.

    Args:
        url: base URL of the provider, with or without ``/v1``, or of its ``structures`` endpoint.
        query: filter in OPTIMADE's language, such as ``elements HAS "O" AND nelements=3``.
        limit: largest number of structures.

    Raises:
        InputError: the address is none of the web, the server does not answer, or refuses the filter.
    """
    if urllib.parse.urlsplit(url).scheme not in {'http', 'https'}:
        raise InputError(f'OPTIMADE server `{url}`', 'it is no address of the web', 'Give http(s)://…')
    base = url.rstrip('/')
    if not base.endswith('/structures'):
        base = f'{base}/structures' if base.endswith('/v1') else f'{base}/v1/structures'
    arguments = {'response_fields': ','.join(FIELDS), 'page_limit': str(min(PAGE, limit or PAGE))}
    if query:
        arguments['filter'] = query
    page: str | None = f'{base}?{urllib.parse.urlencode(arguments)}'
    number = 0
    while page:
        answer = _get(page)
        for resource in answer.get('data', []):
            if number == limit:
                return
            number += 1
            yield _optimade_entry(resource)
        following = (answer.get('links') or {}).get('next')
        page = following.get('href') if isinstance(following, Mapping) else following


def _get(url: str) -> dict[str, Any]:
    subject = f'OPTIMADE server at `{urllib.parse.urlsplit(url).netloc}`'
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as response:  # noqa: S310 (the scheme was checked)
            answer: dict[str, Any] = json.load(response)
    except urllib.error.HTTPError as error:
        detail = _error_detail(error.read())
        raise InputError(subject, f'it answers {error.code}: {detail}', 'Check the address and the filter') from error
    except (OSError, ValueError) as error:
        raise InputError(subject, f'it gives no usable answer ({error})', 'Check the address, or try later') from error
    return answer


def _error_detail(body: bytes) -> str:
    try:
        return '; '.join(error['detail'] for error in json.loads(body)['errors'])
    except (ValueError, KeyError, TypeError):
        return 'no detail'


def read_archive(text: str) -> Iterator[Entry]:
    """Yield the crystals of OPTIMADE JSON Lines, ours or of a provider; other resources are passed over.

    Raises:
        InputError: a line is not JSON, or there is no structure.
    """
    found = False
    for resource in archive_resources(text):
        found = True
        yield _optimade_entry(resource)
    if not found:
        raise InputError('OPTIMADE file', 'it holds no structures', 'Give JSON Lines with `"type": "structures"`')


def archive_resources(text: str) -> Iterator[dict[str, Any]]:
    """Yield the resource objects of structures in OPTIMADE JSON Lines."""
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            resource = json.loads(line)
        except ValueError:
            raise InputError('OPTIMADE file', f'line {number} is not JSON', 'Give JSON Lines') from None
        if isinstance(resource, dict) and resource.get('type') == 'structures':
            yield resource


def resource_formula(resource: Mapping[str, Any]) -> str:
    """Return the reduced formula of a resource as pymatgen writes it; empty where it has none."""
    from pymatgen.core import Composition

    attributes = resource.get('attributes') or {}
    species = {one['name']: one['chemical_symbols'][0] for one in attributes.get('species') or []}
    symbols = [species[name] for name in attributes.get('species_at_sites') or []]
    if not symbols or not all(Element.is_valid_symbol(symbol) for symbol in symbols):
        return ''
    return str(Composition(dict(zip(*np.unique(symbols, return_counts=True), strict=True))).reduced_formula)


def _optimade_entry(resource: Mapping[str, Any]) -> Entry:
    name = str(resource.get('id'))
    attributes = resource.get('attributes') or {}
    if reason := attributes.get('_foundry_unreadable'):
        return Entry(name, None, reason)
    return _entry(name, lambda: _optimade_structure(name, attributes))


def _optimade_structure(name: str, attributes: Mapping[str, Any]) -> Structure:
    subject = f'structure `{name}`'
    periodic = attributes.get('dimension_types') or [1, 1, 1]
    if sum(periodic) != 3:
        raise InputError(subject, f'it is periodic along {sum(periodic)} of 3 directions', 'Give a bulk crystal')
    if features := attributes.get('structure_features'):
        raise InputError(subject, f'it has {", ".join(features)}', 'Give an ordered structure with all its atoms')
    try:
        species = {one['name']: one for one in attributes['species']}
        symbols = [species[label]['chemical_symbols'] for label in attributes['species_at_sites']]
        positions = attributes['cartesian_site_positions']
        lattice = np.array(attributes['lattice_vectors'], dtype=float).reshape(3, 3)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(subject, f'the entry is incomplete ({error!r})', 'Ask the provider') from None
    bad = [each for each in symbols if len(each) != 1 or not Element.is_valid_symbol(each[0])]
    if bad:
        raise InputError(subject, f'it has a site with {", ".join(bad[0])}', 'Give an ordered structure of elements')
    states = attributes.get('_foundry_oxidation_states')
    sites = [each[0] for each in symbols]
    decorated = sites if states is None else [Species(*pair) for pair in zip(sites, states, strict=True)]
    moments = attributes.get('_foundry_moments')
    properties = {} if moments is None else {'magmom': moments}
    return Structure(lattice, decorated, positions, coords_are_cartesian=True, site_properties=properties)


def write_archive(entries: Iterable[Entry]) -> str:
    """Return the archive of a collection: equal text for equal crystals in equal order.

    Raises:
        InputError: two entries have one name, or there is none.
    """
    lines, names = [json.dumps(HEADER)], set()
    for entry in entries:
        if entry.name in names:
            raise InputError(f'structure `{entry.name}`', 'two crystals have this name', 'Give each a name of its own')
        names.add(entry.name)
        attributes = {'_foundry_unreadable': entry.reason} if entry.structure is None else _attributes(entry.structure)
        lines.append(json.dumps({'type': 'structures', 'id': entry.name, 'attributes': attributes}))
    if not names:
        raise InputError('structures', 'there are none', 'Give a group, a folder or a query that holds some')
    return '\n'.join(lines) + '\n'


def _attributes(structure: Structure) -> dict[str, Any]:
    symbols = [site.specie.symbol for site in structure]
    attributes = {
        'lattice_vectors': structure.lattice.matrix.tolist(),
        'cartesian_site_positions': structure.cart_coords.tolist(),
        'dimension_types': [1, 1, 1],
        'nsites': len(structure),
        'species': [
            {'name': name, 'chemical_symbols': [name], 'concentration': [1.0]} for name in sorted(set(symbols))
        ],
        'species_at_sites': symbols,
        'structure_features': [],
    }
    states = [getattr(site.specie, 'oxi_state', None) for site in structure]
    if all(state is not None for state in states):
        attributes['_foundry_oxidation_states'] = states
    if 'magmom' in structure.site_properties:
        attributes['_foundry_moments'] = [float(moment or 0) for moment in structure.site_properties['magmom']]
    return attributes
