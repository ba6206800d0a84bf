"""Engine-neutral interface to optical spectra and excitons from the Bethe-Salpeter equation."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, WorkChain
from aiida.plugins import WorkflowFactory
from aiida_pseudo.data.pseudo.upf import UpfData

from aiida_foundry.analysis import band_window, optics
from aiida_foundry.analysis import quasiparticles as qp
from aiida_foundry.common.errors import InputError, message_of
from aiida_foundry.structures.checks import check_even_electrons, check_family, check_structure_data, valence_electrons
from aiida_foundry.workflows.bse import calcfunctions
from aiida_foundry.workflows.bse.parameters import check_bands, check_parameters, complete_parameters
from aiida_foundry.workflows.bse.provenance import check_origin
from aiida_foundry.workflows.shared.cleanup import CleanWorkdirMixin
from aiida_foundry.workflows.shared.cost import sum_cost
from aiida_foundry.workflows.shared.inputs import check_gamma_mesh, load_family, mesh_of, refuse_interface
from aiida_foundry.workflows.shared.protocol import StrictProtocolMixin

#: Adapters by the name of the engine.
ENGINES = {'abinit': 'foundry.bse.abinit', 'yambo': 'foundry.bse.yambo'}


GAMMA_REASON = 'where W(q → 0) is needed'


def check_corrections(inputs: Mapping[str, Any]) -> None:
    """Refuse inputs that do not say how the Kohn-Sham energies are corrected, and corrections of something else.

    Raises:
        InputError: none or two corrections; corrections of another crystal or other pseudopotentials.
    """
    if ('quasiparticles' in inputs) == ('scissor' in inputs):
        raise InputError(
            'quasiparticles, scissor',
            'both are given' if 'scissor' in inputs else 'neither is given',
            'Give quasiparticle energies, or a scissor in eV (0 for bare Kohn-Sham energies)',
        )
    if 'quasiparticles' in inputs:
        check_origin(inputs['quasiparticles'], inputs['structure'], inputs['pseudos'])


class BseSpectrumWorkChain(StrictProtocolMixin, CleanWorkdirMixin, WorkChain):
    """Optical spectrum and excitons of an insulator on given quasiparticle energies; the adapter chooses the engine.

    The quasiparticle energies, of whatever method, are brought to the k-points and bands of the engine by symmetry,
    and checked by Kohn-Sham energies; without quasiparticles a scissor stands for them. The window of bands is widened
    until it cuts no degenerate multiplet. Ground state and screening may be handed on instead of computed, from
    `foundry.gw.gap` too; what does not belong to the other inputs is refused. A metal ends after the ground state.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define inputs, outputs and exit codes."""
        super().define(spec)
        cls._define_inputs(spec)
        cls._define_outputs(spec)
        cls._define_exit_codes(spec)

    @classmethod
    def _define_inputs(cls, spec: ProcessSpec) -> None:
        spec.input('structure', valid_type=orm.StructureData, help='The crystal, non-magnetic.')
        spec.input(
            'kpoints',
            valid_type=orm.KpointsData,
            validator=lambda node, _: message_of(check_gamma_mesh, node, GAMMA_REASON),
            help='Mesh through Γ, for wavefunctions, screening and electron-hole pairs.',
        )
        spec.input(
            'parameters',
            valid_type=orm.Dict,
            validator=lambda node, _: message_of(check_parameters, node.get_dict()),
            help='Cutoffs in hartree, spectra in eV, numbers of bands: see `parameters.PARAMETERS`.',
        )
        spec.input_namespace(
            'pseudos', valid_type=UpfData, dynamic=True, help='Norm-conserving pseudopotentials by kind.'
        )
        spec.input(
            'quasiparticles',
            valid_type=orm.ArrayData,
            required=False,
            help='`kpoints` (k, 3) reduced; `ks_energies`, `qp_energies` (1, k, band) in eV, bands from the first, NaN '
            'where not computed. On the full or on an irreducible part of the mesh.',
        )
        spec.input('scissor', valid_type=orm.Float, required=False, help='Shift of the empty states in eV instead.')
        spec.input_namespace(
            'ground_state',
            required=False,
            populate_defaults=False,
            dynamic=True,
            help='Kohn-Sham results to use, from an earlier run.',
        )
        cls._define_ground_state(spec.input, 'ground_state')
        spec.input('screening', valid_type=orm.RemoteData, required=False, help='The static screening to use.')
        spec.input('options', valid_type=orm.Dict, required=False, help='`metadata.options` of all calculations.')
        cls.define_clean_workdir(spec)
        spec.inputs.validator = refuse_interface('foundry.bse.spectrum', ENGINES.values())

    @staticmethod
    def _define_ground_state(port: Any, namespace: str) -> None:
        port(f'{namespace}.density', valid_type=orm.RemoteData, required=False, help='Folder with the density.')
        port(f'{namespace}.wavefunctions', valid_type=orm.RemoteData, help='Folder with the states on the mesh.')
        port(f'{namespace}.mesh_bands', valid_type=orm.BandsData, help='Kohn-Sham energies in eV on the mesh.')

    @classmethod
    def _define_outputs(cls, spec: ProcessSpec) -> None:
        spec.output(
            'spectra',
            valid_type=orm.ArrayData,
            help='`frequencies` (w) in eV, `directions` (q, 3) Cartesian unit vectors, complex dielectric functions '
            'without unit: `excitonic`, `independent_quasiparticle`, `independent_particle` and, where it is known, '
            '`rpa` (local fields without electron-hole attraction), (q, w); `excitonic_tensor` (w, 3, 3).',
        )
        spec.output(
            'excitons',
            valid_type=orm.Dict,
            help='Energies in eV: direct gaps, lowest exciton and lowest bright one with binding energies, multiplets '
            'with oscillator strengths, peaks of the spectra; static dielectric constants; what was used (bands, head)',
        )
        spec.output(
            'exciton_weights',
            valid_type=orm.ArrayData,
            required=False,
            help='Excitons: `energies` (n) in eV, `strengths` (n, q) in eV; of the lowest `weights` (m, k, band) of '
            'holes and electrons, summed over equivalent k-points, `kpoints` (k, 3) irreducible, `bands` from 1. Only '
            'after a diagonalisation.',
        )
        spec.output(
            'quasiparticle_bands',
            valid_type=orm.BandsData,
            help='Energies in eV that entered, on the k-points of the engine, for the bands `excitons.bands`.',
        )
        spec.output(
            'transfer',
            valid_type=orm.Dict,
            help='How the corrections came to k-points and bands: deviations and spreads in eV, states extrapolated.',
        )
        spec.output('cost', valid_type=orm.Dict, help='Wall and core seconds of each calculation, their sum.')
        spec.output_namespace('ground_state', help='To be handed on.')
        cls._define_ground_state(spec.output, 'ground_state')
        spec.output('screening', valid_type=orm.RemoteData, required=False, help='Folder with the static screening.')

    @classmethod
    def _define_exit_codes(cls, spec: ProcessSpec) -> None:
        spec.exit_code(401, 'ERROR_SUB_PROCESS_FAILED_SCF', message='The self-consistent ground state failed.')
        spec.exit_code(402, 'ERROR_SUB_PROCESS_FAILED_BANDS', message='The bands on the mesh failed.')
        spec.exit_code(403, 'ERROR_SUB_PROCESS_FAILED_SCREENING', message='The screening failed.')
        spec.exit_code(404, 'ERROR_SUB_PROCESS_FAILED_BSE', message='The Bethe-Salpeter calculation failed.')
        spec.exit_code(
            405,
            'ERROR_SUB_PROCESS_FAILED_RPA',
            message='The spectrum without attraction failed: {detail}. Set `parameters.rpa` to false to leave it out.',
        )
        spec.exit_code(
            501, 'ERROR_METALLIC', message='The Kohn-Sham bands have no gap; nothing was run beyond them: {detail}.'
        )
        spec.exit_code(502, 'ERROR_BAND_WINDOW', message='No window of bands avoids cutting a multiplet: {detail}.')
        spec.exit_code(503, 'ERROR_CORRECTIONS_DO_NOT_FIT', message='The quasiparticles cannot be used: {detail}')
        spec.exit_code(
            504,
            'ERROR_CORRECTIONS_NOT_APPLIED',
            message='The engine reports a direct quasiparticle gap of {found:.4f} eV, not {wanted:.4f} eV.',
        )
        spec.exit_code(
            505, 'ERROR_EXCITONIC_INSTABILITY', message='The lowest exciton has an energy of {energy:.3f} eV.'
        )

    @classmethod
    def get_protocol_filepath(cls) -> Path:
        """Return the path of the YAML file with the protocols."""
        return Path(str(files('aiida_foundry.workflows.bse.protocols') / 'spectrum.yaml'))

    @classmethod
    def set_codes(cls, builder: ProcessBuilder, code: Any) -> None:
        """Set the code of the engine; adapters whose engine needs several take a mapping."""
        builder.code = code

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode | Mapping[str, orm.AbstractCode],
        structure: orm.StructureData,
        corrections: orm.ArrayData | float,
        *,
        engine: str = 'abinit',
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        pseudo_family: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder with all inputs set; called on the interface, it is that of the engine's adapter.

        Args:
            code: the code of the engine; for Yambo those of `pw`, `p2y` and `yambo` by these names.
            structure: the crystal.
            corrections: quasiparticle energies, or a scissor in eV; 0 for bare Kohn-Sham energies.
            engine: a key of `ENGINES`; ignored when called on an adapter.
            protocol: `fast`, `balanced` or `stringent`.
            overrides: replacements of what the protocol sets, with the same nesting.
            pseudo_family: label of the pseudopotential family; a short form of the override of that name.
            options: `metadata.options` of all calculations.

        Raises:
            InputError: for anything that cannot work, with the reason.
        """
        if engine not in ENGINES:
            raise InputError(f'engine `{engine}`', 'it is unknown', f'Known are {", ".join(ENGINES)}')
        target = WorkflowFactory(ENGINES[engine]) if cls is BseSpectrumWorkChain else cls
        inputs = target.get_protocol_inputs(protocol, overrides)
        family = load_family(pseudo_family or inputs['pseudo_family'])
        check_structure_data(structure, f'structure `{structure.get_formula()}`')
        check_family(structure, family)
        pseudos = family.get_pseudos(structure=structure)
        check_even_electrons(structure, pseudos, f'structure `{structure.get_formula()}`')
        parameters = complete_parameters(inputs['parameters'], structure, family)
        check_parameters(parameters)
        check_bands(parameters, valence_electrons(structure, pseudos) // 2)
        builder = target.get_builder()
        target.set_codes(builder, code)
        builder.structure = structure
        builder.kpoints = mesh_of(structure, inputs)
        builder.parameters = orm.Dict(parameters)
        builder.pseudos = pseudos
        if isinstance(corrections, orm.ArrayData):
            builder.quasiparticles = corrections
        else:
            builder.scissor = orm.Float(corrections)
        builder.options = orm.Dict({**inputs['options'], **(options or {})})
        builder.clean_workdir = orm.Bool(inputs['clean_workdir'])
        return builder

    def bring_corrections(self) -> ExitCode | None:
        """Choose the window of bands, and bring the corrections to its states; adapters write them for their engine."""
        parameters, bands = self.ctx.parameters, self.ctx.ground_state.mesh_bands
        energies = bands.get_bands()[:, : parameters['bands']]
        try:
            first, last = band_window.widen(
                energies, self.ctx.occupied, parameters['valence_bands'], parameters['conduction_bands']
            )
        except InputError as error:
            return self.exit_codes.ERROR_BAND_WINDOW.format(detail=str(error))
        self.ctx.window = orm.Dict({'first': first, 'last': last, 'occupied': self.ctx.occupied})
        version = orm.Int(qp.VERSION)
        try:
            self.ctx.source = self.inputs.get('quasiparticles') or calcfunctions.make_scissor(
                bands, self.inputs.scissor, orm.Int(self.ctx.occupied), version
            )
            settings = orm.Dict(parameters['transfer'])
            self.ctx.moved = calcfunctions.transfer_corrections(
                self.ctx.source, bands, self.inputs.structure, self.ctx.window, settings, version
            )
        except InputError as error:
            return self.exit_codes.ERROR_CORRECTIONS_DO_NOT_FIT.format(detail=str(error))
        self.ctx.file = self.write_corrections()
        self.report(f'bands {first} to {last}, corrections of {self.ctx.moved["transfer"]["covered"]} states')
        return None

    def write_corrections(self) -> orm.SinglefileData:
        """Return the corrections as the engine reads them."""
        raise NotImplementedError

    def intended_gap(self) -> float:
        """Return the direct gap in eV of the quasiparticles that entered."""
        occupied = self.ctx.occupied - self.ctx.window['first'] + 1
        return optics.direct_gap(self.ctx.moved['quasiparticle_bands'].get_bands(), occupied)

    def attach_spectra(
        self, spectra: orm.ArrayData, summary: orm.Dict, excitons: Mapping[str, orm.ArrayData]
    ) -> ExitCode | None:
        """Attach the outputs of all adapters; `excitons` is empty where there are none, after Haydock."""
        moved = self.ctx.moved
        self.out_many({'spectra': spectra, 'excitons': summary, 'transfer': moved['transfer']})
        self.out('quasiparticle_bands', moved['quasiparticle_bands'])
        if excitons:
            self.out('exciton_weights', excitons['excitons'])
        self.out('ground_state', {key: self.ctx.ground_state[key] for key in self.ctx.ground_state})
        self.out('screening', self.ctx.screening)
        self.out('cost', sum_cost(**self.ctx.cost))
        if 'lowest' in summary.get_dict() and summary['lowest']['energy'] <= 0:
            return self.exit_codes.ERROR_EXCITONIC_INSTABILITY.format(energy=summary['lowest']['energy'])
        return None
