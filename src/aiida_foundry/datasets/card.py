"""A card beside a table: JSON-LD in the Croissant vocabulary, with licence, units, checksums and provenance."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from aiida_foundry import __version__
from aiida_foundry.common.errors import InputError
from aiida_foundry.common.records import Record
from aiida_foundry.datasets.queries import Query

FORMATS = {'.parquet': 'application/x-parquet', '.csv': 'text/csv'}
SUFFIX = '.croissant.json'
_SPDX = re.compile(r'[A-Za-z0-9][A-Za-z0-9.+-]*')
_TYPES = {'str': 'sc:Text', 'bool': 'sc:Boolean', 'int': 'sc:Integer', 'float': 'sc:Float', 'datetime': 'sc:DateTime'}

#: Of version 1.0 of the format, http://mlcommons.org/croissant/1.0
CONTEXT: dict[str, Any] = {
    '@language': 'en',
    '@vocab': 'https://schema.org/',
    'citeAs': 'cr:citeAs',
    'column': 'cr:column',
    'conformsTo': 'dct:conformsTo',
    'cr': 'http://mlcommons.org/croissant/',
    'data': {'@id': 'cr:data', '@type': '@json'},
    'dataType': {'@id': 'cr:dataType', '@type': '@vocab'},
    'dct': 'http://purl.org/dc/terms/',
    'equivalentProperty': 'cr:equivalentProperty',
    'examples': {'@id': 'cr:examples', '@type': '@json'},
    'extract': 'cr:extract',
    'field': 'cr:field',
    'fileObject': 'cr:fileObject',
    'fileProperty': 'cr:fileProperty',
    'fileSet': 'cr:fileSet',
    'format': 'cr:format',
    'includes': 'cr:includes',
    'isLiveDataset': 'cr:isLiveDataset',
    'jsonPath': 'cr:jsonPath',
    'key': 'cr:key',
    'md5': 'cr:md5',
    'parentField': 'cr:parentField',
    'path': 'cr:path',
    'prov': 'http://www.w3.org/ns/prov#',
    'rai': 'http://mlcommons.org/croissant/RAI/',
    'recordSet': 'cr:recordSet',
    'references': 'cr:references',
    'regex': 'cr:regex',
    'repeated': 'cr:repeated',
    'replace': 'cr:replace',
    'samplingRate': 'cr:samplingRate',
    'sc': 'https://schema.org/',
    'separator': 'cr:separator',
    'source': 'cr:source',
    'subField': 'cr:subField',
    'transform': 'cr:transform',
}


def write_card(query: Query, path: Path, licence: str, creator: str, records: Iterable[Record]) -> Path:
    """Write the card of an exported table beside it and return its path.

    Args:
        query: that the table holds.
        path: of the table.
        licence: its SPDX identifier, e.g. ``CC-BY-4.0``.
        creator: who publishes it.
        records: those of the table, for what they have in common: versions and processes.

    Raises:
        InputError: if the licence is no SPDX identifier, or the format of the table has no card.
    """
    check_card(path, licence)
    card = path.with_name(path.name + SUFFIX)
    card.write_text(json.dumps(card_of(query, path, licence, creator, records), indent=2), encoding='utf-8')
    return card


def check_card(path: Path, licence: str) -> None:
    """Refuse what cannot have a card, before the table is written.

    Raises:
        InputError: if the licence is no SPDX identifier, or the format of the table has no card.
    """
    if not _SPDX.fullmatch(licence):
        raise InputError(f'licence `{licence}`', 'it is no SPDX identifier', 'Write e.g. CC-BY-4.0')
    if path.suffix not in FORMATS:
        raise InputError(f'output `{path}`', 'its format has no card', f'Formats with one are {", ".join(FORMATS)}')


def card_of(query: Query, path: Path, licence: str, creator: str, records: Iterable[Record]) -> dict[str, Any]:
    """Return the card of a table as JSON-LD."""
    number, engines, versions, processes = _summarise(records)
    today = datetime.now(timezone.utc).date()
    conditions = ', '.join(f'{c.name} {c.operator} {c.value}' for c in query.conditions) or 'none'
    return {
        '@context': CONTEXT,
        '@type': 'sc:Dataset',
        'name': query.name,
        'description': f'{query.kind.description}: {number} records. Conditions: {conditions}. '
        'Each row holds the UUID of the AiiDA process that its numbers come from.',
        'conformsTo': 'http://mlcommons.org/croissant/1.0',
        'license': f'https://spdx.org/licenses/{licence}.html',
        'creator': {'@type': 'sc:Organization', 'name': creator},
        'datePublished': today.isoformat(),
        'citeAs': f'{creator}, {query.name}, computed with aiida-foundry {__version__} ({today.year})',
        'version': '1.0.0',
        'prov:wasGeneratedBy': {
            '@type': 'prov:Activity',
            'prov:wasAssociatedWith': [f'aiida-foundry {__version__}', *versions, *engines],
            'prov:used': processes,
        },
        'distribution': [_file(path)],
        'recordSet': [
            {
                '@type': 'cr:RecordSet',
                '@id': query.name,
                'name': query.name,
                'key': {'@id': f'{query.name}/uuid'},
                'field': [_field(query, path, name) for name in query.kind.model.model_fields],
            }
        ],
    }


def _summarise(records: Iterable[Record]) -> tuple[int, list[str], list[str], list[str]]:
    number, engines, versions, processes = 0, set(), set(), set()
    for record in records:
        number += 1
        engines.update(record.engines.split(', ') if record.engines else [])
        versions.add(f'aiida-core {record.aiida_version}')
        processes.add(record.process)
    return number, sorted(engines), sorted(versions), sorted(processes)


def _file(path: Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    with path.open('rb') as handle:
        while chunk := handle.read(1024**2):
            digest.update(chunk)
    return {
        '@type': 'cr:FileObject',
        '@id': path.name,
        'name': path.name,
        'contentUrl': path.name,
        'contentSize': f'{path.stat().st_size} B',
        'encodingFormat': FORMATS[path.suffix],
        'sha256': digest.hexdigest(),
    }


def _field(query: Query, path: Path, name: str) -> dict[str, Any]:
    unit, annotation = query.kind.unit(name), str(query.kind.model.model_fields[name].annotation)
    kind = next(word for word in ('datetime', 'float', 'bool', 'int', 'str') if word in annotation)
    column = f'{name} ({unit})' if unit and path.suffix == '.csv' else name
    field: dict[str, Any] = {
        '@type': 'cr:Field',
        '@id': f'{query.name}/{name}',
        'name': name,
        'description': query.kind.about(name) + (f', in {unit}' if unit not in {'', '1'} else ''),
        'dataType': _TYPES[kind],
        'source': {'fileObject': {'@id': path.name}, 'extract': {'column': column}},
    }
    return field | {'repeated': True} if 'tuple' in annotation or 'list' in annotation else field
