"""Quasiparticle gaps with Yambo."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessSpec, ToContext, if_

from aiida_foundry.analysis import gaps
from aiida_foundry.common.errors import InputError, message_of
from aiida_foundry.workflows.gw.gap import GwGapWorkChain
from aiida_foundry.workflows.gw.methods import PLASMON_POLE
from aiida_foundry.workflows.shared import band_path
from aiida_foundry.workflows.shared import yambo as shared

METHOD = 'g0w0-ppm'
PATH_DISTANCE = 0.1
"""Distance between the points of the path that shows the band edges, in 1/Å."""

PATH_EMPTY_BANDS = 4


def validate_inputs(inputs: Mapping[str, Any], _: Any) -> str | None:
    """Check the method, and that what is handed on belongs to the other inputs."""
    if 'screening' in inputs and 'ground_state' not in inputs:
        return 'screening: it was made with a ground state that is not given. Hand on `ground_state` as well'
    message = message_of(check_method, inputs)
    if message is None and 'ground_state' in inputs:
        message = message_of(shared.check_states, inputs, inputs['kpoints'])
    if message is None and 'screening' in inputs:
        message = message_of(shared.check_screening, inputs)
    return message


def check_method(inputs: Mapping[str, Any]) -> None:
    """Refuse what this adapter does not run.

    Raises:
        InputError: any method but G0W0 with plasmon poles.
    """
    treatment = inputs['parameters'].get_dict()['frequency']['treatment']
    if inputs['method'].value != METHOD or treatment != PLASMON_POLE:
        raise InputError(
            f'method `{inputs["method"].value}`, {treatment}',
            f'with Yambo only `{METHOD}` (plasmon poles) is run',
            'Choose it, or the engine `abinit`',
        )


class YamboGwGapWorkChain(shared.YamboStatesMixin, GwGapWorkChain):
    """Quasiparticle gap by Yambo: G0W0 with the plasmon-pole model of Godby and Needs.

    Ground state: scf and states on the mesh and on a path by pw.x, imported by p2y; skipped if handed on, and so is the
    screening. The exchange has all plane waves of the density.
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
            if_(cls.should_run_screening)(
                cls.run_screening,
                cls.inspect_screening,
            ),
            cls.run_self_energy,
            cls.inspect_self_energy,
            cls.results,
        )
        spec.exit_code(405, 'ERROR_SUB_PROCESS_FAILED_IMPORT', message='p2y failed: {message}')

    def run_bands(self) -> ToContext:
        """Run the states on the mesh and on a path, both in the potential of the ground state."""
        path = band_path.band_path(self.inputs.structure, orm.Float(PATH_DISTANCE), orm.Int(band_path.VERSION))
        density, bands = self.ctx.ground_state.density, self.ctx.occupied + PATH_EMPTY_BANDS
        self.to_context(path_states=self._submit_pw('path_bands', 'bands', path, density, nbnd=bands))
        return super().run_bands()

    def inspect_bands(self) -> ExitCode | None:
        """Hand on the bands; the path may close a gap that the mesh shows."""
        failure = super().inspect_bands()
        if failure is not None or not self.ctx.path_states.is_finished_ok:
            return failure or self.exit_codes.ERROR_SUB_PROCESS_FAILED_BANDS
        self.ctx.cost['path_bands'] = self.ctx.path_states.outputs.output_parameters
        self.ctx.ground_state.path_bands = self.ctx.path_states.outputs.output_band
        return self.check_insulator(self.ctx.ground_state.path_bands)

    def run_screening(self) -> ToContext:
        """Run the screening at the two frequencies of the plasmon-pole model."""
        parameters = {'runlevels': shared.SCREENING_LEVELS, 'variables': self._screening()}
        return ToContext(screening_run=self.submit_yambo('screening', parameters))

    def run_self_energy(self) -> ToContext:
        """Run the self-energy of the bands around the gap at all irreducible k-points."""
        around, bands = self.ctx.parameters['quasiparticle_bands'], self.ctx.parameters['bands']
        first, last = max(1, self.ctx.occupied - around + 1), self.ctx.occupied + around
        points = len(self.ctx.ground_state.mesh_bands.get_kpoints())
        exchange = shared.plane_waves_within(self.inputs.structure.cell, self.ctx.parameters['exchange_cutoff'])
        parameters = {
            'runlevels': ['HF_and_locXC', 'gw0', 'dyson', *shared.SCREENING_LEVELS],
            'variables': {
                **self._screening(),
                'EXXRLvcs': {'value': exchange, 'unit': 'RL'},
                'GbndRnge': [1, bands],
                'GTermKind': 'none',
                'DysSolver': 'n',
                'QPkrange': [[1, points, first, last]],
            },
        }
        return ToContext(self_energy=self.submit_yambo('self_energy', parameters, {'screening': self.ctx.screening}))

    def inspect_self_energy(self) -> ExitCode | None:
        """Stop if the quasiparticle bands have no gap."""
        if not self.ctx.self_energy.is_finished_ok:
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_SELF_ENERGY
        self.ctx.cost['self_energy'] = self.ctx.self_energy.outputs.output_parameters
        quasiparticles = self.ctx.self_energy.outputs.output_quasiparticles
        window, first = gaps.computed_bands(quasiparticles.get_array('qp_energies'))
        try:
            gap = gaps.find_gap(window, quasiparticles.get_array('kpoints'), self.ctx.electrons, first_band=first)
        except gaps.MetallicBandsError as exception:
            return self.exit_codes.ERROR_NO_QUASIPARTICLE_GAP.format(detail=str(exception))
        self.report(f'direct gap {gap.direct:.3f} eV, indirect {gap.indirect:.3f} eV on the mesh')
        return None

    def results(self) -> None:
        """Attach the outputs."""
        self.attach_gaps()
        self.out('screening', self.ctx.screening)

    def _screening(self) -> dict[str, Any]:
        return shared.screening_variables(self.ctx.parameters, self.inputs.structure.cell)
