"""Excitons on Koopmans energies, beside those on other quasiparticle energies."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext, WorkChain, if_
from aiida.plugins import WorkflowFactory
from aiida_pseudo.data.pseudo.upf import UpfData

from aiida_foundry.common.errors import message_of
from aiida_foundry.workflows.bse.comparison import VERSION, compare
from aiida_foundry.workflows.bse.ki_builder import KiBuilder
from aiida_foundry.workflows.bse.spectrum import ENGINES, GAMMA_REASON, BseSpectrumWorkChain
from aiida_foundry.workflows.shared.cleanup import CleanWorkdirMixin
from aiida_foundry.workflows.shared.inputs import check_gamma_mesh
from aiida_foundry.workflows.shared.protocol import StrictProtocolMixin

PwRelaxWorkChain = WorkflowFactory('quantumespresso.pw.relax')

METHODS = ('ki', 'g0w0', 'scissor')
"""What the Kohn-Sham energies are corrected by: Koopmans always, the others on request."""


class BseKiWorkChain(StrictProtocolMixin, KiBuilder, CleanWorkdirMixin, WorkChain):
    """Optical spectrum and excitons of an insulator on Koopmans-integer (KI) energies, from the structure on.

    The structure is relaxed if asked to. Koopmans energies and, if asked for, G0W0 ones are computed at the same time,
    on the same mesh; then the Bethe-Salpeter equation is solved on each of them, and on a scissor if one is given, with
    the same Kohn-Sham states and the same screening. G0W0 makes these if it is asked for, else the first spectrum does.
    A spectrum beside that on KI energies that fails does not stop the others.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define inputs, outline, outputs and exit codes."""
        super().define(spec)
        cls._define_inputs(spec)
        spec.outline(
            cls.setup,
            if_(cls.should_relax)(
                cls.run_relax,
                cls.inspect_relax,
            ),
            cls.run_corrections,
            cls.inspect_corrections,
            cls.run_ki_spectrum,
            cls.inspect_ki_spectrum,
            if_(cls.should_run_others)(cls.run_others),
            cls.results,
        )
        cls._define_outputs(spec)
        spec.exit_code(401, 'ERROR_SUB_PROCESS_FAILED_RELAX', message='The relaxation failed: {message}')
        spec.exit_code(402, 'ERROR_SUB_PROCESS_FAILED_KOOPMANS', message='The Koopmans energies failed: {message}')
        spec.exit_code(403, 'ERROR_SUB_PROCESS_FAILED_SPECTRUM', message='The spectrum on KI failed: {message}')
        spec.exit_code(
            404, 'ERROR_SUB_PROCESS_FAILED_OTHERS', message='The spectrum on KI is there; these failed: {message}'
        )

    @classmethod
    def _define_inputs(cls, spec: ProcessSpec) -> None:
        spec.input('structure', valid_type=orm.StructureData, help='The crystal, non-magnetic.')
        spec.input(
            'kpoints',
            valid_type=orm.KpointsData,
            validator=lambda node, _: message_of(check_gamma_mesh, node, GAMMA_REASON),
            help='Mesh through Γ, of all steps.',
        )
        spec.input_namespace(
            'pseudos', valid_type=UpfData, dynamic=True, help='Norm-conserving pseudopotentials by kind.'
        )
        spec.expose_inputs(
            PwRelaxWorkChain,
            namespace='relax',
            exclude=('structure', 'clean_workdir'),
            namespace_options={'required': False, 'populate_defaults': False, 'help': 'Relax the structure first.'},
        )
        help_text = 'Inputs of the adapter of `{}`, without structure, mesh and pseudopotentials.'
        for name, interface in (('koopmans', 'koopmans.ki'), ('gw', 'gw.gap'), ('bse', 'bse.spectrum')):
            help_ = help_text.format(f'foundry.{interface}')
            spec.input_namespace(name, dynamic=True, required=name != 'gw', populate_defaults=False, help=help_)
        spec.input('engines.koopmans', valid_type=orm.Str, help='Entry point of the adapter of the Koopmans energies.')
        spec.input('engines.gw', valid_type=orm.Str, required=False, help='Entry point of the adapter of G0W0.')
        spec.input(
            'engines.bse',
            valid_type=orm.Str,
            validator=lambda node, _: None if node.value in ENGINES.values() else f'{node.value} is no adapter',
            help='Entry point of the adapter of the Bethe-Salpeter equation.',
        )
        spec.input('scissor', valid_type=orm.Float, required=False, help='Shift of the empty states in eV to compare.')
        cls.define_clean_workdir(spec)

    @classmethod
    def _define_outputs(cls, spec: ProcessSpec) -> None:
        spec.output('structure', valid_type=orm.StructureData, required=False, help='The relaxed structure.')
        spec.output(
            'quasiparticles', valid_type=orm.ArrayData, help='Koopmans energies: see `foundry.koopmans.ki`, in eV.'
        )
        spec.output(
            'comparison',
            valid_type=orm.Dict,
            help='By method: direct gap, lowest and lowest bright exciton, binding energies, peaks (eV); core seconds '
            'of the corrections, of ground state and screening, and of each spectrum.',
        )
        for method in METHODS:
            spec.expose_outputs(
                BseSpectrumWorkChain,
                namespace=method,
                namespace_options={'required': False, 'help': f'Outputs of `foundry.bse.spectrum` on {method}.'},
            )

    @classmethod
    def get_protocol_filepath(cls) -> Path:
        """Return the path of the YAML file with the protocols."""
        return Path(str(files('aiida_foundry.workflows.bse.protocols') / 'ki.yaml'))

    @classmethod
    def get_builder_from_protocol(
        cls,
        codes: Mapping[str, orm.AbstractCode],
        structure: orm.StructureData,
        *,
        g0w0: bool = False,
        scissor: float | None = None,
        relax: bool = False,
        koopmans_engine: str = 'native',
        engine: str = 'abinit',
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        pseudo_family: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder with all inputs set.

        Args:
            codes: those of `foundry.koopmans.ki`, and that of the Bethe-Salpeter engine under its name.
            structure: the crystal.
            g0w0: whether to solve the Bethe-Salpeter equation on G0W0 energies as well.
            scissor: shift of the empty states in eV on which to solve it as well.
            relax: whether to relax the structure first.
            koopmans_engine: of `foundry.koopmans.ki`.
            engine: of `foundry.bse.spectrum` and `foundry.gw.gap`.
            protocol: `fast`, `balanced` or `stringent`.
            overrides: replacements of what the protocol sets, with the same nesting.
            pseudo_family: label of the pseudopotential family; a short form of the override of that name.
            options: `metadata.options` of all calculations.

        Raises:
            InputError: for anything that cannot work, with the reason.
        """
        inputs = cls.get_protocol_inputs(protocol, overrides)
        inputs['pseudo_family'] = pseudo_family or inputs['pseudo_family']
        inputs['options'] = {**inputs['options'], **(options or {})}
        return cls.fill_builder(
            codes, structure, inputs, protocol, g0w0=g0w0, scissor=scissor, relax=relax,
            koopmans_engine=koopmans_engine, engine=engine,
        )  # fmt: skip

    def setup(self) -> None:
        """Start from the given structure."""
        self.ctx.structure = self.inputs.structure

    def should_relax(self) -> bool:
        """Return whether a relaxation was asked for."""
        return 'relax' in self.inputs

    def run_relax(self) -> ToContext:
        """Relax the structure."""
        inputs = self.exposed_inputs(PwRelaxWorkChain, 'relax', agglomerate=False)
        return ToContext(relax=self._submit('relax', PwRelaxWorkChain, {**inputs, 'structure': self.ctx.structure}))

    def inspect_relax(self) -> ExitCode | None:
        """Go on with the relaxed structure."""
        if not self.ctx.relax.is_finished_ok:
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_RELAX.format(message=self.ctx.relax.exit_message)
        self.ctx.structure = self.ctx.relax.outputs.output_structure
        self.out('structure', self.ctx.structure)
        return None

    def run_corrections(self) -> ToContext:
        """Run Koopmans and, if asked for, G0W0 energies."""
        names = [name for name in ('koopmans', 'gw') if name in self.inputs]
        return ToContext(
            **{
                name: self._submit(name, WorkflowFactory(self.inputs.engines[name].value), self._inputs_of(name))
                for name in names
            }
        )

    def inspect_corrections(self) -> ExitCode | None:
        """Hand on the Koopmans energies; G0W0 may fail."""
        if not self.ctx.koopmans.is_finished_ok:
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_KOOPMANS.format(message=self.ctx.koopmans.exit_message)
        self.ctx.corrections = {'ki': self.ctx.koopmans.outputs.quasiparticles}
        self.out('quasiparticles', self.ctx.koopmans.outputs.quasiparticles)
        if 'gw' in self.ctx and self.ctx.gw.is_finished_ok:
            self.ctx.shared = _shared(self.ctx.gw)
            self.ctx.corrections['g0w0'] = self.ctx.gw.outputs.gaps.creator.inputs.quasiparticles
        if 'scissor' in self.inputs:
            self.ctx.corrections['scissor'] = self.inputs.scissor
        return None

    def run_ki_spectrum(self) -> ToContext:
        """Run the Bethe-Salpeter equation on the Koopmans energies."""
        return ToContext(ki=self._submit_spectrum('ki'))

    def inspect_ki_spectrum(self) -> ExitCode | None:
        """Let the others use its ground state and screening."""
        if not self.ctx.ki.is_finished_ok:
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_SPECTRUM.format(message=self.ctx.ki.exit_message)
        self.ctx.shared = _shared(self.ctx.ki)
        return None

    def should_run_others(self) -> bool:
        """Return whether there are other energies."""
        return len(self.ctx.corrections) > 1

    def run_others(self) -> ToContext:
        """Run the Bethe-Salpeter equation on all other energies at once."""
        return ToContext(**{name: self._submit_spectrum(name) for name in self.ctx.corrections if name != 'ki'})

    def results(self) -> ExitCode | None:
        """Attach the outputs of all that succeeded, and compare them."""
        processes = {name: self.ctx[name] for name in METHODS if name in self.ctx}
        done = {name: process for name, process in processes.items() if process.is_finished_ok}
        for name, process in done.items():
            self.out_many(self.exposed_outputs(process, BseSpectrumWorkChain, namespace=name))
        parts = {f'{name}__excitons': process.outputs.excitons for name, process in done.items()}
        costs = {'koopmans': self.ctx.koopmans, **({'gw': self.ctx.gw} if 'gw' in self.ctx else {}), **done}
        parts |= {f'{name}__cost': process.outputs.cost for name, process in costs.items() if 'cost' in process.outputs}
        self.out('comparison', compare(orm.Int(VERSION), **parts))
        failed = [process for name, process in {**costs, **processes}.items() if not process.is_finished_ok]
        if failed:
            message = '; '.join(f'{process.label} <{process.pk}> ({process.exit_message})' for process in failed)
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_OTHERS.format(message=message)
        return None

    def _inputs_of(self, name: str) -> dict[str, Any]:
        """Return the inputs of a step with what all steps share."""
        shared = {'structure': self.ctx.structure, 'kpoints': self.inputs.kpoints, 'pseudos': dict(self.inputs.pseudos)}
        return {**self.inputs[name], **shared}

    def _submit_spectrum(self, method: str) -> orm.ProcessNode:
        """Submit the Bethe-Salpeter equation on the energies of one method."""
        corrections = self.ctx.corrections[method]
        name = 'scissor' if method == 'scissor' else 'quasiparticles'
        inputs = {**self._inputs_of('bse'), name: corrections, **self.ctx.get('shared', {})}
        return self._submit(method, WorkflowFactory(self.inputs.engines.bse.value), inputs)

    def _submit(self, label: str, process_class: type[WorkChain], inputs: Mapping[str, Any]) -> orm.ProcessNode:
        process = self.submit(process_class, **inputs, metadata={'call_link_label': label, 'label': label})
        self.report(f'launched {label} <{process.pk}>')
        return process


def _shared(process: orm.ProcessNode) -> dict[str, Any]:
    """Return ground state and screening of a process for others."""
    names = ('density', 'wavefunctions', 'mesh_bands')
    states = process.outputs.ground_state
    return {
        'ground_state': {name: states[name] for name in names if name in states},
        'screening': process.outputs.screening,
    }
