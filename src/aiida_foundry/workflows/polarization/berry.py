"""Engine-neutral interface to the formal polarization of insulators by Berry phases."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import ProcessBuilder, ProcessSpec, WorkChain
from aiida.plugins import WorkflowFactory
from aiida_pseudo.data.pseudo.upf import UpfData

from aiida_foundry.common.errors import InputError, message_of
from aiida_foundry.structures.checks import check_family, check_structure_data
from aiida_foundry.workflows.polarization.parameters import (
    PARAMETERS,
    check_directions,
    check_parameters,
    complete_parameters,
    occupied_bands,
)
from aiida_foundry.workflows.shared.cleanup import CleanWorkdirMixin
from aiida_foundry.workflows.shared.inputs import check_gamma_mesh, load_family, mesh_of, refuse_interface
from aiida_foundry.workflows.shared.protocol import StrictProtocolMixin

#: Adapters by the name of the engine.
ENGINES = {'quantumespresso': 'foundry.polarization.pw', 'abinit': 'foundry.polarization.abinit'}


def check_inputs(inputs: Mapping[str, Any]) -> None:
    """Refuse structures without a formal polarization, and moments that are not those of an insulator.

    Raises:
        InputError: names the reason.
    """
    structure = inputs['structure']
    check_structure_data(structure, f'structure `{structure.get_formula()}`')
    moments = inputs['magnetic_moments'].get_dict() if 'magnetic_moments' in inputs else None
    occupied_bands(structure, inputs['pseudos'], moments)


class BerryPolarizationWorkChain(StrictProtocolMixin, CleanWorkdirMixin, WorkChain):
    """Formal polarization of an insulator, P = (e/V) Σ phase_i a_i, by Berry phases along its lattice vectors.

    Each phase is an average over strings of k-points, which get denser until the phase changes by less than the
    tolerance; phases that symmetry fixes are converged where they agree with it, and those that it makes equal are
    computed once. A metal ends the workflow as soon as bands on the mesh or on strings show it.
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
        spec.input('structure', valid_type=orm.StructureData, help='The crystal.')
        spec.input(
            'kpoints',
            valid_type=orm.KpointsData,
            validator=lambda node, _: message_of(check_gamma_mesh, node, 'which breaks the symmetry of its strings'),
            help='Mesh through Γ: of the ground state, and of the strings across their direction.',
        )
        spec.input(
            'parameters',
            valid_type=orm.Dict,
            validator=lambda node, _: message_of(check_parameters, node.get_dict()),
            help=f'{", ".join(PARAMETERS)}: see `parameters.PARAMETERS`; energies in hartree.',
        )
        spec.input_namespace('pseudos', valid_type=UpfData, dynamic=True, help='Pseudopotentials by kind.')
        spec.input(
            'magnetic_moments',
            valid_type=orm.Dict,
            required=False,
            help='Collinear moments by kind in μ_B, which make the calculation spin polarized; their sum is kept.',
        )
        spec.input(
            'directions',
            valid_type=orm.List,
            required=False,
            validator=lambda node, _: None if node is None else message_of(check_directions, node.get_list()),
            help='Lattice vectors, 1 to 3, along which the phases are wanted. By default all.',
        )
        spec.input_namespace(
            'ground_state', required=False, populate_defaults=False, help='Ground state to use, from an earlier run.'
        )
        cls._define_ground_state(spec.input, 'ground_state')
        spec.input('options', valid_type=orm.Dict, required=False, help='`metadata.options` of all calculations.')
        cls.define_clean_workdir(spec)
        spec.inputs.validator = refuse_interface('foundry.polarization.berry', ENGINES.values())

    @staticmethod
    def _define_ground_state(port: Any, namespace: str) -> None:
        port(f'{namespace}.density', valid_type=orm.RemoteData, help='Folder with the density.')
        port(f'{namespace}.bands', valid_type=orm.BandsData, help='Energies in eV on the mesh, with empty bands.')

    @classmethod
    def _define_outputs(cls, spec: ProcessSpec) -> None:
        spec.output(
            'polarization',
            valid_type=orm.Dict,
            help='`phases`, `electronic`, `ionic` in e along the lattice vectors, each modulo `modulus` (1 or 2 e); '
            '`fractions` of the quanta; `quanta` (by rows) and `cartesian` in C/m²; `symmetry`: `allowed` members in '
            'e, `continuous` directions, `residual` in e; `gap` in eV; `strings`: `points` and `errors` in e. None for '
            'directions that were not asked for.',
        )
        spec.output(
            'cost', valid_type=orm.Dict, help='Wall and core seconds of each calculation, their sum in core-hours.'
        )
        spec.output_namespace('ground_state', help='To be handed on to denser strings.')
        cls._define_ground_state(spec.output, 'ground_state')

    @classmethod
    def _define_exit_codes(cls, spec: ProcessSpec) -> None:
        spec.exit_code(401, 'ERROR_SUB_PROCESS_FAILED_SCF', message='The self-consistent ground state failed.')
        spec.exit_code(402, 'ERROR_SUB_PROCESS_FAILED_STRINGS', message='The Berry phases failed.')
        spec.exit_code(
            501,
            'ERROR_METALLIC',
            message='The bands have no gap, so that there is no polarization: {detail}.',
        )
        spec.exit_code(
            502,
            'ERROR_PHASES_NOT_CONVERGED',
            message='The phase along lattice vector {direction} is off {error} with {points} points (tolerance '
            '{tolerance} e); raise `parameters.max_iterations`. The outputs are those of the last strings.',
        )
        spec.exit_code(503, 'ERROR_PHASES_AMBIGUOUS', message='The phases of the strings have no mean: {detail}')

    @classmethod
    def get_protocol_filepath(cls) -> Path:
        """Return the path of the YAML file with the protocols."""
        return Path(str(files('aiida_foundry.workflows.polarization.protocols') / 'berry.yaml'))

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode,
        structure: orm.StructureData,
        *,
        engine: str = 'quantumespresso',
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        pseudo_family: str | None = None,
        magnetic_moments: Mapping[str, float] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder with all inputs set; called on the interface, it is that of the engine's adapter.

        Args:
            code: the code of the engine.
            structure: the crystal.
            engine: a key of `ENGINES`; ignored when called on an adapter.
            protocol: `fast`, `balanced` or `stringent`.
            overrides: replacements of what the protocol sets, with the same nesting.
            pseudo_family: label of the pseudopotential family; a short form of the override of that name.
            magnetic_moments: collinear moments by kind in μ_B.
            options: `metadata.options` of all calculations.

        Raises:
            InputError: for anything that cannot work, with the reason.
        """
        if engine not in ENGINES:
            raise InputError(f'engine `{engine}`', 'it is unknown', f'Known are {", ".join(ENGINES)}')
        target = WorkflowFactory(ENGINES[engine]) if cls is BerryPolarizationWorkChain else cls
        inputs = target.get_protocol_inputs(protocol, overrides)
        family = load_family(pseudo_family or inputs['pseudo_family'])
        check_structure_data(structure, f'structure `{structure.get_formula()}`')
        check_family(structure, family)
        parameters = complete_parameters(inputs['parameters'], structure, family)
        check_parameters(parameters)
        builder = target.get_builder()
        builder.code = code
        builder.structure = structure
        builder.kpoints = mesh_of(structure, inputs)
        builder.parameters = orm.Dict(parameters)
        builder.pseudos = family.get_pseudos(structure=structure)
        if magnetic_moments is not None:
            builder.magnetic_moments = orm.Dict(dict(magnetic_moments))
        builder.options = orm.Dict({**inputs['options'], **(options or {})})
        builder.clean_workdir = orm.Bool(inputs['clean_workdir'])
        target.check(builder._inputs(prune=True))
        return builder

    @classmethod
    def check(cls, inputs: Mapping[str, Any]) -> None:
        """Refuse inputs that the adapter cannot work with; adapters add what they cannot do.

        Raises:
            InputError: names the reason.
        """
        check_inputs(inputs)
