"""CalcJob of one ABINIT dataset: ground state, fixed potential, response, screening, self-energy or Bethe-Salpeter."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from aiida import orm
from aiida.common.datastructures import CalcInfo, CodeInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJob, CalcJobProcessSpec
from aiida_pseudo.data.pseudo.psp8 import Psp8Data

from aiida_foundry.common.errors import InputError
from aiida_foundry.engines import checksums
from aiida_foundry.engines.abinit import input_file, validation
from aiida_foundry.engines.abinit.exit_codes import define_exit_codes
from aiida_foundry.engines.abinit.parents import INPUT_PREFIX, OUTPUT_PREFIX, PARENT_FILES, file_pairs
from aiida_foundry.engines.abinit.quasiparticle_file import QUASIPARTICLE_FILE
from aiida_foundry.engines.abinit.tasks import Task, diagonalises, task_of

PSEUDO_FOLDER = 'pseudo'
#: Small files that come back, by task (``optdriver``). Wavefunctions, densities and screening stay.
RETRIEVED_SUFFIXES: dict[int, tuple[str, ...]] = {
    Task.GROUND_STATE: ('GSR.nc',),
    Task.RESPONSE: ('DDB', 'DDB.nc'),
    Task.SIGMA: ('SIGRES.nc',),
    Task.BETHE_SALPETER: ('MDF.nc',),
}
#: Files of a diagonalised Bethe-Salpeter Hamiltonian: the eigenstates are large, only what the parser takes is kept.
EIGENSTATES_SUFFIX, STRENGTHS_SUFFIX = 'BSEIG', 'EXC_OST'
#: Part of the walltime that ABINIT may use: the rest is for writing its files.
WALLTIME_FRACTION = 0.95
#: Where ABINIT writes the message of an error that did not occur on the first MPI process.
ABORT_FILE = '__ABI_MPIABORTFILE__'


def result_files(log: str, main_output: str, task: int) -> list[str]:
    """Return the names of the files that a run of this task leaves and the parser reads."""
    return [log, main_output, *(f'{OUTPUT_PREFIX}_{suffix}' for suffix in RETRIEVED_SUFFIXES.get(task, ()))]


def _message_of(check: Callable[..., None], *arguments: Any) -> str | None:
    """Return the message of the input error that the check raises, as AiiDA's validators want it."""
    try:
        check(*arguments)
    except InputError as error:
        return str(error)
    return None


def validate_inputs(inputs: dict[str, Any], _: Any) -> str | None:
    """Validate what depends on several inputs; a part that a caller excluded from its namespace is skipped."""
    if 'structure' in inputs and 'pseudos' in inputs:
        message = _message_of(validation.check_pseudos, inputs['structure'], dict(inputs['pseudos']))
        if message:
            return message
    if 'kpoints' in inputs and 'parameters' in inputs:
        message = _message_of(validation.check_kpoints, inputs['kpoints'], inputs['parameters'].get_dict())
        if message:
            return message
    if 'parameters' in inputs:
        given = 'quasiparticle_file' in inputs
        message = _message_of(validation.check_quasiparticle_file, inputs['parameters'].get_dict(), given)
        if message:
            return message
    computer = inputs['code'].computer if 'code' in inputs else None
    if computer is not None and 'parents' in inputs:
        return _message_of(validation.check_parents, dict(inputs['parents']), computer)
    return None


class AbinitCalculation(CalcJob):
    """Run ``abinit`` on one dataset.

    Structure, k-points and pseudopotentials become variables of the input file; the user's parameters are flat
    variables with names that ABINIT knows. Files of earlier runs come through ``parents``: each is linked under the
    name that ABINIT expects and the matching ``ird*`` variable is set.
    """

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Define inputs, outputs and exit codes."""
        super().define(spec)
        options = spec.inputs['metadata']['options']
        options['parser_name'].default = 'foundry.abinit'
        options['input_filename'].default = 'aiida.abi'
        options['output_filename'].default = 'aiida.log'
        options['withmpi'].default = True
        options['resources'].default = lambda: {'num_machines': 1, 'num_mpiprocs_per_machine': 1}
        cls._define_inputs(spec)
        cls._define_outputs(spec)
        define_exit_codes(spec)

    @classmethod
    def _define_inputs(cls, spec: CalcJobProcessSpec) -> None:
        spec.input(
            'structure',
            valid_type=orm.StructureData,
            validator=lambda node, _: _message_of(validation.check_structure, node),
            help='The crystal; each kind becomes one type of atom.',
        )
        spec.input(
            'kpoints',
            valid_type=orm.KpointsData,
            help='A mesh with offset (`ngkpt`, `shiftk`), or a list (`kptopt 0`), e.g. for a band structure.',
        )
        spec.input_namespace(
            'pseudos', valid_type=Psp8Data, dynamic=True, help='Pseudopotentials by the name of the kind.'
        )
        spec.input(
            'parameters',
            valid_type=orm.Dict,
            validator=lambda node, _: _message_of(validation.check_parameters, node.get_dict()),
            help='Variables of ABINIT in its own units (hartree, bohr), without those that other inputs determine.',
        )
        spec.input_namespace(
            'parents',
            valid_type=orm.RemoteData,
            dynamic=True,
            required=False,
            help=f'Folders of earlier runs by the kind of file to read: {", ".join(PARENT_FILES)}.',
        )
        spec.input(
            'quasiparticle_file',
            valid_type=orm.SinglefileData,
            required=False,
            help='Corrections for the Bethe-Salpeter equation with `bs_calctype 2`: see `quasiparticle_file.render`.',
        )
        spec.input(
            'settings',
            valid_type=orm.Dict,
            required=False,
            validator=lambda node, _: _message_of(validation.check_settings, node.get_dict()) if node else None,
            help='`restart_mode` (symlink, copy), `additional_retrieve_list`, `cmdline` (further arguments), '
            '`excitons` (number of the lowest excitons whose composition is kept, 24 by default).',
        )
        spec.inputs.validator = validate_inputs

    @classmethod
    def _define_outputs(cls, spec: CalcJobProcessSpec) -> None:
        spec.output('output_parameters', valid_type=orm.Dict, help='Scalars; energies in eV, times in seconds.')
        spec.output(
            'output_bands',
            valid_type=orm.BandsData,
            required=False,
            help='Kohn-Sham energies (eV) and occupations (electrons per state, spin included) with weights.',
        )
        spec.output(
            'output_forces_stress',
            valid_type=orm.ArrayData,
            required=False,
            help='`forces` (atoms, 3) in eV/Å; `stress` (3, 3) in eV/Å³, positive where the cell wants to shrink.',
        )
        spec.output('output_structure', valid_type=orm.StructureData, required=False, help='The relaxed structure.')
        spec.output(
            'output_quasiparticles',
            valid_type=orm.ArrayData,
            required=False,
            help='Self-energy results in eV, NaN where not computed: `kpoints` (k, 3) reduced, `weights`, '
            '`band_range` (k, 2) from 1 and inclusive, `ks_energies`, `starting_energies`, `qp_energies`, '
            '`qp_energies_imag`, `renormalization`, `exchange`, `correlation`, `vxc`, all (spin, k, band).',
        )
        spec.output(
            'output_dielectric',
            valid_type=orm.ArrayData,
            required=False,
            help='Macroscopic dielectric constant of a screening run: `with_local_fields`, `without_local_fields`.',
        )
        spec.output(
            'output_optical',
            valid_type=orm.ArrayData,
            required=False,
            help='Macroscopic dielectric functions of a Bethe-Salpeter run: `frequencies` (w) in eV, `directions` '
            '(q, 3) reduced, complex `excitonic`, `independent_particle`, `independent_quasiparticle` (q, w).',
        )
        spec.output(
            'output_excitons',
            valid_type=orm.ArrayData,
            required=False,
            help='After a diagonalisation: `energies` (n) in eV, `strengths` (n, q) in eV (residues of '
            'the dielectric function along `output_optical.directions`; only with the Tamm-Dancoff approximation), '
            'and of the lowest ones `weights` (m, k, band) of holes and electrons, summed over equivalent k-points, '
            '`kpoints` (k, 3) irreducible, `bands` from 1.',
        )
        spec.output(
            'output_response',
            valid_type=orm.ArrayData,
            required=False,
            help='Second derivatives of the energy, as far as computed: `dielectric_tensor` (3, 3), `born_charges` '
            '(atom, field, displacement) in e, complex `force_constants` (atom, 3, atom, 3) in eV/Å² at `qpoint`.',
        )
        spec.default_output_node = 'output_parameters'

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write the input file and say which files go and come."""
        with folder.open(self.options.input_filename, 'w', encoding='utf-8') as handle:
            handle.write(input_file.render(self._variables()))

        settings = self.inputs.settings.get_dict() if 'settings' in self.inputs else {}
        links = self._parent_links()
        calc_info = CalcInfo()
        calc_info.codes_info = [self._code_info(settings)]
        calc_info.local_copy_list = [
            (pseudo.uuid, pseudo.filename, f'{PSEUDO_FOLDER}/{kind}.psp8')
            for kind, pseudo in self.inputs.pseudos.items()
        ]
        if 'quasiparticle_file' in self.inputs:
            corrections = self.inputs.quasiparticle_file
            calc_info.local_copy_list.append((corrections.uuid, corrections.filename, QUASIPARTICLE_FILE))
        copy = settings.get('restart_mode', 'symlink') == 'copy'
        calc_info.remote_copy_list = links if copy else []
        calc_info.remote_symlink_list = [] if copy else links
        results = result_files(self.options.output_filename, self._main_output, self._task)
        calc_info.append_text = checksums.command(results)
        calc_info.retrieve_list = [ABORT_FILE, checksums.FILE, *results, *settings.get('additional_retrieve_list', [])]
        if diagonalises(self.inputs.parameters.get_dict()):
            calc_info.retrieve_list.append(f'{OUTPUT_PREFIX}_{STRENGTHS_SUFFIX}')
            calc_info.retrieve_temporary_list = [f'{OUTPUT_PREFIX}_{EIGENSTATES_SUFFIX}']
        return calc_info

    @property
    def _main_output(self) -> str:
        """Return the name that ABINIT gives its main output: that of the input with another extension."""
        return self.options.input_filename.rsplit('.', 1)[0] + '.abo'

    @property
    def _task(self) -> int:
        """Return what the run computes."""
        parameters = {name.lower(): value for name, value in self.inputs.parameters.get_dict().items()}
        return task_of(parameters)

    def _variables(self) -> dict[str, Any]:
        """Return all variables of the input file, the user's ones first."""
        parameters = {name.lower(): value for name, value in self.inputs.parameters.get_dict().items()}
        kpoints = input_file.kpoints_variables(self.inputs.kpoints)
        kpoints['kptopt'] = parameters.pop('kptopt', kpoints['kptopt'])
        files = ', '.join(f'{PSEUDO_FOLDER}/{kind}.psp8' for kind in self.inputs.structure.get_kind_names())
        return {
            **parameters,
            **{PARENT_FILES[kind].variable: 1 for kind in self.inputs.get('parents', {})},
            **kpoints,
            **input_file.structure_variables(self.inputs.structure),
            'pseudos': files,
            'indata_prefix': INPUT_PREFIX,
            'outdata_prefix': OUTPUT_PREFIX,
            'tmpdata_prefix': 'tmp',
        }

    def _parent_links(self) -> list[tuple[str, str, str]]:
        """Return (computer, file of the parent, name in this folder) for each file of the parents."""
        computer = self.inputs.code.computer or self.inputs.metadata.computer
        number_of_atoms = len(self.inputs.structure.sites)
        return [
            (computer.uuid, source, target)
            for kind, parent in self.inputs.get('parents', {}).items()
            for source, target in file_pairs(kind, parent, number_of_atoms)
        ]

    def _code_info(self, settings: dict[str, Any]) -> CodeInfo:
        """Return the command line; ABINIT gets the walltime, so that it stops in time and writes its files.

        ABINIT 9.6 heeds the limit in ground states, relaxations and molecular dynamics.
        """
        code_info = CodeInfo()
        code_info.code_uuid = self.inputs.code.uuid
        code_info.stdout_name = self.options.output_filename
        code_info.cmdline_params = [self.options.input_filename, *settings.get('cmdline', [])]
        if seconds := self.options.get('max_wallclock_seconds'):
            limit = str(timedelta(seconds=int(seconds * WALLTIME_FRACTION)))
            code_info.cmdline_params += ['--timelimit', limit]
        return code_info
