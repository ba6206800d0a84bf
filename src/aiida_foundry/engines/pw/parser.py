"""Parser of pw.x that builds the XML schema once per process, and whose results are sound or come with an exit code."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.common.exceptions import ValidationError
from aiida.engine import ExitCode
from aiida.orm.implementation.utils import clean_value
from aiida_quantumespresso.parsers.parse_xml import parse
from aiida_quantumespresso.parsers.pw import PwParser
from numpy import isfinite
from xmlschema import XMLSchema

from aiida_foundry.engines import checksums
from aiida_foundry.engines.pw.contradictions import contradictions

_SELF_CONSISTENT = re.compile(r'^!!?\s+total energy', re.MULTILINE)
_PRINTED = ('energy_accuracy', 'energy_one_electron')


_OCCUPATIONS = ('smearing', 'tetrahedra', 'tetrahedra_lin', 'tetrahedra_opt', 'fixed', 'from_input')
_INVALID = re.compile(r'^Reason:.*?^Path: (\S+)', re.MULTILINE | re.DOTALL)
_VALID_ALL_THE_SAME = ('/output/magnetization',)
"""Elements that pw.x itself writes other than its schema says: 7.4.1 with `absolute` magnetisation."""
_LDA = '<functional>PW</functional>'
"""What pw.x 6.7 writes for the local functional of Perdew and Wang, which its schema does not know."""


def invalid_elements(errors: Iterable[str]) -> list[str]:
    """Return the paths of the elements of the XML file that its schema does not allow.

    Args:
        errors: messages of ``parse_xml``, those of the validation among them.
    """
    paths = [found[1] for message in errors if (found := _INVALID.search(message)) and _LDA not in message]
    return [path for path in dict.fromkeys(paths) if not path.endswith(_VALID_ALL_THE_SAME)]


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
    """``PwParser`` of aiida-quantumespresso with the same outputs and exit codes, at a fraction of its cost.

    Where that one raises, returns what AiiDA cannot store, takes an XML file of another run for the result, or leaves
    out what it does not find, this one returns the exit code ``ERROR_UNEXPECTED_PARSER_EXCEPTION`` with the reason, and
    no output that is not sound. So it does with files that are not those of the checksums of the job, if it made some
    (`options.checked_options`).
    """

    def parse(self, **kwargs: Any) -> ExitCode | None:
        """Parse the retrieved files into outputs and return the exit code, None for success."""
        self.invalid_xml: list[str] = []
        output = self.node.get_option('output_filename')
        if damaged := checksums.damaged_in(self.retrieved, [output, *self.node.process_class.xml_filenames]):
            return self._refuse(f'{", ".join(damaged)}: not what the job wrote, by the checksum')
        try:
            code: ExitCode | None = super().parse(**kwargs)
        except Exception as error:  # damaged files make the parser fail in many ways; none may stop the work chain
            self.logger.exception('the parser of aiida-quantumespresso failed')
            self._drop_unsound()
            return self._refuse(f'{type(error).__name__}: {error}')
        unsound = self._drop_unsound()
        if code is not None and code.status:
            return code
        if unsound:
            return self._refuse(f'NaN or infinity in {", ".join(unsound)}')
        texts = self._texts()
        if missing := [*self._missing(texts[0]), *self.invalid_xml]:
            return self._refuse(f'missing or invalid: {", ".join(missing)}')
        different = self.contradictions(*texts)
        return self._refuse(f'standard output and XML differ in {", ".join(different)}') if different else code

    def contradictions(self, stdout: str, xml: str) -> list[str]:
        """Return what standard output and XML tell differently, as short names."""
        return contradictions(stdout, xml)

    def _missing(self, stdout: str) -> list[str]:
        """Return what a run prints and what was not found, or is no word of pw.x."""
        found: dict[str, Any] = (
            self.outputs['output_parameters'].get_dict() if 'output_parameters' in self.outputs else {}
        )
        missing = [] if found.get('occupations', 'fixed') in _OCCUPATIONS else ['occupations']
        return missing + [name for name in _PRINTED if name not in found and found and _SELF_CONSISTENT.search(stdout)]

    def _refuse(self, reason: str) -> ExitCode:
        return self.exit_codes.ERROR_UNEXPECTED_PARSER_EXCEPTION.format(exception=reason)

    def _drop_unsound(self) -> list[str]:
        """Take back outputs with NaN or infinity, which AiiDA refuses to store, and return their labels."""
        unsound = [label for label, node in self.outputs.items() if not _is_sound(node)]
        for label in unsound:
            self.outputs.pop(label)
        return unsound

    def _texts(self) -> tuple[str, str]:
        """Return standard output and XML."""
        repository = self.retrieved.base.repository
        names = (self.node.get_option('output_filename'), *self.node.process_class.xml_filenames)
        present = [name for name in names if name in repository.list_object_names()]
        texts = [repository.get_object_content(name, 'rb').decode('utf-8', errors='replace') for name in present]
        return texts[0], texts[-1]

    def parse_xml(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Parse the XML file.

        Returns:
            Parsed data, and log messages by level.
        """
        with _shared_schemas():
            parsed, logs = super().parse_xml()
        self.invalid_xml = invalid_elements(logs['error'])
        return parsed, logs


def _is_sound(node: orm.Data) -> bool:
    """Return whether AiiDA can store the attributes of a node, and all its arrays are finite."""
    try:
        clean_value(node.base.attributes.all)
    except ValidationError:
        return False
    if not isinstance(node, orm.ArrayData):
        return True
    arrays = (node.get_array(name) for name in node.get_arraynames())
    return all(array.dtype.kind not in 'fc' or bool(isfinite(array).all()) for array in arrays)
