"""CalcJob of Wannier90: the list of neighbours for pw2wannier90, or the Wannier functions."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common.datastructures import CalcInfo, CodeInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJob, CalcJobProcessSpec

from aiida_foundry.common.errors import message_of
from aiida_foundry.engines import checksums
from aiida_foundry.engines.wannier90 import input_file
from aiida_foundry.engines.wannier90.exit_codes import define_exit_codes
from aiida_foundry.engines.wannier90.validation import check_mesh, check_parameters, check_path

SEEDNAME = 'aiida'
#: Where Wannier90 writes the message of an error in its input, before it opens its main output.
ERROR_FILE = f'{SEEDNAME}.werr'
OVERLAP_SUFFIXES = ('amn', 'mmn', 'eig')
#: Files that come back from a run for Wannier functions.
RETRIEVED_SUFFIXES = (
    'u.mat', 'u_dis.mat', 'centres.xyz', 'hr.dat', 'wsvec.dat', 'band.dat', 'band.kpt', 'band.labelinfo.dat',
)  # fmt: skip


def result_files(output: str, makes_functions: bool) -> list[str]:
    """Return the names of the files that a run writes and that come back, as far as it writes them.

    Args:
        output: name of the main output.
        makes_functions: whether it makes Wannier functions, not only the list of neighbours.
    """
    suffixes = [f'_{suffix}' for suffix in RETRIEVED_SUFFIXES] if makes_functions else ['.nnkp']
    return [output, ERROR_FILE, *(f'{SEEDNAME}{suffix}' for suffix in suffixes)]


def validate_inputs(inputs: dict[str, Any], _: Any) -> str | None:
    """Validate what depends on several inputs."""
    computer = inputs['code'].computer if 'code' in inputs else None
    if computer is not None and 'overlaps' in inputs and inputs['overlaps'].computer.uuid != computer.uuid:
        return f'overlaps: they are on `{inputs["overlaps"].computer.label}`, not on `{computer.label}` like the code'
    if 'path' in inputs and 'overlaps' not in inputs:
        return 'path: there are no bands without `overlaps`. Give them, or leave the path out'
    return None


class Wannier90Calculation(CalcJob):
    """Run ``wannier90.x``.

    Without `overlaps` it only writes the list of neighbours (``-pp``) that pw2wannier90 reads; with them, it makes
    Wannier functions. Cell, atoms and k-points come from nodes; all other keywords from `parameters`.
    """

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Define inputs, outputs and exit codes."""
        super().define(spec)
        options = spec.inputs['metadata']['options']
        options['parser_name'].default = 'foundry.wannier90'
        options['input_filename'].default = f'{SEEDNAME}.win'
        options['output_filename'].default = f'{SEEDNAME}.wout'
        options['withmpi'].default = False
        options['resources'].default = lambda: {'num_machines': 1, 'num_mpiprocs_per_machine': 1}
        spec.input('structure', valid_type=orm.StructureData, help='The crystal.')
        spec.input(
            'kpoints',
            valid_type=orm.KpointsData,
            validator=lambda node, _: message_of(check_mesh, node),
            help='Mesh through Γ; pw.x must have had all its points, in the order of `input_file.mesh_points`.',
        )
        spec.input(
            'parameters',
            valid_type=orm.Dict,
            validator=lambda node, _: message_of(check_parameters, node.get_dict()),
            help='Keywords of Wannier90 in its units (eV, Å), without those that other inputs determine.',
        )
        spec.input(
            'projections',
            valid_type=orm.List,
            required=False,
            help='Lines of the block of trial projections; leave it out with `auto_projections`.',
        )
        spec.input(
            'overlaps',
            valid_type=orm.RemoteData,
            required=False,
            help='Folder in which pw2wannier90 wrote overlaps, projections and energies of the same input.',
        )
        spec.input(
            'path',
            valid_type=orm.KpointsData,
            required=False,
            validator=lambda node, _: message_of(check_path, node) if node else None,
            help='Labelled path along which the bands are interpolated.',
        )
        spec.inputs.validator = validate_inputs
        cls._define_outputs(spec)
        define_exit_codes(spec)

    @classmethod
    def _define_outputs(cls, spec: CalcJobProcessSpec) -> None:
        spec.output(
            'output_parameters',
            valid_type=orm.Dict,
            help='`number_of_functions`, `centres` (Å, Cartesian), `spreads` and `omega` (Å²), windows (eV), how far '
            'it converged, warnings, times (s).',
        )
        spec.output('nnkp', valid_type=orm.SinglefileData, required=False, help='The list of neighbours.')
        spec.output(
            'gauge',
            valid_type=orm.ArrayData,
            required=False,
            help='`kpoints` (k, 3) reduced; `rotation` U (k, function, function); where there is one, '
            '`disentanglement` (k, band, function): Wannier function = Σ Bloch state × (disentanglement · rotation).',
        )
        spec.output(
            'interpolated_bands', valid_type=orm.BandsData, required=False, help='Energies in eV along the path.'
        )
        spec.default_output_node = 'output_parameters'

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write the input file and say which files go and come."""
        text = input_file.render(
            self.inputs.parameters.get_dict(),
            self.inputs.structure,
            self.inputs.kpoints.get_kpoints_mesh()[0],
            self.inputs.projections.get_list() if 'projections' in self.inputs else (),
            self.inputs.get('path'),
        )
        with folder.open(self.options.input_filename, 'w', encoding='utf-8') as handle:
            handle.write(text)
        makes_functions = 'overlaps' in self.inputs
        code_info = CodeInfo()
        code_info.code_uuid = self.inputs.code.uuid
        code_info.cmdline_params = [SEEDNAME] if makes_functions else ['-pp', SEEDNAME]
        calc_info = CalcInfo()
        calc_info.codes_info = [code_info]
        results = result_files(self.options.output_filename, makes_functions)
        calc_info.append_text = checksums.command(results)
        calc_info.retrieve_list = [*results, checksums.FILE]
        if makes_functions:
            calc_info.remote_symlink_list = self._overlap_links()
            calc_info.retrieve_list.append(self.options.input_filename)
        return calc_info

    def _overlap_links(self) -> list[tuple[str, str, str]]:
        overlaps = self.inputs.overlaps
        path = overlaps.get_remote_path()
        names = [f'{SEEDNAME}.{suffix}' for suffix in OVERLAP_SUFFIXES]
        return [(overlaps.computer.uuid, f'{path}/{name}', name) for name in names]
