"""Parser of pw.x that builds the XML schema of Quantum ESPRESSO once per process instead of once per calculation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from aiida_quantumespresso.parsers.parse_xml import parse
from aiida_quantumespresso.parsers.pw import PwParser
from xmlschema import XMLSchema


@cache
def read_schema(path: Path) -> XMLSchema:
    """Return the schema of an XSD file, built at the first call: it takes longer than to parse a small calculation."""
    return XMLSchema(path)


@contextmanager
def _shared_schemas() -> Iterator[None]:
    """Let ``parse_xml`` of aiida-quantumespresso, which builds its schema by a global name, take ours."""
    upstream = parse.XMLSchema
    parse.XMLSchema = read_schema
    try:
        yield
    finally:
        parse.XMLSchema = upstream


class SharedSchemaPwParser(PwParser):
    """``PwParser`` of aiida-quantumespresso with the same outputs and exit codes, at a fraction of its cost."""

    def parse_xml(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Parse the XML file.

        Returns:
            Parsed data, and log messages by level.
        """
        with _shared_schemas():
            return super().parse_xml()
