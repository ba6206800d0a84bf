"""CalcJob of ``aiida-foundry-ki``: Koopmans energies from the states of pw.x and the functions of Wannier90."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from aiida import orm
from aiida.common.datastructures import CalcInfo, CodeInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJob, CalcJobProcessSpec

from aiida_foundry.common.errors import InputError
from aiida_foundry.engines import checksums
from aiida_foundry.engines.koopmans import validation
from aiida_foundry.engines.koopmans.exit_codes import define_exit_codes

REPORT_FILE = 'aiida.ki.json'
ARRAYS_FILE = 'aiida.ki.npz'
CHECKPOINT = 'checkpoint'
#: Part of the walltime after which no wave vector is begun: one may take a while, and results are to be written.
WALLTIME_FRACTION = 0.85
_WANNIER_FILES = ('aiida_u.mat', 'aiida_u_dis.mat', 'aiida.wout')


def _message_of(check: Callable[..., None], *arguments: Any) -> str | None:
    """Return the message of the input error that the check raises, as AiiDA's validators want it."""
    try:
        check(*arguments)
    except InputError as error:
        return str(error)
    return None


def validate_inputs(inputs: dict[str, Any], _: Any) -> str | None:
    """Validate what depends on several inputs; a part that a caller excluded from its namespace is skipped."""
    computer = inputs['code'].computer if 'code' in inputs else None
    folders = {label: inputs[label] for label in ('parent_folder', 'restart_folder') if label in inputs}
    return None if computer is None else _message_of(validation.check_folders, folders, computer)


class KiCalculation(CalcJob):
    """Run ``aiida-foundry-ki``: the Koopmans-integer functional at second order, on site.

    The ground state is a run of pw.x at fixed potential with ``nspin = 1`` on all points of a mesh (``nosym`` and
    ``noinv``), with some tens of empty bands; the Wannier functions are of those very wavefunctions. The command uses
    the threads that ``OMP_NUM_THREADS`` says. A run that was killed or ran out of time goes on from `restart_folder`.
    """

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Define inputs, outputs and exit codes."""
        super().define(spec)
        options = spec.inputs['metadata']['options']
        options['parser_name'].default = 'foundry.ki'
        options['input_filename'].default = 'aiida.json'
        options['output_filename'].default = 'aiida.out'
        options['withmpi'].default = False
        options['resources'].default = lambda: {'num_machines': 1, 'num_mpiprocs_per_machine': 1}
        spec.input('parent_folder', valid_type=orm.RemoteData, help='Folder of the pw.x run, with `out/aiida.save`.')
        for label in ('occupied', 'empty'):
            spec.input(
                label,
                valid_type=orm.FolderData,
                validator=lambda node, port: _message_of(validation.check_wannier, port.name, node),
                help=f'Files that Wannier90 wrote for the {label} bands: `aiida_u.mat`, `aiida_u_dis.mat` after a '
                'disentanglement, `aiida.wout`. The empty manifold starts at the first empty band.',
            )
        spec.input(
            'parameters',
            valid_type=orm.Dict,
            validator=lambda node, _: _message_of(validation.check_parameters, node.get_dict()),
            help='`dielectric_constant`: ε∞, for the correction of the head of the interaction (`head_correction`, '
            'true by default). `symmetry`, `symmetry_tolerance`: compute equivalent functions and wave vectors once. '
            '`tolerance` of the screening. `closure`: account for bands not computed. `coverage_tolerance_ev`: states '
            'that the Wannier functions reproduce less well get no quasiparticle energy.',
        )
        spec.input(
            'restart_folder',
            valid_type=orm.RemoteData,
            required=False,
            help='Folder of an earlier run with the same inputs: what it finished is not computed again.',
        )
        spec.inputs.validator = validate_inputs
        cls._define_outputs(spec)
        define_exit_codes(spec)

    @classmethod
    def _define_outputs(cls, spec: CalcJobProcessSpec) -> None:
        spec.output(
            'output_parameters',
            valid_type=orm.Dict,
            help='Settings, screening parameters `alpha`, `head_correction_ev`, `disentangled_states_left_out`, '
            'memory in MB, times in seconds.',
        )
        spec.output(
            'quasiparticles',
            valid_type=orm.ArrayData,
            required=False,
            help='In eV, (1, k, band), counted from the first band, NaN where not covered: `ks_energies` (pw.x), '
            '`qp_energies` (these plus the Koopmans correction), `wannier_energies`, `koopmans_energies` (of the '
            'Wannier Hamiltonian without and with correction); `kpoints` (k, 3) reduced.',
        )
        spec.output(
            'screening',
            valid_type=orm.ArrayData,
            required=False,
            help='Per function, occupied first: `alpha`, `occupied`, `representative` (from 1), `self_hartree`, '
            '`bare`, `screened` in eV with the head correction; `self_hartree_q`, `bare_q`, `screened_q` '
            '(function, q) in eV without it.',
        )
        spec.default_output_node = 'output_parameters'

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write the input file and say which files go and come."""
        with folder.open(self.options.input_filename, 'w', encoding='utf-8') as handle:
            json.dump(self._job(), handle, indent=1)
        code_info = CodeInfo()
        code_info.code_uuid = self.inputs.code.uuid
        code_info.stdout_name = self.options.output_filename
        code_info.cmdline_params = [self.options.input_filename]
        parent = self.inputs.parent_folder
        calc_info = CalcInfo()
        calc_info.codes_info = [code_info]
        calc_info.local_copy_list = [
            (self.inputs[label].uuid, name, f'{label}/{name}')
            for label in ('occupied', 'empty')
            for name in self.inputs[label].base.repository.list_object_names()
            if name in _WANNIER_FILES
        ]
        calc_info.remote_symlink_list = [
            (parent.computer.uuid, f'{parent.get_remote_path()}/out/aiida.save', 'aiida.save')
        ]
        if 'restart_folder' not in self.inputs:
            folder.get_subfolder(CHECKPOINT, create=True)  # there from the start, so that it can always be copied
        else:
            earlier = self.inputs.restart_folder
            calc_info.remote_copy_list = [
                (earlier.computer.uuid, f'{earlier.get_remote_path()}/{CHECKPOINT}', CHECKPOINT)
            ]
        results = [self.options.output_filename, REPORT_FILE, ARRAYS_FILE]
        calc_info.append_text = checksums.command(results)
        calc_info.retrieve_list = [*results, checksums.FILE]
        return calc_info

    def _job(self) -> dict[str, Any]:
        """Return the content of the input file, see `program.Job`."""
        parameters = {**validation.DEFAULTS, **self.inputs.parameters.get_dict()}
        names = ('symmetry', 'symmetry_tolerance', 'tolerance', 'closure')
        walltime = self.options.get('max_wallclock_seconds')
        return {
            'save': 'aiida.save',
            'dielectric_constant': parameters.get('dielectric_constant'),
            'coverage_tolerance': parameters['coverage_tolerance_ev'],
            'settings': {name: parameters[name] for name in names},
            'max_seconds': walltime and WALLTIME_FRACTION * walltime,
        }
