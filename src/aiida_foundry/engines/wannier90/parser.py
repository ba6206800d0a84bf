"""Parser of a Wannier90 calculation: records become nodes, messages become exit codes."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from aiida import orm
from aiida.common.exceptions import NotExistent
from aiida.engine import CalcJob, ExitCode
from aiida.parsers.parser import Parser
from numpy.typing import NDArray

from aiida_foundry.analysis.wannier import isometry_error
from aiida_foundry.engines import checksums
from aiida_foundry.engines.wannier90.calculation import ERROR_FILE, SEEDNAME, result_files
from aiida_foundry.engines.wannier90.exit_codes import classify_message
from aiida_foundry.engines.wannier90.input_file import mesh_points
from aiida_foundry.engines.wannier90.parse_raw.bands import parse_bands
from aiida_foundry.engines.wannier90.parse_raw.consistency import (
    gauge_contradictions,
    is_older,
    output_contradictions,
)
from aiida_foundry.engines.wannier90.parse_raw.matrices import UnreadableMatrixError, parse_gauge
from aiida_foundry.engines.wannier90.parse_raw.wout import WannierOutput, parse_wout

UNITARITY_TOLERANCE = 1e-6
"""Largest element of |U†U - 1|: the files have ten decimals, so a correct matrix is within some 1e-9."""


class Wannier90Parser(Parser):
    """Parse the retrieved files of a ``Wannier90Calculation``.

    The exit code is the first that applies of: files damaged since the job wrote them; no output; a message of
    Wannier90; killed; a file missing, unreadable or not of this run; matrices not unitary; not converged.
    """

    def parse(self, **_: Any) -> ExitCode | None:
        """Attach the outputs and return the exit code, None for success."""
        main_file = self.node.get_option('output_filename')
        if damaged := checksums.damaged_in(self.retrieved, result_files(main_file, 'overlaps' in self.node.inputs)):
            return self.exit_codes.ERROR_FILES_DAMAGED.format(message=', '.join(damaged))
        self.text = self._read(main_file) or self._read(ERROR_FILE)
        if not self.text:
            return self.exit_codes.ERROR_OUTPUT_MISSING
        output = parse_wout(self.text)
        self.results = self._results(output)
        failure = self._failure_of_run(output) or self._attach_files(output)
        self.out('output_parameters', orm.Dict(self.results))
        return failure or self._failure_to_converge(output)

    def _read(self, name: str) -> str:
        """Return the text of a retrieved file, empty if it is not there."""
        try:
            return self.retrieved.base.repository.get_object_content(name, mode='rb').decode('utf-8', errors='replace')
        except (FileNotFoundError, NotExistent):
            return ''

    def _results(self, output: WannierOutput) -> dict[str, Any]:
        results: dict[str, Any] = {
            'wannier90_version': output.version,
            'warnings': list(output.warnings),
            'number_of_functions': self.node.inputs.parameters.get_dict()['num_wann'],
            'centres': output.centres.tolist(),
            'centres_units': 'angstrom',
            'spreads': output.spreads.tolist(),
            'spreads_units': 'angstrom^2',
            'omega': output.omega,
            'disentanglement_converged': output.disentangled,
            'spread_converged': output.minimised,
            'windows': {'outer': output.outer_window, 'frozen': output.frozen_window, 'units': 'eV'},
        }
        if output.wall_time is not None:
            resources = self.node.get_option('resources') or {}
            processes = resources.get('num_machines', 1) * resources.get('num_mpiprocs_per_machine', 1)
            results['wall_time_seconds'] = output.wall_time
            results['core_seconds'] = output.wall_time * processes
        return results

    def _failure_of_run(self, output: WannierOutput) -> ExitCode | None:
        """Return why the run stopped."""
        if output.error is not None:
            return self.exit_codes[classify_message(output.error)].format(message=output.error)
        if output.completed:
            return None
        if self.node.exit_status == CalcJob.exit_codes.ERROR_SCHEDULER_OUT_OF_WALLTIME.status:
            return self.exit_codes.ERROR_OUT_OF_WALLTIME
        return self.exit_codes.ERROR_OUTPUT_INCOMPLETE

    def _attach_files(self, output: WannierOutput) -> ExitCode | None:
        """Attach what the task of the run writes and return why something is not as it should be."""
        if 'overlaps' not in self.node.inputs:
            return self._attach_neighbours()
        functions = self.results['number_of_functions']
        if len(output.spreads) != functions or not np.isfinite([*output.spreads, *output.centres.ravel()]).all():
            return self.exit_codes.ERROR_NOT_A_NUMBER
        mesh = self.node.inputs.kpoints.get_kpoints_mesh()[0]
        if wrong := output_contradictions(output, self.node.inputs.parameters.get_dict(), mesh):
            return self.exit_codes.ERROR_OUTPUT_INCONSISTENT.format(message=f'{", ".join(wrong)} in the main output')
        try:
            failure = self._attach_gauge(mesh_points(mesh))
            self._attach_bands()
        except UnreadableMatrixError as error:
            return self.exit_codes.ERROR_MATRICES_UNREADABLE.format(message=str(error))
        return failure

    def _attach_neighbours(self) -> ExitCode | None:
        text = self._read(f'{SEEDNAME}.nnkp')
        if 'end nnkpts' not in text:
            return self.exit_codes.ERROR_NNKP_MISSING
        self.out('nnkp', orm.SinglefileData(BytesIO(text.encode()), f'{SEEDNAME}.nnkp'))
        return None

    def _attach_gauge(self, points: NDArray[np.float64]) -> ExitCode | None:
        """Attach the gauge matrices after checking that they are of this run and keep the norm.

        Args:
            points: of the mesh.
        """
        parameters = self.node.inputs.parameters.get_dict()
        functions = parameters['num_wann']
        bands = parameters.get('num_bands', functions)
        entangled = bands > functions
        names = {'rotation': f'{SEEDNAME}_u.mat'} | ({'disentanglement': f'{SEEDNAME}_u_dis.mat'} if entangled else {})
        texts = {label: self._read(name) for label, name in names.items()}
        if missing := [names[label] for label, text in texts.items() if not text]:
            return self.exit_codes.ERROR_MATRICES_MISSING.format(message=', '.join(missing))
        arrays: dict[str, Any] = {}
        for label, text in texts.items():
            gauge = parse_gauge(text, names[label])
            shape = (bands if label == 'disentanglement' else functions, functions)
            wrong = gauge_contradictions(gauge, shape, points) + ['date'] * is_older(text, self.text)
            if wrong:
                message = f'{", ".join(wrong)} of {names[label]}'
                return self.exit_codes.ERROR_OUTPUT_INCONSISTENT.format(message=message)
            if (error := isometry_error(gauge.matrices)) > UNITARITY_TOLERANCE:
                message = f'{names[label]}: |U†U - 1| reaches {error:.1e}'
                return self.exit_codes.ERROR_GAUGE_NOT_UNITARY.format(message=message)
            arrays |= {'kpoints': gauge.kpoints, label: gauge.matrices}
        self.out('gauge', orm.ArrayData(arrays))
        return None

    def _attach_bands(self) -> None:
        if 'path' not in self.node.inputs:
            return
        points, energies = parse_bands(self._read(f'{SEEDNAME}_band.dat'), self._read(f'{SEEDNAME}_band.kpt'))
        bands = orm.BandsData()
        bands.set_cell_from_structure(self.node.inputs.structure)
        bands.set_kpoints(points)
        bands.set_bands(energies, units='eV')
        self.out('interpolated_bands', bands)

    def _failure_to_converge(self, output: WannierOutput) -> ExitCode | None:
        if 'overlaps' not in self.node.inputs:
            return None
        if output.disentangled is False:
            message = f'relative change {output.disentanglement_change} in the last step'
            return self.exit_codes.ERROR_DISENTANGLEMENT_NOT_CONVERGED.format(message=message)
        minimises = self.node.inputs.parameters.get_dict().get('num_iter', 1) > 0
        if minimises and not output.minimised:
            message = f'change {output.spread_change} Å² in the last step'
            return self.exit_codes.ERROR_SPREAD_NOT_CONVERGED.format(message=message)
        return None
