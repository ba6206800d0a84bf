"""Optical spectra and excitons with Yambo."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessSpec, ToContext, if_

from aiida_foundry.analysis import directions, optics
from aiida_foundry.analysis import quasiparticles as qp
from aiida_foundry.common.errors import message_of
from aiida_foundry.structures.checks import cell_of
from aiida_foundry.workflows.bse import calcfunctions, yambo_calcfunctions
from aiida_foundry.workflows.bse import yambo_variables as variables
from aiida_foundry.workflows.bse.parameters import HAYDOCK
from aiida_foundry.workflows.bse.provenance import has_origin
from aiida_foundry.workflows.bse.spectrum import BseSpectrumWorkChain, check_corrections
from aiida_foundry.workflows.shared import yambo as shared


def validate_inputs(inputs: Mapping[str, Any], _: Any) -> str | None:
    """Check that the corrections, and what is handed on, belong to the other inputs."""
    if 'screening' in inputs and 'ground_state' not in inputs:
        return 'screening: it was made with a ground state that is not given. Hand on `ground_state` as well'
    message = message_of(check_corrections, inputs)
    if message is None and 'ground_state' in inputs:
        message = message_of(shared.check_states, inputs, inputs['kpoints'])
    if message is None and 'screening' in inputs:
        message = message_of(shared.check_screening, inputs)
    return message


class YamboBseSpectrumWorkChain(shared.YamboStatesMixin, BseSpectrumWorkChain):
    """Optical spectrum and excitons by Yambo.

    Ground state: scf and states on the mesh by pw.x, imported by p2y; skipped if handed on, and so is the screening.
    The corrections become a database whose states, and whose gap in Yambo's report, must be those intended. The field
    is applied along as few directions as the symmetry of the crystal leaves independent: one for a cubic crystal.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define the codes and the outline; the rest is that of the interface."""
        super().define(spec)
        cls.define_codes(spec)
        spec.inputs.validator = validate_inputs
        spec.outline(
            cls.setup,
            if_(cls.should_run_ground_state)(
                cls.run_scf,
                cls.inspect_scf,
                cls.run_bands,
                cls.inspect_bands,
                cls.run_import,
                cls.inspect_import,
            ),
            cls.bring_corrections,
            if_(cls.should_run_screening)(
                cls.run_screening,
                cls.inspect_screening,
            ),
            cls.run_spectra,
            cls.inspect_spectra,
            cls.results,
        )
        spec.exit_code(406, 'ERROR_SUB_PROCESS_FAILED_IMPORT', message='p2y failed: {message}')

    def setup(self) -> None:
        """Prepare the context, and the directions of the field that the tensor needs."""
        super().setup()
        cell = cell_of(self.inputs.structure)
        self.ctx.fields = directions.needed(cell.lattice, qp.reciprocal_operations(cell)).tolist()

    def write_corrections(self) -> orm.SinglefileData:
        """Return the corrections as Yambo reads them."""
        setup, version = self.ctx.ground_state.wavefunctions.creator.outputs.setup, orm.Int(yambo_calcfunctions.VERSION)
        return yambo_calcfunctions.yambo_database(self.ctx.moved['corrections'], setup, self.ctx.window, version)

    def run_screening(self) -> ToContext:
        """Run the screening."""
        parameters = variables.screening(self.ctx.parameters, self.inputs.structure.cell)
        return ToContext(screening_run=self.submit_yambo('screening', parameters))

    def run_spectra(self) -> ToContext:
        """Run each kernel along each direction; independent particles on the Kohn-Sham energies."""
        kinds = ('bse', 'rpa', 'ip') if self.ctx.parameters['rpa'] else ('bse', 'ip')
        self.ctx.runs = [(kind, index) for kind in kinds for index in range(len(self.ctx.fields))]
        return ToContext(**{f'{kind}_{index}': self._submit_spectrum(kind, index) for kind, index in self.ctx.runs})

    def inspect_spectra(self) -> ExitCode | None:
        """Check that all are there, and on the energies intended."""
        for kind, index in self.ctx.runs:
            process = self.ctx[f'{kind}_{index}']
            if not process.is_finished_ok and kind == 'rpa':
                return self.exit_codes.ERROR_SUB_PROCESS_FAILED_RPA.format(detail=process.exit_message)
            if not process.is_finished_ok:
                return self.exit_codes.ERROR_SUB_PROCESS_FAILED_BSE
            self.ctx.cost[f'{kind}_{index}'] = process.outputs.output_parameters
        return None

    def results(self) -> ExitCode | None:
        """Attach the outputs."""
        spectra = {f'{kind}_{n}': self.ctx[f'{kind}_{n}'].outputs.output_spectrum for kind, n in self.ctx.runs}
        structure, version = self.inputs.structure, orm.Int(yambo_calcfunctions.VERSION)
        states = {}
        if self.ctx.parameters['algorithm'] != HAYDOCK:
            runs = range(len(self.ctx.fields))
            states = {f'excitons_{n}': self.ctx[f'bse_{n}'].outputs.output_excitons for n in runs}
        settings = orm.Dict(self.ctx.parameters['spectrum'])
        merged = yambo_calcfunctions.yambo_spectra(structure, settings, version, **spectra, **states)
        excitons = {}
        if states:
            fields = {label: node for label, node in spectra.items() if label.startswith('bse_')}
            excitons['excitons'] = yambo_calcfunctions.yambo_excitons(structure, version, **fields, **states)
        bands, moved = self.ctx.ground_state.mesh_bands, self.ctx.moved
        summary = calcfunctions.summarise(
            merged,
            bands,
            moved['quasiparticle_bands'],
            self.ctx.window,
            self._facts(),
            orm.Int(optics.VERSION),
            **excitons,
        )
        return self.attach_spectra(merged, summary, excitons)

    def _facts(self) -> orm.Dict:
        """Return how the result was made, where that is not among the inputs."""
        screening = self.ctx.screening.creator.outputs.output_parameters
        return orm.Dict(
            {
                'engine': 'yambo',
                'head': {
                    'definition': 'mean of the diverging head of W over the cell of the mesh around Γ: '
                    'c/ε·4πΩ^(1/3)/(2π)³',
                    'factor': variables.HEAD_FACTOR,
                    'dielectric_constant': screening['dielectric_constant_with_local_fields'],
                },
                'exchange_cutoff': self.ctx.parameters['screening_cutoff'],
                'velocity_at_gamma': 'commutator of r and the nonlocal pseudopotential',
                'fields': self.ctx.fields,
                'origin_checked': 'scissor' in self.inputs or has_origin(self.inputs.quasiparticles),
            }
        )

    def _submit_spectrum(self, kind: str, index: int) -> orm.ProcessNode:
        """Submit one kernel along one direction."""
        window = (self.ctx.window['first'], self.ctx.window['last'])
        field = self.ctx.fields[index]
        parameters = variables.kernel(kind, self.ctx.parameters, self.inputs.structure.cell, window, field)
        inputs = {} if kind == 'ip' else {'quasiparticle_file': self.ctx.file}
        if kind == 'bse':
            inputs['settings'] = orm.Dict({'excitons': self.ctx.parameters['excitons']})
        return self.submit_yambo(f'{kind}_{index}', parameters, {'screening': self.ctx.screening}, **inputs)
