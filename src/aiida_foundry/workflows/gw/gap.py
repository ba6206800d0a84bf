"""Engine-neutral interface to quasiparticle band gaps."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import ProcessBuilder, ProcessSpec, WorkChain
from aiida.plugins import WorkflowFactory
from aiida_pseudo.data.pseudo.upf import UpfData

from aiida_foundry.analysis import gaps
from aiida_foundry.common.errors import InputError, message_of
from aiida_foundry.structures.checks import check_even_electrons, check_family, check_structure_data, valence_electrons
from aiida_foundry.workflows.gw.calcfunctions import quasiparticle_gap
from aiida_foundry.workflows.gw.methods import METHODS, get_method
from aiida_foundry.workflows.gw.parameters import check_bands, check_parameters, complete_parameters
from aiida_foundry.workflows.shared.cleanup import CleanWorkdirMixin
from aiida_foundry.workflows.shared.cost import sum_cost
from aiida_foundry.workflows.shared.inputs import check_gamma_mesh, load_family, mesh_of, refuse_interface
from aiida_foundry.workflows.shared.protocol import StrictProtocolMixin

#: Adapters by the name of the engine.
ENGINES = {'abinit': 'foundry.gw.abinit', 'yambo': 'foundry.gw.yambo'}


class GwGapWorkChain(StrictProtocolMixin, CleanWorkdirMixin, WorkChain):
    """Quasiparticle gap of an insulator by one GW method; the engine is chosen by the adapter.

    The method decides what is iterated and how W depends on frequency (`methods.METHODS`). A ground state, and the
    screening of a method with the same first W, may be handed on instead of computed; what does not belong to the
    other inputs is refused. A metal ends the workflow after the ground state.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define inputs, outputs and exit codes."""
        super().define(spec)
        spec.input('structure', valid_type=orm.StructureData, help='The crystal, non-magnetic.')
        spec.input(
            'method',
            valid_type=orm.Str,
            validator=lambda node, _: message_of(get_method, node.value),
            help=f'One of {", ".join(METHODS)}.',
        )
        spec.input(
            'kpoints',
            valid_type=orm.KpointsData,
            validator=lambda node, _: message_of(check_gamma_mesh, node, 'where W(q → 0) is needed'),
            help='Mesh through Γ, for wavefunctions, screening and self-energy.',
        )
        spec.input(
            'parameters',
            valid_type=orm.Dict,
            validator=lambda node, _: message_of(check_parameters, node.get_dict()),
            help='Cutoffs and frequencies in hartree, numbers of bands: see `parameters.Parameters`.',
        )
        spec.input_namespace(
            'pseudos', valid_type=UpfData, dynamic=True, help='Norm-conserving pseudopotentials by kind.'
        )
        spec.input_namespace(
            'ground_state',
            required=False,
            populate_defaults=False,
            help='Kohn-Sham results to use, from an earlier run.',
        )
        cls._define_ground_state(spec.input, 'ground_state')
        spec.input(
            'screening', valid_type=orm.RemoteData, required=False, help='The first screened interaction to use.'
        )
        spec.input('options', valid_type=orm.Dict, required=False, help='`metadata.options` of all calculations.')
        cls.define_clean_workdir(spec)
        spec.inputs.validator = refuse_interface('foundry.gw.gap', ENGINES.values())
        cls._define_outputs(spec)
        cls._define_exit_codes(spec)

    @staticmethod
    def _define_ground_state(port: Any, namespace: str) -> None:
        port(f'{namespace}.density', valid_type=orm.RemoteData, required=False, help='Folder with the density.')
        port(f'{namespace}.wavefunctions', valid_type=orm.RemoteData, help='Folder with the states on the mesh.')
        port(f'{namespace}.mesh_bands', valid_type=orm.BandsData, help='Kohn-Sham energies in eV on the mesh.')
        port(f'{namespace}.path_bands', valid_type=orm.BandsData, help='Kohn-Sham energies in eV on a path.')

    @classmethod
    def _define_outputs(cls, spec: ProcessSpec) -> None:
        spec.output(
            'gaps',
            valid_type=orm.Dict,
            help='`kohn_sham` and `quasiparticle` gaps in eV with their k-points and bands; `extremum_on_mesh`: '
            'whether the mesh holds the band edges.',
        )
        spec.output('kohn_sham_bands', valid_type=orm.BandsData, help='Kohn-Sham energies in eV on the mesh.')
        spec.output(
            'quasiparticle_bands',
            valid_type=orm.BandsData,
            help='Quasiparticle energies in eV on the mesh, for the bands `gaps.bands` (from 1, inclusive).',
        )
        spec.output(
            'renormalization', valid_type=orm.ArrayData, help='Renormalization factors Z of those states, no unit.'
        )
        spec.output(
            'cost', valid_type=orm.Dict, help='Wall and core seconds of each calculation, their sum in core-hours.'
        )
        spec.output_namespace('ground_state', help='To be handed on to other methods.')
        cls._define_ground_state(spec.output, 'ground_state')
        spec.output(
            'screening', valid_type=orm.RemoteData, required=False, help='Folder with the first screened interaction.'
        )

    @classmethod
    def _define_exit_codes(cls, spec: ProcessSpec) -> None:
        spec.exit_code(401, 'ERROR_SUB_PROCESS_FAILED_SCF', message='The self-consistent ground state failed.')
        spec.exit_code(402, 'ERROR_SUB_PROCESS_FAILED_BANDS', message='The bands on the mesh or on the path failed.')
        spec.exit_code(403, 'ERROR_SUB_PROCESS_FAILED_SCREENING', message='The screening failed.')
        spec.exit_code(404, 'ERROR_SUB_PROCESS_FAILED_SELF_ENERGY', message='The self-energy failed.')
        spec.exit_code(
            501,
            'ERROR_METALLIC',
            message='The Kohn-Sham bands have no gap, so that nothing was run beyond the ground state: {detail}.',
        )
        spec.exit_code(
            502,
            'ERROR_SELF_CONSISTENCY_NOT_REACHED',
            message='The gap still changes by {change:.3f} eV after {iterations} iterations (tolerance {tolerance} '
            'eV); raise `parameters.self_consistency.max_iterations`. The outputs are those of the last iteration.',
        )
        spec.exit_code(503, 'ERROR_NO_QUASIPARTICLE_GAP', message='The quasiparticle bands have no gap: {detail}.')

    @classmethod
    def get_protocol_filepath(cls) -> Path:
        """Return the path of the YAML file with the protocols."""
        return Path(str(files('aiida_foundry.workflows.gw.protocols') / 'gap.yaml'))

    @classmethod
    def set_codes(cls, builder: ProcessBuilder, code: Any) -> None:
        """Set the code of the engine; adapters whose engine needs several take a mapping."""
        builder.code = code

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode | Mapping[str, orm.AbstractCode],
        structure: orm.StructureData,
        method: str = 'g0w0-ppm',
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
            method: a key of `methods.METHODS`.
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
        target = WorkflowFactory(ENGINES[engine]) if cls is GwGapWorkChain else cls
        inputs = target.get_protocol_inputs(protocol, overrides)
        family = load_family(pseudo_family or inputs['pseudo_family'])
        check_structure_data(structure, f'structure `{structure.get_formula()}`')
        check_family(structure, family)
        pseudos = family.get_pseudos(structure=structure)
        check_even_electrons(structure, pseudos, f'structure `{structure.get_formula()}`')
        parameters = complete_parameters(inputs['parameters'], structure, family, get_method(method))
        check_parameters(parameters)
        check_bands(parameters, valence_electrons(structure, pseudos) // 2)
        builder = target.get_builder()
        target.set_codes(builder, code)
        builder.structure = structure
        builder.method = orm.Str(method)
        builder.kpoints = mesh_of(structure, inputs)
        builder.parameters = orm.Dict(parameters)
        builder.pseudos = pseudos
        builder.options = orm.Dict({**inputs['options'], **(options or {})})
        builder.clean_workdir = orm.Bool(inputs['clean_workdir'])
        return builder

    def attach_gaps(self) -> None:
        """Attach gaps, bands, cost and ground state, which adapters have in the context under the same names."""
        summary = quasiparticle_gap(
            quasiparticles=self.ctx.self_energy.outputs.output_quasiparticles,
            mesh_bands=self.ctx.ground_state.mesh_bands,
            path_bands=self.ctx.ground_state.path_bands,
            number_of_electrons=orm.Float(self.ctx.electrons),
            method=self.inputs.method,
            version=orm.Int(gaps.VERSION),
        )
        self.out_many(summary)
        self.out('kohn_sham_bands', self.ctx.ground_state.mesh_bands)
        self.out('cost', sum_cost(**self.ctx.cost))
        self.out('ground_state', dict(self.ctx.ground_state))
