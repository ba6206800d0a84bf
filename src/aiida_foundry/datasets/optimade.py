"""Records as OPTIMADE JSON Lines, for a database that others query, by the executable of ``optimade-maker``.

It lives in an environment of its own: what it depends on does not go with what this package depends on.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pyarrow as pa
import yaml

from aiida_foundry.common.errors import InputError
from aiida_foundry.datasets.crystals import with_atoms
from aiida_foundry.datasets.queries import Query
from aiida_foundry.datasets.tables import schema_of

EXECUTABLE = 'optimake'
CONFIG_VERSION = '0.1.0'  # of the file `optimade.yaml`
STRUCTURES, PROPERTIES = 'structures', 'properties.json'
_TYPES = {
    pa.string(): 'string',
    pa.bool_(): 'boolean',
    pa.int64(): 'integer',
    pa.float64(): 'float',
    pa.timestamp('us', tz='UTC'): 'timestamp',
}


def write_optimade(query: Query, path: Path) -> int:
    """Write the crystal of each record with its fields, named by the UUID of the process, and return their number.

    Fields have the prefix of a provider, ``_optimake_`` unless the environment variable ``OPTIMAKE_PROVIDER_PREFIX``
    says which.

    Raises:
        InputError: if the executable is missing or fails, there is no record, or the records have no crystal.
    """
    executable = shutil.which(EXECUTABLE)
    if executable is None:
        remedy = 'Install it in an environment of its own: `uv tool install optimade-maker`'
        raise InputError(f'executable `{EXECUTABLE}`', 'it is not on the PATH, and it writes OPTIMADE files', remedy)
    folder = path.parent / 'archive'  # `path` is in a temporary folder of this export
    number = write_raw_archive(query, folder)
    if number == 0:
        raise InputError(f'records `{query.name}`', 'the query finds none', 'Loosen --where')
    command = [executable, 'convert', '--jsonl_path', str(path), str(folder)]
    process = subprocess.run(command, check=False, capture_output=True, text=True)
    if process.returncode or not path.is_file():
        reason = (process.stderr.strip().splitlines() or [f'exit status {process.returncode}'])[-1]
        raise InputError(f'executable `{executable}`', reason, 'Install version 1 of optimade-maker')
    return number


def write_raw_archive(query: Query, folder: Path) -> int:
    """Write what ``optimake convert`` reads: crystals, all fields, and their meaning in ``optimade.yaml``."""
    from ase.io import write

    (folder / STRUCTURES).mkdir(parents=True)
    properties = []
    for record, atoms in with_atoms(query):
        write(folder / STRUCTURES / f'{record.uuid}.json', atoms, format='json')
        properties.append({'id': record.uuid, **record.model_dump(mode='json')})
    (folder / PROPERTIES).write_text(json.dumps(properties), encoding='utf-8')
    entries = {
        'entry_type': 'structures',
        'entry_paths': [{'file': STRUCTURES, 'matches': ['*.json']}],
        'property_paths': [{'file': PROPERTIES}],
        'property_definitions': definitions(schema_of(query.name, query.kind)),
    }
    config = {'config_version': CONFIG_VERSION, 'database_description': query.kind.description, 'entries': [entries]}
    (folder / 'optimade.yaml').write_text(yaml.safe_dump(config, allow_unicode=True), encoding='utf-8')
    return len(properties)


def definitions(schema: pa.Schema) -> list[dict[str, str | None]]:
    """Return the columns of a table as OPTIMADE describes properties: name, type, unit and meaning."""
    return [
        {
            'name': field.name,
            'type': _TYPES.get(field.type, 'list'),
            'unit': field.metadata[b'unit'].decode() or None,
            'description': field.metadata[b'description'].decode(),
        }
        for field in schema
    ]
