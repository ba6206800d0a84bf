"""CalcJob that imports the states of pw.x into Yambo: p2y, then the setup of Yambo."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common.datastructures import CalcInfo, CodeInfo, CodeRunMode
from aiida.common.folders import Folder
from aiida.engine import CalcJob, CalcJobProcessSpec
from aiida_quantumespresso.calculations.pw import PwCalculation

from aiida_foundry.engines import checksums
from aiida_foundry.engines.yambo.calculation import INPUT_FILE, LOGS, SAVE
from aiida_foundry.engines.yambo.exit_codes import define_exit_codes

PW_FOLDER = 'pw.save'


class P2yCalculation(CalcJob):
    """Run ``p2y`` on the states of pw.x (norm-conserving, one spin channel), then the setup of ``yambo``."""

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Define inputs, outputs and exit codes."""
        super().define(spec)
        spec.inputs['metadata']['options']['parser_name'].default = 'foundry.p2y'
        spec.inputs['metadata']['options']['resources'].default = lambda: {
            'num_machines': 1,
            'num_mpiprocs_per_machine': 1,
        }
        spec.input('yambo', valid_type=orm.AbstractCode, help='The code of yambo, on the same computer.')
        spec.input(
            'parent_folder', valid_type=orm.RemoteData, help='Folder of pw.x with the states, reduced by symmetry.'
        )
        spec.inputs.validator = _validate_inputs
        spec.output('output_parameters', valid_type=orm.Dict, help='Version, gaps in eV; times in seconds.')
        spec.output('setup', valid_type=orm.SinglefileData, required=False, help='`ns.db1`.')
        spec.output(
            'output_bands', valid_type=orm.BandsData, required=False, help='Kohn-Sham energies in eV, irreducible.'
        )
        spec.default_output_node = 'output_parameters'
        define_exit_codes(spec)

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Link the folder of pw.x and write the input of the setup."""
        with folder.open(INPUT_FILE, 'w', encoding='utf-8') as handle:
            handle.write('setup\n')
        parent = self.inputs.parent_folder
        source = f'{parent.get_remote_path()}/{PwCalculation._OUTPUT_SUBFOLDER}{PwCalculation._PREFIX}.save'
        calc_info = CalcInfo()
        calc_info.uuid = str(self.uuid)
        calc_info.codes_run_mode = CodeRunMode.SERIAL
        calc_info.codes_info = [
            self._code_info(self.inputs.code, ['-I', PW_FOLDER, '-O', '.'], 'p2y.out'),
            self._code_info(self.inputs.yambo, ['-F', INPUT_FILE], 'aiida.out'),
        ]
        calc_info.remote_symlink_list = [(parent.computer.uuid, source, PW_FOLDER)]
        calc_info.append_text = checksums.command(['p2y.out', f'{SAVE}/ns.db1'], pattern=f'r_* l_* l-* {LOGS}/*')
        calc_info.retrieve_list = [
            checksums.FILE,
            'p2y.out',
            'r_*',
            'l_*',
            'l-*',
            (f'{LOGS}/*', '.', 2),
            f'{SAVE}/ns.db1',
        ]
        return calc_info

    @staticmethod
    def _code_info(code: orm.AbstractCode, parameters: list[str], output: str) -> CodeInfo:
        info = CodeInfo()
        info.code_uuid, info.cmdline_params, info.stdout_name = code.uuid, parameters, output
        return info


def _validate_inputs(inputs: dict[str, Any], _: Any) -> str | None:
    if 'code' in inputs and 'yambo' in inputs and inputs['code'].computer.uuid != inputs['yambo'].computer.uuid:
        return f'yambo: it is on `{inputs["yambo"].computer.label}`, p2y on `{inputs["code"].computer.label}`'
    return None
