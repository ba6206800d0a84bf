"""Options of a job of pw.x whose results our parsers check by checksums."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida_foundry.engines import checksums

OUTPUT_FILE = 'aiida.out'
XML_FILE = 'data-file-schema.xml'
RESULTS = (OUTPUT_FILE, f'out/aiida.save/{XML_FILE}')


def checked_options(options: Mapping[str, Any], parser: str = 'foundry.pw') -> dict[str, Any]:
    """Return the options with a parser of ours, and commands that write checksums of standard output and XML.

    Args:
        options: of the job; its own commands and files to retrieve are kept.
        parser: entry point of `SharedSchemaPwParser` or a parser made from it.
    """
    return {
        **options,
        'parser_name': parser,
        'append_text': '\n'.join([*filter(None, [options.get('append_text')]), checksums.command(RESULTS)]),
        'additional_retrieve_list': [*options.get('additional_retrieve_list', []), checksums.FILE],
    }
