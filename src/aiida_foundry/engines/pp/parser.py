"""Parser of pp.x that keeps planar averages only: hundreds of numbers instead of millions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from aiida import orm
from aiida.common.exceptions import NotExistent
from aiida.engine import ExitCode
from aiida_quantumespresso.calculations.pp import PpCalculation
from aiida_quantumespresso.parsers.pp import PpParser

from aiida_foundry.engines import checksums
from aiida_foundry.engines.pp.parse_raw import Cube, parse_cube, parse_energies

_CUBES = PpCalculation._FILEOUT
_LOCAL_DENSITY_OF_STATES = 3  # `plot_num`
_KINDS = {'plot_type': '3D', 'output_format': 'Gaussian cube'}
_ENERGY_DIGITS = 1e-4
"""A unit in the last digit of energies in eV, in the headers of cube files."""


def planar_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a job of pp.x with this parser, which writes checksums of its results as well."""
    files = checksums.command(['aiida.out', _CUBES], pattern=f'{PpCalculation._FILPLOT}*{_CUBES}')
    return {
        **options,
        'parser_name': 'foundry.pp.planar',
        'append_text': '\n'.join([*filter(None, [options.get('append_text')]), files]),
        'additional_retrieve_list': [*options.get('additional_retrieve_list', []), checksums.FILE],
    }


class PlanarPpParser(PpParser):
    """Reduce the cube files of a `PpCalculation` to averages over the planes of the first two lattice vectors.

    The output ``output_data`` has ``profiles`` (m, n) in the unit ``units`` of pp.x, ``length`` in Å, the height of the
    cell, and for local densities of states ``energies`` and ``broadenings`` (m,) in eV. Exit codes are those of
    aiida-quantumespresso; a file that is not what the job wrote cannot be read.
    """

    def parse(self, **kwargs: Any) -> ExitCode:
        """Parse the output and the cube files, which are deleted afterwards."""
        if 'retrieved_temporary_folder' not in kwargs:
            return self.exit_codes.ERROR_NO_RETRIEVED_TEMPORARY_FOLDER
        self.folder = Path(kwargs['retrieved_temporary_folder'])
        stdout_path = self.node.get_option('output_filename')
        content = self._read(stdout_path)
        if content is None:
            return self.exit_codes.ERROR_OUTPUT_STDOUT_MISSING
        if damaged := self._damaged(stdout_path):
            return self.exit_codes.ERROR_OUTPUT_DATAFILE_READ.format(filename=', '.join(damaged))
        stdout = content.decode('utf-8', errors='replace')
        if 'JOB DONE' not in stdout:
            return self.exit_codes.ERROR_OUTPUT_STDOUT_INCOMPLETE
        parameters = self._parameters(stdout)
        if parameters is None:
            return self.exit_codes.ERROR_OUTPUT_STDOUT_PARSE
        return self._attach(parameters, parse_energies(stdout))

    def _parameters(self, stdout: str) -> dict[str, Any] | None:
        """Return what the output says of the task, None if it is not the one of the input."""
        try:
            parameters: dict[str, Any] = self.parse_stdout(stdout, None)[0]
        except (IndexError, ValueError):
            return None
        wanted = {'plot_num': self.node.inputs.parameters.get_dict()['INPUTPP']['plot_num'], **_KINDS}
        return parameters if all(parameters.get(name) == value for name, value in wanted.items()) else None

    def _attach(self, parameters: dict[str, Any], energies: list[tuple[float, float]]) -> ExitCode:
        """Attach the averages of all cube files, which have to be as many as the output says."""
        paths = sorted(path for path in self.folder.iterdir() if path.name.endswith(_CUBES))
        number = len(energies) if parameters['plot_num'] == _LOCAL_DENSITY_OF_STATES else 1
        if not paths or len(paths) != number:
            return self.exit_codes.ERROR_OUTPUT_DATAFILE_MISSING.format(filename=_CUBES)
        try:
            cubes = [parse_cube(path.read_text()) for path in paths]
            _check_energies(cubes, energies)
        except (IndexError, ValueError) as exception:
            return self.exit_codes.ERROR_OUTPUT_DATAFILE_PARSE.format(filename=_CUBES, exception=exception)
        self.out('output_parameters', orm.Dict(parameters))
        self.out('output_data', _array(cubes, energies, self.units_dict[parameters['plot_num']]))
        return ExitCode(0)

    def _damaged(self, stdout_path: str) -> list[str]:
        """Return the files that are not what the job wrote; none where it made no checksums."""
        listing = (self._read(checksums.FILE) or b'').decode('utf-8', errors='replace')
        names = [stdout_path, *(path.name for path in self.folder.iterdir() if path.name.endswith(_CUBES))]
        return checksums.damaged(listing, self._read, names) if listing else []

    def _read(self, name: str) -> bytes | None:
        """Return the content of a file, kept or temporary; None if it is not there."""
        path = self.folder / name
        if path.is_file():
            return path.read_bytes()
        try:
            content: bytes = self.retrieved.base.repository.get_object_content(name, mode='rb')
        except (FileNotFoundError, NotExistent):
            return None
        return content


def _check_energies(cubes: list[Cube], energies: list[tuple[float, float]]) -> None:
    """Refuse local densities of states whose headers name other energies than the output.

    Raises:
        ValueError: if they do.
    """
    found = [cube.energy for cube in cubes if cube.energy is not None]
    if len(found) != len(energies) or not np.allclose(found, energies, rtol=0, atol=_ENERGY_DIGITS):
        raise ValueError('its header names another energy than the output of pp.x')


def _array(cubes: list[Cube], energies: list[tuple[float, float]], units: str) -> orm.ArrayData:
    data = orm.ArrayData({'profiles': np.array([cube.values for cube in cubes])})
    if energies:
        for name, column in zip(('energies', 'broadenings'), np.array(energies).T, strict=True):
            data.set_array(name, column)
    data.base.attributes.set('length', cubes[0].length)
    data.base.attributes.set('units', units)
    return data
