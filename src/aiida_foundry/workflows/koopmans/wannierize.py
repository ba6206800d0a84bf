"""Wannier functions of the occupied and of the empty bands of an insulator."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext, WorkChain, if_, while_
from aiida.plugins import CalculationFactory, WorkflowFactory
from aiida_pseudo.data.pseudo.upf import UpfData

from aiida_foundry.analysis import gaps, manifolds
from aiida_foundry.common.errors import message_of
from aiida_foundry.structures.checks import check_even_electrons, check_family, check_structure_data, valence_electrons
from aiida_foundry.workflows.koopmans import calcfunctions as steps
from aiida_foundry.workflows.koopmans import pw_inputs
from aiida_foundry.workflows.koopmans.inputs import EXECUTABLES, choose_codes
from aiida_foundry.workflows.koopmans.manifold import ManifoldWorkChain
from aiida_foundry.workflows.koopmans.parameters import check_bands, check_parameters, complete_parameters
from aiida_foundry.workflows.koopmans.trials import (
    EMPTY,
    list_manifolds,
    manifold_parameters,
    reason_to_refuse,
    trials_of,
)
from aiida_foundry.workflows.shared import band_path
from aiida_foundry.workflows.shared.cleanup import CleanWorkdirMixin
from aiida_foundry.workflows.shared.cost import sum_cost
from aiida_foundry.workflows.shared.inputs import check_gamma_mesh, load_family, mesh_of
from aiida_foundry.workflows.shared.protocol import StrictProtocolMixin

PwBaseWorkChain = WorkflowFactory('quantumespresso.pw.base')
ProjwfcCalculation = CalculationFactory('quantumespresso.projwfc')

GAMMA_REASON = 'where Wannier functions have their phases from'

CODES = ('pw', 'projwfc', 'pw2wannier90', 'wannier90')


class WannierizeWorkChain(StrictProtocolMixin, CleanWorkdirMixin, WorkChain):
    """Wannier functions of the occupied and of the empty bands, each apart, on the full mesh.

    Occupied bands fall into blocks where a gap separates them at all k-points. Empty functions number as many as atomic
    orbitals are left; states that are mostly atomic orbitals are kept as they are (frozen window), the rest is chosen
    for smoothness. Trials of the parameters are run in order until the functions converge, reproduce the Kohn-Sham
    bands within η, and have equal spreads where a symmetry maps them onto each other. A metal ends the workflow after
    the ground state.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define inputs, outline, outputs and exit codes."""
        super().define(spec)
        for label in CODES:
            spec.input(f'codes.{label}', valid_type=orm.AbstractCode, help=f'The code of {EXECUTABLES[label]}.')
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
            help='See `parameters.PARAMETERS`.',
        )
        spec.input_namespace(
            'pseudos', valid_type=UpfData, dynamic=True, help='Norm-conserving pseudopotentials by kind.'
        )
        spec.input('options', valid_type=orm.Dict, required=False, help='`metadata.options` of all calculations.')
        cls.define_clean_workdir(spec)
        spec.outline(
            cls.setup,
            cls.run_scf,
            cls.inspect_scf,
            cls.run_nscf,
            cls.inspect_nscf,
            cls.run_projections,
            cls.inspect_projections,
            while_(cls.should_wannierize)(
                cls.run_manifolds,
                cls.inspect_manifolds,
            ),
            if_(cls.has_several_blocks)(cls.merge_blocks),
            cls.results,
        )
        cls._define_outputs(spec)
        spec.exit_code(401, 'ERROR_SUB_PROCESS_FAILED_SCF', message='The self-consistent ground state failed.')
        spec.exit_code(402, 'ERROR_SUB_PROCESS_FAILED_NSCF', message='The states on the mesh or on the path failed.')
        spec.exit_code(403, 'ERROR_SUB_PROCESS_FAILED_PROJECTIONS', message='The projections on orbitals failed.')
        spec.exit_code(404, 'ERROR_SUB_PROCESS_FAILED_OVERLAPS', message='The overlaps of {manifold} failed.')
        spec.exit_code(
            501,
            'ERROR_METALLIC',
            message='The Kohn-Sham bands have no gap, so that nothing was run beyond the ground state: {detail}.',
        )
        spec.exit_code(
            502,
            'ERROR_NO_ACCEPTABLE_FUNCTIONS',
            message='The bands {manifold} gave no acceptable Wannier functions in {trials} trials; the last: {reason}. '
            'Try a denser mesh, other `trials`, another number of `empty_functions`, or a larger `block_gap_ev`.',
        )

    @classmethod
    def _define_outputs(cls, spec: ProcessSpec) -> None:
        spec.output('scf_folder', valid_type=orm.RemoteData, help='Folder with the self-consistent density.')
        spec.output('scf_parameters', valid_type=orm.Dict, help='Output parameters of the ground state.')
        spec.output('nscf_folder', valid_type=orm.RemoteData, help='Folder with the states on the full mesh.')
        spec.output('nscf_bands', valid_type=orm.BandsData, help='Kohn-Sham energies in eV on the full mesh.')
        spec.output('path_bands', valid_type=orm.BandsData, help='Kohn-Sham energies in eV on a path.')
        spec.output('cost', valid_type=orm.Dict, help='Wall and core seconds of each calculation, their sum.')
        for manifold in ('occupied', EMPTY):
            spec.output(
                f'{manifold}.retrieved',
                valid_type=orm.FolderData,
                help='Files of Wannier90: `aiida_u.mat`, `aiida_centres.xyz`; for empty functions `aiida_u_dis.mat`.',
            )
            spec.output(
                f'{manifold}.parameters',
                valid_type=orm.Dict,
                help='`bands` [first, last] from 1, `number_of_functions`, `centres` (Å), `spreads` (Å²), `eta_mev`, '
                '`windows` (eV), `spread_difference` (Å²), `functions_without_image`.',
            )

    @classmethod
    def get_protocol_filepath(cls) -> Path:
        """Return the path of the YAML file with the protocols."""
        return Path(str(files('aiida_foundry.workflows.koopmans.protocols') / 'wannierize.yaml'))

    @classmethod
    def get_builder_from_protocol(
        cls,
        codes: Mapping[str, orm.AbstractCode],
        structure: orm.StructureData,
        *,
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        pseudo_family: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder with all inputs set.

        Args:
            codes: by the names of `CODES`; others are ignored.
            structure: the crystal.
            protocol: `fast`, `balanced` or `stringent`.
            overrides: replacements of what the protocol sets, with the same nesting.
            pseudo_family: label of the pseudopotential family; a short form of the override of that name.
            options: `metadata.options` of all calculations.

        Raises:
            InputError: for anything that cannot work, with the reason.
        """
        inputs = cls.get_protocol_inputs(protocol, overrides)
        family = load_family(pseudo_family or inputs['pseudo_family'])
        subject = f'structure `{structure.get_formula()}`'
        check_structure_data(structure, subject)
        check_family(structure, family)
        pseudos = family.get_pseudos(structure=structure)
        check_even_electrons(structure, pseudos, subject)
        parameters = complete_parameters(inputs['parameters'], structure, family)
        check_parameters(parameters)
        check_bands(parameters, valence_electrons(structure, pseudos) // 2)
        builder = cls.get_builder()
        builder.codes = choose_codes(codes, CODES)
        builder.structure = structure
        builder.kpoints = mesh_of(structure, inputs)
        builder.parameters = orm.Dict(parameters)
        builder.pseudos = pseudos
        builder.options = orm.Dict({**inputs['options'], **(options or {})})
        builder.clean_workdir = orm.Bool(inputs['clean_workdir'])
        return builder

    def setup(self) -> None:
        """Prepare the context."""
        self.ctx.parameters = self.inputs.parameters.get_dict()
        self.ctx.electrons = valence_electrons(self.inputs.structure, self.inputs.pseudos)
        self.ctx.occupied = self.ctx.electrons // 2
        self.ctx.cost = {}

    def run_scf(self) -> ToContext:
        """Run the ground state with all symmetries."""
        return ToContext(scf=self._submit_pw('scf', pw_inputs.scf(self.ctx.parameters), self.inputs.kpoints))

    def inspect_scf(self) -> ExitCode | None:
        """Stop here if the crystal is a metal."""
        if not self.ctx.scf.is_finished_ok:
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_SCF
        self.ctx.cost['scf'] = self.ctx.scf.outputs.output_parameters
        return None

    def run_nscf(self) -> ToContext:
        """Run the states at all points of the mesh, none left out by symmetry, and on a path."""
        points = steps.list_mesh(self.inputs.kpoints, orm.Int(steps.VERSION))
        parent = self.ctx.scf.outputs.remote_folder
        distance = orm.Float(self.ctx.parameters['path_distance'])
        path = band_path.band_path(self.inputs.structure, distance, orm.Int(band_path.VERSION))
        return ToContext(
            nscf=self._submit_pw('nscf', pw_inputs.nscf(self.ctx.parameters), points, parent),
            path=self._submit_pw('path', pw_inputs.path(self.ctx.parameters, self.ctx.occupied), path, parent),
        )

    def inspect_nscf(self) -> ExitCode | None:
        """Stop if the bands have no gap."""
        for label in ('nscf', 'path'):
            if not self.ctx[label].is_finished_ok:
                return self.exit_codes.ERROR_SUB_PROCESS_FAILED_NSCF
            self.ctx.cost[label] = self.ctx[label].outputs.output_parameters
            bands = self.ctx[label].outputs.output_band
            try:
                gap = gaps.find_gap(steps.first_channel(bands), bands.get_kpoints(), self.ctx.electrons)
            except gaps.MetallicBandsError as exception:
                return self.exit_codes.ERROR_METALLIC.format(detail=str(exception))
            self.ctx[f'{label}_edges'] = [gap.valence_maximum.energy, gap.conduction_minimum.energy]
        return None

    def run_projections(self) -> ToContext:
        """Project the states on atomic orbitals."""
        inputs = {
            'code': self.inputs.codes.projwfc,
            'parent_folder': self.ctx.nscf.outputs.remote_folder,
            'parameters': orm.Dict({'PROJWFC': pw_inputs.PROJWFC}),
            'settings': orm.Dict({'PARENT_FOLDER_SYMLINK': True}),
            'metadata': {'call_link_label': 'projections', 'label': 'projections', 'options': self._options()},
        }
        return ToContext(projections=self.submit(ProjwfcCalculation, **inputs))

    def inspect_projections(self) -> ExitCode | None:
        """Choose blocks of occupied bands; list what is to become Wannier functions."""
        if not self.ctx.projections.is_finished_ok:
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_PROJECTIONS
        self.ctx.cost['projections'] = self.ctx.projections.outputs.output_parameters
        energies = steps.first_channel(self.ctx.nscf.outputs.output_band)
        blocks = manifolds.isolated_blocks(energies, self.ctx.occupied, self.ctx.parameters['block_gap_ev'])
        self.ctx.manifolds = list_manifolds(blocks, self.ctx.occupied, self.ctx.parameters)
        self.ctx.accepted = {}
        empty = self.ctx.manifolds[EMPTY]
        self.report(f'blocks of occupied bands {blocks}; {empty["functions"]} functions of the bands {empty["bands"]}')
        return None

    def should_wannierize(self) -> bool:
        """Return whether a manifold has no accepted functions yet."""
        return len(self.ctx.accepted) < len(self.ctx.manifolds)

    def run_manifolds(self) -> ToContext:
        """Run the next trial of each manifold without functions."""
        launched = {}
        for label in self._pending():
            parameters = self._manifold_parameters(label)
            name = f'{label}_{self.ctx.manifolds[label]["trial"] + 1}'
            inputs = {
                'codes': {key: self.inputs.codes[key] for key in ('pw2wannier90', 'wannier90')},
                'structure': self.inputs.structure,
                'kpoints': self.inputs.kpoints,
                'nscf_folder': self.ctx.nscf.outputs.remote_folder,
                'parameters': orm.Dict(parameters),
                'metadata': {'call_link_label': name, 'label': name},
            }
            if 'options' in self.inputs:
                inputs['options'] = self.inputs.options
            launched[label] = self.submit(ManifoldWorkChain, **inputs)
            window = parameters['frozen_maximum']
            self.report(
                f'{name}: bands {parameters["bands"]}, {parameters["projections"]} projections'
                + (f', states below {window:.3f} eV kept' if window is not None else '')
            )
        return ToContext(**launched)

    def inspect_manifolds(self) -> ExitCode | None:
        """Accept functions, or go on to the next trial of their manifold."""
        for label in self._pending():
            process, manifold = self.ctx[label], self.ctx.manifolds[label]
            if process.exit_status in (401, 402):
                return self.exit_codes.ERROR_SUB_PROCESS_FAILED_OVERLAPS.format(manifold=label)
            self._add_cost(label, process)
            reason = process.exit_message if not process.is_finished_ok else self._reason_to_refuse(label)
            if reason is None:
                continue
            manifold['trial'] += 1
            self.report(f'{label}: refused, because {reason}')
            if manifold['trial'] == len(trials_of(label, self.ctx.parameters)):
                first, last = manifold['bands']
                return self.exit_codes.ERROR_NO_ACCEPTABLE_FUNCTIONS.format(
                    manifold=f'{first}-{last} ({label})', trials=manifold['trial'], reason=reason
                )
        return None

    def has_several_blocks(self) -> bool:
        """Return whether the occupied bands fall into blocks."""
        return len(self.ctx.manifolds) > 2

    def merge_blocks(self) -> None:
        """Join the functions of the occupied blocks."""
        blocks = [label for label in self.ctx.manifolds if label != EMPTY]
        folders = {f'folder_{n}': self.ctx[label].outputs.retrieved for n, label in enumerate(blocks, start=1)}
        parameters = {f'parameters_{n}': self.ctx.accepted[label] for n, label in enumerate(blocks, start=1)}
        self.ctx.merged = steps.merge_blocks(orm.Int(steps.VERSION), **folders, **parameters)

    def results(self) -> None:
        """Attach the outputs."""
        self.out('scf_folder', self.ctx.scf.outputs.remote_folder)
        self.out('scf_parameters', self.ctx.scf.outputs.output_parameters)
        self.out('nscf_folder', self.ctx.nscf.outputs.remote_folder)
        self.out('nscf_bands', self.ctx.nscf.outputs.output_band)
        self.out('path_bands', self.ctx.path.outputs.output_band)
        self.out('cost', sum_cost(**self.ctx.cost))
        occupied = self.ctx.get('merged') or self._functions('occupied_1')
        self.out('occupied', dict(occupied))
        self.out(EMPTY, self._functions(EMPTY))

    def _options(self) -> dict[str, Any]:
        options: dict[str, Any] = self.inputs.options.get_dict() if 'options' in self.inputs else {}
        return options

    def _submit_pw(
        self, label: str, parameters: dict[str, Any], kpoints: orm.KpointsData, parent: orm.RemoteData | None = None
    ) -> orm.ProcessNode:
        pw = {
            'code': self.inputs.codes.pw,
            'structure': self.inputs.structure,
            'pseudos': dict(self.inputs.pseudos),
            'parameters': orm.Dict(parameters),
            'metadata': {'options': pw_inputs.options(self._options())},
        }
        if parent is not None:
            pw['parent_folder'] = parent
        metadata = {'call_link_label': label, 'label': label}
        return self.submit(PwBaseWorkChain, pw=pw, kpoints=kpoints, metadata=metadata)

    def _pending(self) -> list[str]:
        return [label for label in self.ctx.manifolds if label not in self.ctx.accepted]

    def _manifold_parameters(self, label: str) -> dict[str, Any]:
        """Return the parameters of the next trial of a manifold."""
        manifold = self.ctx.manifolds[label]
        trial = trials_of(label, self.ctx.parameters)[manifold['trial']]
        choice = self._choose_windows(trial['projectability']) if label == EMPTY else None
        return manifold_parameters(manifold, trial['projections'], choice, self.ctx.parameters)

    def _choose_windows(self, projectability: float) -> manifolds.EmptyManifold:
        outputs = self.ctx.projections.outputs
        projections = outputs.projections if 'projections' in outputs else outputs.projections_up
        shares = np.sum([array for _, array in projections.get_projections()], axis=0)
        last = self.ctx.manifolds[EMPTY]['bands'][1]
        energies = steps.first_channel(self.ctx.nscf.outputs.output_band)[:, :last]
        functions = self.ctx.parameters['empty_functions']
        return manifolds.empty_manifold(energies, shares[:, :last], self.ctx.occupied, functions, projectability)

    def _reason_to_refuse(self, label: str) -> str | None:
        """Return what is wrong with functions; keep them if nothing is."""
        limits, outputs = self.ctx.parameters['acceptance'], self.ctx[label].outputs
        valence, conduction = self.ctx.nscf_edges
        limit = conduction + limits['window_ev'] if label == EMPTY else valence + 1.0
        settings = orm.Dict({'bands': self.ctx.manifolds[label]['bands'], 'limit': limit})
        record = steps.assess_functions(
            self.inputs.structure,
            self.ctx.nscf.outputs.output_band,
            outputs.gauge,
            outputs.output_parameters,
            settings,
            orm.Int(steps.VERSION),
        )
        self.report(f'{label}: η = {record["eta_mev"]} meV, spreads {np.round(record["spreads"], 4).tolist()} Å²')
        reason = reason_to_refuse(record, limits)
        if reason is None:
            self.ctx.accepted[label] = record
        return reason

    def _functions(self, label: str) -> dict[str, orm.Data]:
        return {'retrieved': self.ctx[label].outputs.retrieved, 'parameters': self.ctx.accepted[label]}

    def _add_cost(self, label: str, process: orm.ProcessNode) -> None:
        trial = self.ctx.manifolds[label]['trial'] + 1
        for node in process.called_descendants:
            if isinstance(node, orm.CalcJobNode) and node.label in ('overlaps', 'functions'):
                self.ctx.cost[f'{label}_{trial}_{node.label}'] = node.outputs.output_parameters
