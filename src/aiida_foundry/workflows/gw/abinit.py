"""Quasiparticle gaps with ABINIT."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import ExitCode, ProcessSpec, ToContext, if_, while_

from aiida_foundry.analysis import gaps
from aiida_foundry.common.errors import InputError, message_of
from aiida_foundry.engines.abinit import psp8
from aiida_foundry.engines.abinit.base import AbinitBaseWorkChain
from aiida_foundry.engines.abinit.calcfunctions import psp8_by_kind
from aiida_foundry.structures.checks import valence_electrons
from aiida_foundry.workflows.gw import abinit_variables as variables
from aiida_foundry.workflows.gw.gap import GwGapWorkChain
from aiida_foundry.workflows.gw.methods import get_method
from aiida_foundry.workflows.shared import band_path

PATH_DISTANCE = 0.1
"""Distance between the points of the path that shows the band edges, in 1/Å."""


class AbinitGwGapWorkChain(GwGapWorkChain):
    """Quasiparticle gap by ABINIT.

    Ground state: scf, then states on the mesh and on a path in its fixed potential; skipped if handed on.
    Then screening and self-energy, once or, for a self-consistent method, until neither the direct nor the indirect
    gap changes by more than the tolerance; each iteration starts from the quasiparticles of the one before.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define the code and the outline; the rest is that of the interface."""
        super().define(spec)
        spec.input('code', valid_type=orm.AbstractCode, help='A code with the plugin `foundry.abinit`.')
        spec.inputs.validator = validate_inputs
        spec.outline(
            cls.setup,
            if_(cls.should_run_ground_state)(
                cls.run_scf,
                cls.inspect_scf,
                cls.run_bands,
                cls.inspect_bands,
            ),
            while_(cls.should_iterate)(
                if_(cls.should_run_screening)(
                    cls.run_screening,
                    cls.inspect_screening,
                ),
                cls.run_self_energy,
                cls.inspect_self_energy,
            ),
            cls.results,
        )

    def setup(self) -> None:
        """Prepare the context."""
        self.ctx.method = get_method(self.inputs.method.value)
        self.ctx.parameters = self.inputs.parameters.get_dict()
        self.ctx.electrons = valence_electrons(self.inputs.structure, self.inputs.pseudos)
        self.ctx.occupied = self.ctx.electrons // 2
        self.ctx.iteration = 0
        self.ctx.changes = []
        self.ctx.cost = {}
        if 'ground_state' in self.inputs:
            self.ctx.ground_state = AttributeDict(self.inputs.ground_state)
            self.ctx.pseudos = dict(self.ctx.ground_state.mesh_bands.creator.inputs.pseudos)
        else:
            self.ctx.ground_state = AttributeDict()
            self.ctx.pseudos = psp8_by_kind(self.inputs.pseudos)
        if 'screening' in self.inputs:
            self.ctx.screening = self.inputs.screening

    def should_run_ground_state(self) -> bool:
        """Return whether no ground state was handed on."""
        return 'ground_state' not in self.inputs

    def run_scf(self) -> ToContext:
        """Run the ground state."""
        parameters = variables.scf(self.ctx.parameters, self.ctx.occupied)
        return ToContext(scf=self._submit('scf', parameters, self.inputs.kpoints))

    def inspect_scf(self) -> ExitCode | None:
        """Stop here if the crystal is a metal: everything beyond is expensive and has no gap to find."""
        if not self.ctx.scf.is_finished_ok:
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_SCF
        self._add_cost('scf', self.ctx.scf)
        self.ctx.ground_state.density = self.ctx.scf.outputs.remote_folder
        return self._check_insulator(self.ctx.scf.outputs.output_bands)

    def run_bands(self) -> ToContext:
        """Run the states on the mesh and on a path, both in the potential of the ground state."""
        parents = {'density': self.ctx.ground_state.density}
        path = band_path.band_path(self.inputs.structure, orm.Float(PATH_DISTANCE), orm.Int(band_path.VERSION))
        mesh_parameters = variables.mesh_bands(self.ctx.parameters)
        path_parameters = variables.path_bands(self.ctx.parameters, self.ctx.occupied)
        return ToContext(
            mesh_bands=self._submit('mesh_bands', mesh_parameters, self.inputs.kpoints, parents),
            path_bands=self._submit('path_bands', path_parameters, path, parents),
        )

    def inspect_bands(self) -> ExitCode | None:
        """Hand on the bands; the path may close a gap that the mesh shows."""
        for label in ('mesh_bands', 'path_bands'):
            if not self.ctx[label].is_finished_ok:
                return self.exit_codes.ERROR_SUB_PROCESS_FAILED_BANDS
            self._add_cost(label, self.ctx[label])
            self.ctx.ground_state[label] = self.ctx[label].outputs.output_bands
        self.ctx.ground_state.wavefunctions = self.ctx.mesh_bands.outputs.remote_folder
        return self._check_insulator(self.ctx.ground_state.path_bands)

    def should_iterate(self) -> bool:
        """Return whether a self-energy is missing, or the self-consistent ones still change."""
        if self.ctx.iteration == 0:
            return True
        if not self.ctx.method.self_consistent:
            return False
        limits = self.ctx.parameters['self_consistency']
        return not self._converged() and self.ctx.iteration < limits['max_iterations']

    def should_run_screening(self) -> bool:
        """Return whether the screening of this iteration was not handed on."""
        return not (self.ctx.iteration == 0 and 'screening' in self.inputs)

    def run_screening(self) -> ToContext:
        """Run the screening with the states of the ground state or of the last self-energy."""
        label = self._label('screening')
        parameters = variables.screening(self.ctx.parameters, self.ctx.method, self.ctx.iteration)
        return ToContext(**{label: self._submit(label, parameters, self.inputs.kpoints, self._states())})

    def inspect_screening(self) -> ExitCode | None:
        """Keep the first screening for other methods."""
        label = self._label('screening')
        if not self.ctx[label].is_finished_ok:
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_SCREENING
        self._add_cost(label, self.ctx[label])
        self.ctx.screening = self.ctx[label].outputs.remote_folder
        if self.ctx.iteration == 0:
            self.out('screening', self.ctx.screening)
        return None

    def run_self_energy(self) -> ToContext:
        """Run the self-energy on the screening of this iteration."""
        label = self._label('self_energy')
        kpoints = self.ctx.ground_state.mesh_bands.get_kpoints().tolist()
        parameters = variables.self_energy(self.ctx.parameters, self.ctx.method, kpoints, self.ctx.occupied)
        parents = {**self._states(), 'screening': self.ctx.screening}
        return ToContext(**{label: self._submit(label, parameters, self.inputs.kpoints, parents)})

    def inspect_self_energy(self) -> ExitCode | None:
        """Note how much the gaps changed in this iteration."""
        label = self._label('self_energy')
        if not self.ctx[label].is_finished_ok:
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_SELF_ENERGY
        self._add_cost(label, self.ctx[label])
        self.ctx.self_energy = self.ctx[label]
        self.ctx.iteration += 1
        try:
            gap = self._gap()
        except gaps.MetallicBandsError as exception:
            return self.exit_codes.ERROR_NO_QUASIPARTICLE_GAP.format(detail=str(exception))
        if 'gap' in self.ctx:
            change = max(abs(gap.direct - self.ctx.gap.direct), abs(gap.indirect - self.ctx.gap.indirect))
            self.ctx.changes.append(change)
        self.ctx.gap = gap
        self.report(f'{label}: direct gap {gap.direct:.3f} eV, indirect {gap.indirect:.3f} eV on the mesh')
        return None

    def results(self) -> ExitCode | None:
        """Attach the outputs; those of iterations that did not converge come with an exit code."""
        self.attach_gaps()
        if 'screening' not in self.outputs:
            self.out('screening', self.inputs.screening)
        if self.ctx.method.self_consistent and not self._converged():
            return self.exit_codes.ERROR_SELF_CONSISTENCY_NOT_REACHED.format(
                change=self.ctx.changes[-1] if self.ctx.changes else float('nan'),
                iterations=self.ctx.iteration,
                tolerance=self.ctx.parameters['self_consistency']['gap_tolerance'],
            )
        return None

    def _submit(
        self,
        label: str,
        parameters: dict[str, Any],
        kpoints: orm.KpointsData,
        parents: Mapping[str, orm.RemoteData] | None = None,
    ) -> orm.ProcessNode:
        """Submit one run of ABINIT."""
        inputs = {
            'code': self.inputs.code,
            'structure': self.inputs.structure,
            'kpoints': kpoints,
            'pseudos': self.ctx.pseudos,
            'parameters': orm.Dict(parameters),
            'parents': dict(parents or {}),
            'metadata': {'options': self.inputs.options.get_dict() if 'options' in self.inputs else {}},
        }
        metadata = {'call_link_label': label, 'label': label}
        process = self.submit(AbinitBaseWorkChain, abinit=inputs, metadata=metadata)
        self.report(f'launched {label} <{process.pk}>')
        return process

    def _label(self, step: str) -> str:
        """Return the link label of a step of this iteration."""
        return f'{step}_{self.ctx.iteration}' if self.ctx.method.self_consistent else step

    def _states(self) -> dict[str, orm.RemoteData]:
        """Return the folders with the states of this iteration."""
        states = {'wavefunctions': self.ctx.ground_state.wavefunctions}
        if self.ctx.iteration:
            states['quasiparticles'] = self.ctx.self_energy.outputs.remote_folder
        return states

    def _check_insulator(self, bands: orm.BandsData) -> ExitCode | None:
        try:
            gaps.find_gap(bands.get_bands(), bands.get_kpoints(), self.ctx.electrons)
        except gaps.MetallicBandsError as exception:
            return self.exit_codes.ERROR_METALLIC.format(detail=str(exception))
        return None

    def _gap(self) -> gaps.Gap:
        """Return the gap of the last self-energy."""
        quasiparticles = self.ctx.self_energy.outputs.output_quasiparticles
        window, first = gaps.computed_bands(quasiparticles.get_array('qp_energies'))
        return gaps.find_gap(window, quasiparticles.get_array('kpoints'), self.ctx.electrons, first_band=first)

    def _converged(self) -> bool:
        tolerance = self.ctx.parameters['self_consistency']['gap_tolerance']
        return bool(self.ctx.changes) and self.ctx.changes[-1] <= tolerance

    def _add_cost(self, label: str, process: orm.ProcessNode) -> None:
        self.ctx.cost[label] = process.outputs.output_parameters


def validate_inputs(inputs: Mapping[str, Any], _: Any) -> str | None:
    """Check that ABINIT can make the self-energy, and that what is handed on belongs to the other inputs."""
    if 'parameters' in inputs and (message := message_of(check_cutoffs, inputs['parameters'].get_dict())):
        return message
    if 'screening' in inputs and 'ground_state' not in inputs:
        return 'screening: it was made with a ground state that is not given. Hand on `ground_state` as well'
    if 'ground_state' in inputs and (message := message_of(check_ground_state, inputs)):
        return message
    return message_of(check_screening, inputs) if 'screening' in inputs else None


def check_cutoffs(parameters: Mapping[str, Any]) -> None:
    """Refuse a screening that ABINIT computes and then cannot use: its self-energy stops with a mismatch of spheres.

    Raises:
        InputError: the screening has more plane waves than the wavefunctions.
    """
    screening, wavefunctions = parameters['screening_cutoff'], parameters['wavefunction_cutoff']
    if screening > wavefunctions:
        reason = f'{screening} hartree exceeds the wavefunction cutoff, {wavefunctions}, which ABINIT does not take'
        raise InputError('parameter `screening_cutoff`', reason, f'Give at most {wavefunctions} hartree')


def check_ground_state(inputs: Mapping[str, Any]) -> None:
    """Refuse a ground state of another structure, mesh, pseudopotential or of other parameters.

    Raises:
        InputError: names what differs.
    """
    run = inputs['ground_state']['mesh_bands'].creator
    parameters = inputs['parameters'].get_dict()
    wanted, done = variables.mesh_bands(parameters), run.inputs.parameters.get_dict()
    differences = {
        'structure': run.inputs.structure.uuid != inputs['structure'].uuid,
        'mesh': run.inputs.kpoints.get_kpoints_mesh()[0] != inputs['kpoints'].get_kpoints_mesh()[0],
        'wavefunction cutoff': done['ecut'] != wanted['ecut'],
        'functional': done['ixc'] != wanted['ixc'],
        'number of bands': done['nband'] - done['nbdbuf'] < parameters['bands'],
        'folder': run.outputs.remote_folder.uuid != inputs['ground_state']['wavefunctions'].uuid,
        'pseudopotentials': {kind: pseudo.get_content() for kind, pseudo in run.inputs.pseudos.items()}
        != {kind: psp8.upf_to_psp8(upf.get_content()) for kind, upf in inputs['pseudos'].items()},
    }
    _refuse('ground_state', [name for name, differs in differences.items() if differs])


def check_screening(inputs: Mapping[str, Any]) -> None:
    """Refuse a screening of other parameters or of another ground state.

    Raises:
        InputError: names what differs.
    """
    run = inputs['screening'].creator
    parameters, method = inputs['parameters'].get_dict(), get_method(inputs['method'].value)
    wanted, done = variables.screening(parameters, method, 0), run.inputs.parameters.get_dict()
    differences = [name for name in sorted({*wanted, *done}) if wanted.get(name) != done.get(name)]
    if run.inputs.parents.wavefunctions.uuid != inputs['ground_state']['wavefunctions'].uuid:
        differences.append('ground state')
    _refuse('screening', differences)


def _refuse(subject: str, differences: list[str]) -> None:
    if differences:
        raise InputError(
            subject,
            f'it does not belong to the other inputs: {", ".join(differences)} differ',
            'Leave it out, so that it is computed',
        )
