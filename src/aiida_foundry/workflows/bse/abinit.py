"""Optical spectra and excitons with ABINIT."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import ExitCode, ProcessSpec, ToContext, if_

from aiida_foundry.analysis import gaps, optics
from aiida_foundry.engines.abinit import quasiparticle_file
from aiida_foundry.engines.abinit.base import AbinitBaseWorkChain
from aiida_foundry.engines.abinit.calcfunctions import psp8_by_kind
from aiida_foundry.structures.checks import valence_electrons
from aiida_foundry.workflows.bse import abinit_variables as variables
from aiida_foundry.workflows.bse import calcfunctions
from aiida_foundry.workflows.bse.abinit_checks import validate_inputs
from aiida_foundry.workflows.bse.provenance import has_origin
from aiida_foundry.workflows.bse.spectrum import BseSpectrumWorkChain

GAP_TOLERANCE = 2e-3
"""eV by which the direct gap in the log of ABINIT, in single precision, may differ from the one intended."""

ZEROED_MEMORY = {'MALLOC_PERTURB_': '255'}
"""Lets glibc hand out zeroed memory. Without attraction ABINIT 9.6 adds to a Hamiltonian that it does not set to zero:
the result would depend on what was in memory before."""


def rpa_failure(process: orm.ProcessNode, gap: float) -> str:
    """Return why a run without attraction cannot be used, or an empty text.

    Args:
        process: the run.
        gap: direct quasiparticle gap in eV.
    """
    if not process.is_finished_ok:
        return process.exit_message or f'process <{process.pk}>'
    if 'output_excitons' not in process.outputs:
        return ''
    lowest = process.outputs.output_excitons.get_array('energies').min()
    if lowest < gap - GAP_TOLERANCE:
        return f'its lowest energy, {lowest:.3f} eV, is below the direct gap, {gap:.3f} eV: memory was not initialised'
    return ''


class AbinitBseSpectrumWorkChain(BseSpectrumWorkChain):
    """Optical spectrum and excitons by ABINIT.

    Ground state: scf, then states on the mesh in its fixed potential; skipped if handed on, and so is the screening.
    The corrections become a file that ABINIT reads, and the direct gap in its log must be the one intended. No energy
    of the RPA beside it may lie below that gap: exchange of electron and hole is repulsive.
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
            cls.bring_corrections,
            if_(cls.should_run_screening)(
                cls.run_screening,
                cls.inspect_screening,
            ),
            cls.run_bse,
            cls.inspect_bse,
            cls.results,
        )

    def setup(self) -> None:
        """Prepare the context."""
        self.ctx.parameters = self.inputs.parameters.get_dict()
        self.ctx.electrons = valence_electrons(self.inputs.structure, self.inputs.pseudos)
        self.ctx.occupied = self.ctx.electrons // 2
        self.ctx.cost = {}
        if 'ground_state' in self.inputs:
            self.ctx.ground_state = AttributeDict(self.inputs.ground_state)
            self.ctx.pseudos = dict(self.ctx.ground_state.mesh_bands.creator.inputs.pseudos)
        else:
            self.ctx.ground_state = AttributeDict()
            self.ctx.pseudos = psp8_by_kind(self.inputs.pseudos)

    def should_run_ground_state(self) -> bool:
        """Return whether no ground state was handed on."""
        return 'ground_state' not in self.inputs

    def run_scf(self) -> ToContext:
        """Run the ground state."""
        return ToContext(scf=self._submit('scf', variables.scf(self.ctx.parameters, self.ctx.occupied)))

    def inspect_scf(self) -> ExitCode | None:
        """Stop here if the crystal is a metal."""
        if not self.ctx.scf.is_finished_ok:
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_SCF
        self._add_cost('scf', self.ctx.scf)
        self.ctx.ground_state.density = self.ctx.scf.outputs.remote_folder
        bands = self.ctx.scf.outputs.output_bands
        try:
            gaps.find_gap(bands.get_bands(), bands.get_kpoints(), self.ctx.electrons)
        except gaps.MetallicBandsError as exception:
            return self.exit_codes.ERROR_METALLIC.format(detail=str(exception))
        return None

    def run_bands(self) -> ToContext:
        """Run the states on the mesh in the potential of the ground state."""
        parents = {'density': self.ctx.ground_state.density}
        return ToContext(mesh_bands=self._submit('mesh_bands', variables.mesh_bands(self.ctx.parameters), parents))

    def inspect_bands(self) -> ExitCode | None:
        """Hand on the bands."""
        if not self.ctx.mesh_bands.is_finished_ok:
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_BANDS
        self._add_cost('mesh_bands', self.ctx.mesh_bands)
        self.ctx.ground_state.mesh_bands = self.ctx.mesh_bands.outputs.output_bands
        self.ctx.ground_state.wavefunctions = self.ctx.mesh_bands.outputs.remote_folder
        return None

    def write_corrections(self) -> orm.SinglefileData:
        """Return the corrections as ABINIT reads them."""
        version = orm.Int(quasiparticle_file.VERSION)
        bands = self.ctx.ground_state.mesh_bands
        return calcfunctions.abinit_file(self.ctx.moved['corrections'], bands, self.ctx.window, version)

    def should_run_screening(self) -> bool:
        """Return whether no screening was handed on."""
        self.ctx.screening = self.inputs.get('screening')
        return self.ctx.screening is None

    def run_screening(self) -> ToContext:
        """Run the screening."""
        parents = {'wavefunctions': self.ctx.ground_state.wavefunctions}
        return ToContext(screening_run=self._submit('screening', variables.screening(self.ctx.parameters), parents))

    def inspect_screening(self) -> ExitCode | None:
        """Hand on the screening."""
        if not self.ctx.screening_run.is_finished_ok:
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_SCREENING
        self._add_cost('screening', self.ctx.screening_run)
        self.ctx.screening = self.ctx.screening_run.outputs.remote_folder
        return None

    def run_bse(self) -> ToContext:
        """Run the Bethe-Salpeter equation, and the RPA beside it."""
        parents = {'wavefunctions': self.ctx.ground_state.wavefunctions, 'screening': self.ctx.screening}
        window = (self.ctx.window['first'], self.ctx.window['last'])
        runs = {'bse': True, 'rpa': False} if self.ctx.parameters['rpa'] else {'bse': True}
        return ToContext(
            **{
                label: self._submit(
                    label,
                    variables.bethe_salpeter(
                        self.ctx.parameters, self.inputs.structure.cell, window, attraction=attraction
                    ),
                    parents,
                    self.ctx.file,
                    {} if attraction else ZEROED_MEMORY,
                )
                for label, attraction in runs.items()
            }
        )

    def inspect_bse(self) -> ExitCode | None:
        """Check that the energies are those intended: ABINIT goes on where it lacks corrections."""
        wanted = self.intended_gap()
        if not self.ctx.bse.is_finished_ok:
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_BSE
        if 'rpa' in self.ctx and (detail := rpa_failure(self.ctx.rpa, wanted)):
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_RPA.format(detail=detail)
        for label in ('bse', 'rpa'):
            if label not in self.ctx:
                continue
            self._add_cost(label, self.ctx[label])
            found = self.ctx[label].outputs.output_parameters['quasiparticle_direct_gap']
            if abs(found - wanted) > GAP_TOLERANCE:
                return self.exit_codes.ERROR_CORRECTIONS_NOT_APPLIED.format(found=found, wanted=wanted)
        return None

    def results(self) -> ExitCode | None:
        """Attach the outputs."""
        outputs = self.ctx.bse.outputs
        excitons = {'excitons': outputs.output_excitons} if 'output_excitons' in outputs else {}
        rpa = {'rpa': self.ctx.rpa.outputs.output_optical} if 'rpa' in self.ctx else {}
        parts = {'optical': outputs.output_optical, **excitons, **rpa}
        settings, version = orm.Dict(self.ctx.parameters['spectrum']), orm.Int(optics.VERSION)
        spectra = calcfunctions.abinit_spectra(self.inputs.structure, settings, version, **parts)
        bands, moved = self.ctx.ground_state.mesh_bands, self.ctx.moved
        summary = calcfunctions.summarise(
            spectra, bands, moved['quasiparticle_bands'], self.ctx.window, self._facts(), version, **excitons
        )
        return self.attach_spectra(spectra, summary, excitons)

    def _facts(self) -> orm.Dict:
        """Return how the result was made, where that is not among the inputs."""
        screening = self.ctx.screening.creator.outputs.output_parameters
        return orm.Dict(
            {
                'engine': 'abinit',
                'head': {
                    'definition': 'mean of the diverging head of W over the cell of the mesh around Γ: '
                    'c/ε·4πΩ^(1/3)/(2π)³',
                    'factor': self.ctx.bse.outputs.output_parameters['head_factor'],
                    'dielectric_constant': screening['dielectric_constant_with_local_fields'],
                },
                'exchange_cutoff': self.ctx.parameters['screening_cutoff'],
                'velocity_at_gamma': 'commutator of r and the nonlocal pseudopotential',
                'origin_checked': 'scissor' in self.inputs or has_origin(self.inputs.quasiparticles),
            }
        )

    def _submit(
        self,
        label: str,
        parameters: Mapping[str, Any],
        parents: Mapping[str, orm.RemoteData] | None = None,
        corrections: orm.SinglefileData | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> orm.ProcessNode:
        """Submit one run of ABINIT."""
        options = self.inputs.options.get_dict() if 'options' in self.inputs else {}
        if environment:
            options['environment_variables'] = {**options.get('environment_variables', {}), **environment}
        inputs = {
            'code': self.inputs.code,
            'structure': self.inputs.structure,
            'kpoints': self.inputs.kpoints,
            'pseudos': self.ctx.pseudos,
            'parameters': orm.Dict(dict(parameters)),
            'parents': dict(parents or {}),
            'metadata': {'options': options},
        }
        if corrections is not None:
            inputs['quasiparticle_file'] = corrections
            inputs['settings'] = orm.Dict({'excitons': self.ctx.parameters['excitons']})
        process = self.submit(AbinitBaseWorkChain, abinit=inputs, metadata={'call_link_label': label, 'label': label})
        self.report(f'launched {label} <{process.pk}>')
        return process

    def _add_cost(self, label: str, process: orm.ProcessNode) -> None:
        self.ctx.cost[label] = process.outputs.output_parameters
