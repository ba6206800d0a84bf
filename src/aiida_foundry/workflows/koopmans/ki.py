"""Engine-neutral interface to Koopmans-integer energies."""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar

from aiida import orm
from aiida.engine import ProcessBuilder, ProcessSpec, WorkChain
from aiida.plugins import WorkflowFactory
from aiida_pseudo.data.pseudo.upf import UpfData

from aiida_foundry.common.errors import InputError, message_of
from aiida_foundry.common.units import BOHR_TO_ANGSTROM
from aiida_foundry.workflows.koopmans.inputs import EXECUTABLES, choose_codes
from aiida_foundry.workflows.koopmans.wannierize import GAMMA_REASON, WannierizeWorkChain
from aiida_foundry.workflows.shared.cleanup import CleanWorkdirMixin
from aiida_foundry.workflows.shared.inputs import check_gamma_mesh, refuse_interface
from aiida_foundry.workflows.shared.protocol import StrictProtocolMixin

ENGINES = {'native': 'foundry.koopmans.native', 'kcw': 'foundry.koopmans.kcw'}
"""Adapters by the name of the engine."""

DIELECTRIC = ('pw', 'ph')
"""Codes that compute ε∞; they may be missing where it is given."""

PARAMETERS: dict[str, str] = {
    'head_correction': 'whether q + G = 0 of the Coulomb integrals is corrected (Gygi and Baldereschi)',
    'dielectric_constant': 'ε∞ of that correction; null: by ph.x',
    'dielectric_kpoints_distance': 'distance in 1/Å of the k-points on which ph.x computes it',
    'coverage_tolerance_ev': 'distance in eV to the Kohn-Sham bands within which Wannier bands are corrected',
    'engine': 'further settings of the engine',
}
"""Meaning of each parameter."""

WANNIER = {
    'scf_folder': orm.RemoteData,
    'scf_parameters': orm.Dict,
    'nscf_folder': orm.RemoteData,
    'nscf_bands': orm.BandsData,
    'path_bands': orm.BandsData,
    'occupied.retrieved': orm.FolderData,
    'occupied.parameters': orm.Dict,
    'empty.retrieved': orm.FolderData,
    'empty.parameters': orm.Dict,
}
"""Outputs of `WannierizeWorkChain` that may be handed on."""


def check_parameters(parameters: Mapping[str, Any]) -> None:
    """Check that the parameters are those of `PARAMETERS`, all there, and possible.

    Raises:
        InputError: names the parameter.
    """
    for name in sorted({*parameters, *PARAMETERS}):
        if name not in PARAMETERS:
            raise InputError(f'parameter `{name}`', 'it is unknown', f'Known are {", ".join(PARAMETERS)}')
        if name not in parameters:
            raise InputError(f'parameter `{name}`', 'it is missing', f'Set it: {PARAMETERS[name]}')
    constant = parameters['dielectric_constant']
    if constant is not None and not (isinstance(constant, (int, float)) and constant >= 1):
        raise InputError('parameter `dielectric_constant`', f'{constant!r} is below that of vacuum', 'Give 1 or more')
    distance = parameters['dielectric_kpoints_distance']
    if not isinstance(distance, (int, float)) or distance <= 0:
        raise InputError('parameter `dielectric_kpoints_distance`', f'{distance!r} is not positive', 'Give 1/Å')
    coverage = parameters['coverage_tolerance_ev']
    if not isinstance(coverage, (int, float)) or not 0 < coverage < 1:
        raise InputError(
            'parameter `coverage_tolerance_ev`', f'{coverage!r} is not between 0 and 1', 'Give a few 0.01 eV'
        )


class KoopmansKiWorkChain(StrictProtocolMixin, CleanWorkdirMixin, WorkChain):
    """Koopmans-integer energies of an insulator; the engine is chosen by the adapter.

    On site and at second order in the occupations: each Wannier function shifts by half its bare integral times its
    screening parameter (N. Colonna et al., J. Chem. Theory Comput. 18, 5435 (2022)). Wannier functions may be handed on
    instead of made. Bands are corrected where the Wannier bands follow the Kohn-Sham ones; other states have NaN.
    """

    #: Codes that the adapter needs beside those of the Wannierisation.
    CODES: ClassVar[tuple[str, ...]] = ()
    #: What the engine wants of the Wannierisation.
    WANNIER_PARAMETERS: ClassVar[Mapping[str, Any]] = {}

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define inputs, outputs and exit codes."""
        super().define(spec)
        for label in cls.CODES:
            help_text = f'The code of {EXECUTABLES[label]}.'
            spec.input(f'codes.{label}', valid_type=orm.AbstractCode, required=label not in DIELECTRIC, help=help_text)
        spec.input('structure', valid_type=orm.StructureData, help='The crystal, non-magnetic.')
        spec.input(
            'kpoints',
            valid_type=orm.KpointsData,
            validator=lambda node, _: message_of(check_gamma_mesh, node, GAMMA_REASON),
            help='Mesh through Γ.',
        )
        spec.input(
            'parameters',
            valid_type=orm.Dict,
            validator=lambda node, _: message_of(check_parameters, node.get_dict()),
            help='See `ki.PARAMETERS`.',
        )
        spec.input_namespace(
            'pseudos', valid_type=UpfData, dynamic=True, help='Norm-conserving pseudopotentials by kind.'
        )
        spec.expose_inputs(
            WannierizeWorkChain,
            namespace='wannierize',
            exclude=('structure', 'kpoints', 'pseudos', 'options', 'clean_workdir'),
            namespace_options={'required': False, 'populate_defaults': False, 'help': 'How functions are made.'},
        )
        spec.input_namespace(
            'wannier', required=False, populate_defaults=False, help='Wannier functions to use, from an earlier run.'
        )
        for name, kind in WANNIER.items():
            spec.input(f'wannier.{name}', valid_type=kind, help=f'Output `{name}` of the Wannierisation.')
            spec.output(f'wannier.{name}', valid_type=kind, help=f'Output `{name}` of the Wannierisation.')
        spec.input('options', valid_type=orm.Dict, required=False, help='`metadata.options` of all calculations.')
        cls.define_clean_workdir(spec)
        spec.inputs.validator = refuse_interface('foundry.koopmans.ki', ENGINES.values())
        cls._define_outputs(spec)
        cls._define_exit_codes(spec)

    @classmethod
    def _define_outputs(cls, spec: ProcessSpec) -> None:
        spec.output(
            'quasiparticles',
            valid_type=orm.ArrayData,
            help='`kpoints` (k, 3) reduced; `ks_energies`, `qp_energies` (1, k, band) in eV, bands from the first, NaN '
            'where not corrected.',
        )
        spec.output(
            'screening',
            valid_type=orm.ArrayData,
            help='Per Wannier function, occupied first: `alpha`, `occupied`, `representative` (from 1); '
            '`self_hartree`, `bare`, `screened` in eV with the head correction; `self_hartree_q`, `bare_q`, '
            '`screened_q` (function, q) in eV without it.',
        )
        spec.output(
            'gaps',
            valid_type=orm.Dict,
            help='`kohn_sham` and `quasiparticle` gaps in eV with their k-points and bands; `extremum_on_mesh`: '
            'whether the mesh holds the band edges.',
        )
        spec.output('dielectric_constant', valid_type=orm.Float, required=False, help='ε∞ of the head correction.')
        spec.output('cost', valid_type=orm.Dict, help='Wall and core seconds of each calculation, their sum.')

    @classmethod
    def _define_exit_codes(cls, spec: ProcessSpec) -> None:
        spec.exit_code(401, 'ERROR_SUB_PROCESS_FAILED_WANNIERIZE', message='The Wannier functions failed: {message}')
        spec.exit_code(402, 'ERROR_SUB_PROCESS_FAILED_DIELECTRIC', message='The dielectric constant failed.')
        spec.exit_code(403, 'ERROR_SUB_PROCESS_FAILED_SCREENING', message='The screening failed: {message}')
        spec.exit_code(404, 'ERROR_SUB_PROCESS_FAILED_HAMILTONIAN', message='The Koopmans energies failed: {message}')
        spec.exit_code(501, 'ERROR_METALLIC', message='The Kohn-Sham bands have no gap: {message}')
        spec.exit_code(
            502,
            'ERROR_NO_ACCEPTABLE_FUNCTIONS',
            message='There are no acceptable Wannier functions: {message}',
        )
        spec.exit_code(
            503,
            'ERROR_SCREENING_OUT_OF_RANGE',
            message='A screening parameter is outside (0, 1]: {message} With PBE or PBEsol and an empty function, take '
            'LDA; otherwise a denser mesh or other Wannier functions.',
        )
        spec.exit_code(
            504,
            'ERROR_BAND_EDGES_NOT_COVERED',
            message='Wannier bands at the band edges do not follow the Kohn-Sham bands: {message}. Choose a lower '
            '`projectability` of the empty trials, or a larger `coverage_tolerance_ev`.',
        )
        spec.exit_code(505, 'ERROR_NO_QUASIPARTICLE_GAP', message='The Koopmans bands have no gap: {message}')

    @classmethod
    def get_protocol_filepath(cls) -> Path:
        """Return the path of the YAML file with the protocols."""
        return Path(str(files('aiida_foundry.workflows.koopmans.protocols') / 'ki.yaml'))

    @classmethod
    def get_builder_from_protocol(
        cls,
        codes: Mapping[str, orm.AbstractCode],
        structure: orm.StructureData,
        *,
        engine: str = 'native',
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        pseudo_family: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder with all inputs set; called on the interface, it is that of the engine's adapter.

        Args:
            codes: by the keys of `inputs.EXECUTABLES`; others are ignored.
            structure: the crystal.
            engine: a key of `ENGINES`; ignored when called on an adapter.
            protocol: `fast`, `balanced` or `stringent`.
            overrides: replacements of what the protocol sets, with the same nesting; `wannierize.parameters` are those
                of `foundry.koopmans.wannierize`.
            pseudo_family: label of the pseudopotential family; a short form of the override of that name.
            options: `metadata.options` of all calculations.

        Raises:
            InputError: for anything that cannot work, with the reason.
        """
        if engine not in ENGINES:
            raise InputError(f'engine `{engine}`', 'it is unknown', f'Known are {", ".join(ENGINES)}')
        target = WorkflowFactory(ENGINES[engine]) if cls is KoopmansKiWorkChain else cls
        inputs = target.get_protocol_inputs(protocol, overrides)
        parameters = dict(inputs['parameters'])
        density = parameters.pop('bands_per_volume')
        check_parameters(parameters)
        wanted = target.CODES if needs_dielectric_constant(parameters) else tuple(set(target.CODES) - set(DIELECTRIC))
        chosen = choose_codes(codes, wanted)
        made = WannierizeWorkChain.get_builder_from_protocol(
            codes,
            structure,
            protocol=protocol,
            overrides=target.wannierize_overrides(inputs, structure, density),
            pseudo_family=pseudo_family,
            options=options,
        )
        builder = target.get_builder()
        builder.codes = chosen
        for name in ('structure', 'kpoints', 'pseudos', 'options'):
            builder[name] = made[name]
        builder.parameters = orm.Dict(parameters)
        builder.wannierize = {'codes': made.codes, 'parameters': made.parameters}
        builder.clean_workdir = orm.Bool(inputs['clean_workdir'])
        return builder

    @classmethod
    def wannierize_overrides(
        cls, inputs: Mapping[str, Any], structure: orm.StructureData, density: float
    ) -> dict[str, Any]:
        """Return the overrides of the Wannierisation that follow from the inputs and from what the engine wants."""
        parameters = {**cls.WANNIER_PARAMETERS, **inputs['wannierize']['parameters']}
        if cls.sums_over_states() and parameters.get('bands') is None:
            volume = structure.get_cell_volume() / BOHR_TO_ANGSTROM**3
            parameters['minimum_bands'] = math.ceil(density * volume)
        shared = ('pseudo_family', 'kpoints_mesh', 'kpoints_distance', 'options')
        return {**{name: inputs[name] for name in shared}, 'parameters': parameters}

    @classmethod
    def sums_over_states(cls) -> bool:
        """Return whether the engine wants more bands than the Wannier functions."""
        return False


def needs_dielectric_constant(parameters: Mapping[str, Any]) -> bool:
    """Return whether ph.x has to compute ε∞."""
    return bool(parameters['head_correction']) and parameters['dielectric_constant'] is None
