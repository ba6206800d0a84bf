"""What the adapters of `foundry.polarization.berry` have in common: ground state, strings, convergence."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import ExitCode, ProcessSpec, ToContext, if_, while_

from aiida_foundry.analysis.gaps import MetallicBandsError
from aiida_foundry.analysis.polarization import berry
from aiida_foundry.analysis.polarization.convergence import next_points, phase_errors
from aiida_foundry.common.errors import InputError, message_of
from aiida_foundry.workflows.polarization.berry import BerryPolarizationWorkChain
from aiida_foundry.workflows.polarization.calcfunctions import (
    constraints_of,
    electronic_phase_of,
    formal_polarization,
    gap_of,
    ionic_phases_of,
)
from aiida_foundry.workflows.polarization.parameters import occupied_bands
from aiida_foundry.workflows.shared.cost import sum_cost


class BerryAdapterWorkChain(BerryPolarizationWorkChain):
    """Ground state, then strings of more and more points along each independent direction.

    An adapter says how a ground state and the strings along one direction are run; its runs have the output
    `output_parameters` with `berry_phase`: `weights` and `phases` (spins, strings).
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define the outline; inputs and outputs are those of the interface."""
        super().define(spec)
        spec.inputs.validator = lambda inputs, _: message_of(cls.check, inputs)
        spec.outline(
            cls.setup,
            if_(cls.should_run_scf)(
                cls.run_scf,
                cls.inspect_scf,
            ),
            cls.check_insulator,
            while_(cls.should_run_strings)(
                cls.run_strings,
                cls.inspect_strings,
                cls.check_insulator,
            ),
            cls.results,
        )

    def submit_scf(self) -> orm.ProcessNode:
        """Submit the ground state."""
        raise NotImplementedError

    def ground_state_of(self, process: orm.ProcessNode) -> dict[str, orm.Data]:
        """Return density and bands of a ground state, empty if it is not converged."""
        raise NotImplementedError

    def submit_strings(self, direction: int, points: int, label: str) -> orm.ProcessNode:
        """Submit the strings along one direction, counted from 1."""
        raise NotImplementedError

    def bands_of(self, process: orm.ProcessNode) -> orm.BandsData:
        """Return the bands of a run."""
        raise NotImplementedError

    def setup(self) -> None:
        """Prepare the context."""
        moments = self.inputs.magnetic_moments.get_dict() if 'magnetic_moments' in self.inputs else None
        self.ctx.moments = moments
        self.ctx.valences = {kind: pseudo.z_valence for kind, pseudo in self.inputs.pseudos.items()}
        self.ctx.occupied = occupied_bands(self.inputs.structure, self.inputs.pseudos, moments)
        wanted = self.inputs.directions.get_list() if 'directions' in self.inputs else [1, 2, 3]
        constraints = constraints_of(self.inputs.structure, moments)
        self.ctx.open = list(constraints.independent([direction - 1 for direction in wanted]))
        self.ctx.points = {}
        self.ctx.phases = {}
        self.ctx.errors = {}
        self.ctx.runs = {}
        self.ctx.bands = {}
        self.ctx.iteration = 0
        self.ctx.cost = {}
        self.ctx.ground_state = AttributeDict(self.inputs.get('ground_state', {}))

    def should_run_scf(self) -> bool:
        """Return whether no ground state was handed on."""
        return not self.ctx.ground_state

    def run_scf(self) -> ToContext:
        """Run the ground state."""
        return ToContext(scf=self.submit_scf())

    def inspect_scf(self) -> ExitCode | None:
        """Let only a converged ground state through."""
        ground_state = self.ground_state_of(self.ctx.scf) if self.ctx.scf.is_finished_ok else {}
        if not ground_state:
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_SCF
        self.ctx.ground_state = AttributeDict(ground_state)
        self.ctx.cost['scf'] = self.ctx.scf.outputs.output_parameters
        return None

    def check_insulator(self) -> ExitCode | None:
        """Stop if the bands computed so far, on the mesh and on strings, have no gap."""
        try:
            gap = gap_of([self.ctx.ground_state.bands, *self.ctx.bands.values()], self.ctx.occupied)
        except MetallicBandsError as exception:
            return self.exit_codes.ERROR_METALLIC.format(detail=str(exception))
        self.report(f'gap: {gap["indirect"]:.3f} eV, direct {gap["direct"]:.3f} eV')
        return None

    def should_run_strings(self) -> bool:
        """Return whether some phase is open and another run is allowed."""
        return bool(self.ctx.open) and self.ctx.iteration < self.inputs.parameters['max_iterations']

    def run_strings(self) -> ToContext:
        """Run the strings along each open direction."""
        processes = {}
        for direction in self.ctx.open:
            points = self.ctx.points.get(direction)
            points = next_points(points) if points else self.inputs.parameters['string_points']
            self.ctx.points[direction] = points
            label = self._label(direction)
            processes[label] = self.submit_strings(direction + 1, points, label)
            self.report(f'launched {label} with {points} points <{processes[label].pk}>')
        return ToContext(**processes)

    def inspect_strings(self) -> ExitCode | None:
        """Note the phases and which of them are converged."""
        before = dict(self.ctx.phases)
        for direction in self.ctx.open:
            process = self.ctx[self._label(direction)]
            if not process.is_finished_ok:
                return self.exit_codes.ERROR_SUB_PROCESS_FAILED_STRINGS
            self.ctx.runs[direction] = process.outputs.output_parameters
            self.ctx.bands[direction] = self.bands_of(process)
            self.ctx.cost[self._label(direction)] = process.outputs.output_parameters
            try:
                self.ctx.phases[direction] = electronic_phase_of(process.outputs.output_parameters)
            except InputError as exception:
                return self.exit_codes.ERROR_PHASES_AMBIGUOUS.format(detail=str(exception))
        constraints = constraints_of(self.inputs.structure, self.ctx.moments)
        ionic = ionic_phases_of(self.inputs.structure, self.ctx.valences)
        errors = phase_errors(constraints, ionic, self.ctx.phases, before)
        self.ctx.errors.update({direction: errors[direction] for direction in self.ctx.open})
        tolerance = self.inputs.parameters['phase_tolerance']
        self.ctx.open = [entry for entry in self.ctx.open if errors[entry] is None or errors[entry] > tolerance]
        self.ctx.iteration += 1
        return None

    def results(self) -> ExitCode | None:
        """Attach the outputs; those of phases that did not converge come with an exit code."""
        settings = {
            'valences': self.ctx.valences,
            'moments': self.ctx.moments,
            'occupied': list(self.ctx.occupied),
            'points': {str(direction + 1): points for direction, points in self.ctx.points.items()},
            'errors': {str(direction + 1): error for direction, error in self.ctx.errors.items()},
        }
        results = {
            'bands_mesh': self.ctx.ground_state.bands,
            **{f'bands_{direction + 1}': bands for direction, bands in self.ctx.bands.items()},
            **{f'direction_{direction + 1}': run for direction, run in self.ctx.runs.items()},
        }
        polarization = formal_polarization(self.inputs.structure, orm.Dict(settings), orm.Int(berry.VERSION), **results)
        self.out('polarization', polarization)
        self.out('cost', sum_cost(**self.ctx.cost))
        self.out('ground_state', dict(self.ctx.ground_state))
        if self.ctx.open:
            direction = self.ctx.open[0]
            return self.exit_codes.ERROR_PHASES_NOT_CONVERGED.format(
                direction=direction + 1,
                error='by an unknown amount'
                if self.ctx.errors[direction] is None
                else f'by {self.ctx.errors[direction]:.4f} e',
                points=self.ctx.points[direction],
                tolerance=self.inputs.parameters['phase_tolerance'],
            )
        return None

    def options(self) -> dict[str, Any]:
        """Return the options of all calculations."""
        given = self.inputs.options.get_dict() if 'options' in self.inputs else {}
        return {'resources': {'num_machines': 1, 'num_mpiprocs_per_machine': 1}, **given}

    def _label(self, direction: int) -> str:
        return f'strings_{direction + 1}_{self.ctx.iteration}'
