"""CalcJob of one run of Yambo: static or plasmon-pole screening, G0W0, Bethe-Salpeter equation."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common.datastructures import CalcInfo, CodeInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJob, CalcJobProcessSpec

from aiida_foundry.common.errors import InputError, message_of
from aiida_foundry.engines import checksums
from aiida_foundry.engines.yambo import variables
from aiida_foundry.engines.yambo.exit_codes import define_exit_codes
from aiida_foundry.engines.yambo.parse_raw.quasiparticles import UnreadableDatabaseError, find_problem, parse_database
from aiida_foundry.engines.yambo.qp_database import parse_setup

INPUT_FILE, JOB, SAVE, LOGS = 'aiida.in', 'run', 'SAVE', 'LOG'
QUASIPARTICLE_FOLDER, QUASIPARTICLE_FILE = 'qp', 'ndb.QP'
#: Small files that come back; all other databases stay.
RETRIEVED = ('r-*', 'l-*', 'o-*', (f'{LOGS}/*', '.', 2), f'{JOB}/ndb.QP')
#: Files of which only what the parser takes is kept.
TEMPORARY = (f'{JOB}/ndb.BS_diago_Q1', f'{JOB}/ndb.em1s_fragment_1', f'{JOB}/ndb.pp_fragment_1')
RESULTS = (f'{JOB}/ndb.QP', *TEMPORARY)


def check_quasiparticle_file(inputs: dict[str, Any]) -> None:
    """Refuse a database that does not belong to the setup: Yambo would go on without it, or with part of it.

    Raises:
        InputError: says what is wrong.
    """
    if 'bsk' not in inputs['parameters'].get_dict()['runlevels']:
        raise InputError(
            'quasiparticle_file', 'no Bethe-Salpeter kernel is run', 'Add the runlevel `bsk` or leave it out'
        )
    try:
        database = parse_database(inputs['quasiparticle_file'].get_content('rb'))
    except UnreadableDatabaseError as error:
        raise InputError('quasiparticle_file', f'it is unreadable: {error}', 'Write it again') from error
    problem = find_problem(database, parse_setup(inputs['setup'].get_content('rb')), bands_of(inputs['parameters']))
    if problem is not None:
        remedy = 'Write it with `qp_database.write_database` for this setup and all bands of the pairs'
        raise InputError('quasiparticle_file', problem[1], remedy)


def bands_of(parameters: orm.Dict) -> tuple[int, int]:
    """Return first and last band of the electron-hole pairs.

    Raises:
        InputError: if they are not set: Yambo would take all bands.
    """
    bands = parameters.get_dict().get('variables', {}).get('BSEBands')
    if bands is None:
        raise InputError('variable `BSEBands`', 'it is not set', 'Give first and last band of the pairs')
    return int(bands[0]), int(bands[1])


def validate_inputs(inputs: dict[str, Any], _: Any) -> str | None:
    """Validate what depends on several inputs; a part that a caller excluded from its namespace is skipped."""
    if 'parameters' not in inputs:
        return None
    levels = inputs['parameters'].get_dict().get('runlevels', [])
    if 'bsk' in levels and (message := message_of(bands_of, inputs['parameters'])):
        return message
    if 'quasiparticle_file' in inputs and 'setup' in inputs:
        return message_of(check_quasiparticle_file, inputs)
    return None


class YamboCalculation(CalcJob):
    """Run ``yambo`` on the states that p2y imported.

    Databases of earlier runs on the same states are read, those of the restarted run are continued.
    """

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Define inputs, outputs and exit codes."""
        super().define(spec)
        spec.inputs['metadata']['options']['parser_name'].default = 'foundry.yambo'
        spec.inputs['metadata']['options']['resources'].default = lambda: {
            'num_machines': 1,
            'num_mpiprocs_per_machine': 1,
        }
        spec.inputs.validator = validate_inputs
        spec.input(
            'parameters',
            valid_type=orm.Dict,
            validator=lambda node, _: message_of(variables.check_parameters, node.get_dict()),
            help='`runlevels`, and `variables` with their units: see `variables.VARIABLES`.',
        )
        spec.input('setup', valid_type=orm.SinglefileData, help='`ns.db1` of these states, from `foundry.p2y`.')
        spec.input('parent_folder', valid_type=orm.RemoteData, help='Folder of `foundry.p2y`, with `SAVE`.')
        spec.input_namespace(
            'databases',
            valid_type=orm.RemoteData,
            dynamic=True,
            required=False,
            help='Folders of earlier runs on these states whose databases (dipoles, screening, kernel) are used.',
        )
        spec.input('restart', valid_type=orm.RemoteData, required=False, help='Folder of a run to continue.')
        spec.input(
            'quasiparticle_file',
            valid_type=orm.SinglefileData,
            required=False,
            help='`ndb.QP` with the energies of the Bethe-Salpeter kernel.',
        )
        spec.input(
            'settings',
            valid_type=orm.Dict,
            required=False,
            help='`excitons`: number of the lowest excitons whose composition is kept (24).',
        )
        spec.output(
            'output_parameters',
            valid_type=orm.Dict,
            help='Version, warnings, gaps in eV, plane waves used, static dielectric constant; times in seconds.',
        )
        spec.output(
            'output_spectrum',
            valid_type=orm.ArrayData,
            required=False,
            help='`direction` (3) Cartesian, `frequencies` (w) in eV, complex dielectric functions (w) `excitonic` and '
            '`independent` (on the energies that entered), no unit.',
        )
        spec.output(
            'output_excitons',
            valid_type=orm.ArrayData,
            required=False,
            help='`energies` (n) and `strengths` (n) in eV; of the lowest `weights` (m, k, band), `kpoints` (k, 3) '
            'reduced, `bands` from 1.',
        )
        spec.output(
            'output_quasiparticles',
            valid_type=orm.ArrayData,
            required=False,
            help='`kpoints` (k, 3) reduced; `ks_energies`, `qp_energies` in eV and `renormalization`, (1, k, band).',
        )
        spec.default_output_node = 'output_parameters'
        define_exit_codes(spec)

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write the input file; link the states, copy the small databases that Yambo may change."""
        owned = {}
        code_info, calc_info = CodeInfo(), CalcInfo()
        calc_info.local_copy_list = []
        if 'quasiparticle_file' in self.inputs:
            node = self.inputs.quasiparticle_file
            folder.get_subfolder(QUASIPARTICLE_FOLDER, create=True)
            target = f'{QUASIPARTICLE_FOLDER}/{QUASIPARTICLE_FILE}'
            calc_info.local_copy_list.append((node.uuid, node.filename, target))
            owned['KfnQPdb'] = f'E < ./{target}'
        with folder.open(INPUT_FILE, 'w', encoding='utf-8') as handle:
            handle.write(variables.render(self.inputs.parameters.get_dict(), owned))
        folder.get_subfolder(SAVE, create=True)
        names = sorted(self.inputs.get('databases', {}))
        code_info.code_uuid = self.inputs.code.uuid
        code_info.cmdline_params = ['-F', INPUT_FILE, '-J', ','.join([JOB, *names])]
        code_info.stdout_name = 'aiida.out'
        calc_info.uuid = str(self.uuid)
        calc_info.codes_info = [code_info]
        states, computer = f'{self.inputs.parent_folder.get_remote_path()}/{SAVE}', self.inputs.parent_folder.computer
        calc_info.remote_symlink_list = [
            (computer.uuid, f'{states}/ns.*', SAVE),
            *((node.computer.uuid, f'{node.get_remote_path()}/{JOB}', name) for name, node in self._databases()),
        ]
        calc_info.remote_copy_list = [(computer.uuid, f'{states}/ndb.*', SAVE)]
        if 'restart' in self.inputs:
            restart = self.inputs.restart
            calc_info.remote_copy_list.append((restart.computer.uuid, f'{restart.get_remote_path()}/{JOB}', JOB))
        calc_info.append_text = checksums.command(RESULTS, pattern=f'r-* o-* l-* {LOGS}/*')
        calc_info.retrieve_list = [*RETRIEVED, checksums.FILE]
        calc_info.retrieve_temporary_list = list(TEMPORARY)
        return calc_info

    def _databases(self) -> list[tuple[str, orm.RemoteData]]:
        return sorted(self.inputs.get('databases', {}).items())
