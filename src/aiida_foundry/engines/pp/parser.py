"""Parser of pp.x that keeps planar averages only: hundreds of numbers instead of millions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import ExitCode
from aiida_quantumespresso.calculations.pp import PpCalculation
from aiida_quantumespresso.parsers.pp import PpParser

from aiida_foundry.engines.pp.parse_raw import Profile, parse_cube, parse_energies


class PlanarPpParser(PpParser):
    """Reduce the cube files of a `PpCalculation` to averages over the planes of the first two lattice vectors.

    The output ``output_data`` has ``profiles`` (m, n) in the unit ``units`` of pp.x, ``length`` in Å, the height of the
    cell, and for local densities of states ``energies`` and ``broadenings`` (m,) in eV.
    """

    def parse(self, **kwargs: Any) -> ExitCode:
        """Parse the output and the cube files, which are deleted afterwards."""
        stdout_path = self.node.get_option('output_filename')
        if stdout_path not in self.retrieved.base.repository.list_object_names():
            return self.exit_codes.ERROR_OUTPUT_STDOUT_MISSING
        stdout = self.retrieved.base.repository.get_object_content(stdout_path)
        if 'JOB DONE' not in stdout:
            return self.exit_codes.ERROR_OUTPUT_STDOUT_INCOMPLETE
        parameters, _ = self.parse_stdout(stdout, None)
        if 'retrieved_temporary_folder' not in kwargs:
            return self.exit_codes.ERROR_NO_RETRIEVED_TEMPORARY_FOLDER
        folder = Path(kwargs['retrieved_temporary_folder'])
        paths = sorted(path for path in folder.iterdir() if path.name.endswith(PpCalculation._FILEOUT))
        energies = parse_energies(stdout)
        if not paths or len(paths) < len(energies):
            return self.exit_codes.ERROR_OUTPUT_DATAFILE_MISSING.format(filename=PpCalculation._FILEOUT)
        try:
            profiles = [parse_cube(path.read_text()) for path in paths]
        except ValueError as exception:
            return self.exit_codes.ERROR_OUTPUT_DATAFILE_PARSE.format(
                filename=PpCalculation._FILEOUT, exception=exception
            )
        self.out('output_parameters', orm.Dict(parameters))
        self.out('output_data', _array(profiles, energies, self.units_dict[parameters['plot_num']]))
        return ExitCode(0)


def _array(profiles: list[Profile], energies: list[tuple[float, float]], units: str) -> orm.ArrayData:
    data = orm.ArrayData({'profiles': np.array([profile.values for profile in profiles])})
    if energies:
        for name, column in zip(('energies', 'broadenings'), np.array(energies).T, strict=True):
            data.set_array(name, column)
    data.base.attributes.set('length', profiles[0].length)
    data.base.attributes.set('units', units)
    return data
