"""Koopmans-integer energies by kcw.x of Quantum ESPRESSO."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from aiida import orm
from aiida.engine import ExitCode, ProcessSpec, ToContext, if_

from aiida_foundry.analysis.koopmans_bands import group_equivalent
from aiida_foundry.engines.kcw.base import KcwScreenBaseWorkChain
from aiida_foundry.engines.kcw.calculation import KcwHamCalculation, Wann2kcwCalculation
from aiida_foundry.workflows.koopmans import ki_calcfunctions
from aiida_foundry.workflows.koopmans.ki import DIELECTRIC
from aiida_foundry.workflows.koopmans.steps import KiStepsWorkChain

EQUIVALENT_SPREADS = 1e-3
"""Å² within which functions of one manifold count as equivalent; converged ones differ by 1e-5 or by far more."""


class KcwKiWorkChain(KiStepsWorkChain):
    """Koopmans-integer energies by linear response, one job per group of equivalent functions.

    pw.x and kcw.x must be of one Quantum ESPRESSO, 7.1 or later. The ground state has two equal spin channels, because
    kcw.x leaves out the spin part of the kernel without them. Wannier functions, ε∞ unless given, densities, screening
    of all groups side by side, energies.
    """

    CODES: ClassVar = ('kcw', *DIELECTRIC)
    WANNIER_PARAMETERS: ClassVar[Mapping[str, Any]] = {'spin_channels': 2}

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define the outline; the rest is that of the interface."""
        super().define(spec)
        spec.outline(
            cls.setup,
            if_(cls.should_wannierize)(cls.run_wannierize, cls.inspect_wannierize),
            if_(cls.should_run_dielectric)(
                cls.run_ground_state,
                cls.inspect_ground_state,
                cls.run_dielectric,
                cls.inspect_dielectric,
            ),
            cls.run_densities,
            cls.inspect_densities,
            cls.run_screening,
            cls.inspect_screening,
            cls.run_hamiltonian,
            cls.inspect_hamiltonian,
            cls.results,
        )
        spec.exit_code(405, 'ERROR_SUB_PROCESS_FAILED_DENSITIES', message='The Wannier densities failed: {message}')

    def run_densities(self) -> ToContext:
        """Run the densities of all functions at all q."""
        inputs = self._inputs('densities', self.ctx.wannier['nscf_folder'], {})
        return ToContext(densities=self.submit(Wann2kcwCalculation, **inputs))

    def inspect_densities(self) -> ExitCode | None:
        """Group the functions, so that one of each group is computed."""
        process = self.ctx.densities
        if not process.is_finished_ok:
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_DENSITIES.format(message=process.exit_message)
        self.ctx.cost['densities'] = process.outputs.output_parameters
        spreads = [self.ctx.wannier[manifold]['parameters']['spreads'] for manifold in ('occupied', 'empty')]
        self.ctx.representatives = group_equivalent(spreads, EQUIVALENT_SPREADS)
        self.report(f'functions computed for each: {self.ctx.representatives}')
        return None

    def run_screening(self) -> ToContext:
        """Run the linear response of one function of each group."""
        launched = {}
        for number in sorted(set(self.ctx.representatives)):
            label = f'orbital_{number}'
            screen = {**self._screen(), 'i_orb': number}
            inputs = self._inputs(label, self.ctx.densities.outputs.remote_folder, {'SCREEN': screen})
            metadata = {'call_link_label': label, 'label': label}
            inputs['metadata'] = {'label': label, 'options': inputs['metadata']['options']}
            launched[label] = self.submit(KcwScreenBaseWorkChain, kcw=inputs, metadata=metadata)
        return ToContext(**launched)

    def inspect_screening(self) -> ExitCode | None:
        """Combine the screening parameters of all functions."""
        computed = {}
        for number in sorted(set(self.ctx.representatives)):
            process = self.ctx[f'orbital_{number}']
            if not process.is_finished_ok:
                return self.screening_failure(process.called[-1])
            self.ctx.cost[f'orbital_{number}'] = process.outputs.output_parameters
            computed[f'orbital_{number}'] = process.outputs.screening
        occupied = self.ctx.wannier['occupied']['parameters']['number_of_functions']
        groups = orm.Dict({'representatives': self.ctx.representatives, 'occupied': occupied})
        version = orm.Int(ki_calcfunctions.VERSION)
        self.ctx.final_screening = ki_calcfunctions.combine_screening(groups, version, **computed)
        return None

    def run_hamiltonian(self) -> ToContext:
        """Run the energies."""
        ham = {'on_site_only': True, 'use_ws_distance': True, 'write_hr': False}
        inputs = self._inputs('hamiltonian', self.ctx.densities.outputs.remote_folder, {'HAM': ham})
        inputs['screening'] = self.ctx.final_screening
        return ToContext(hamiltonian=self.submit(KcwHamCalculation, **inputs))

    def inspect_hamiltonian(self) -> ExitCode | None:
        """Assign the energies of the functions to the bands."""
        process = self.ctx.hamiltonian
        if not process.is_finished_ok:
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_HAMILTONIAN.format(message=process.exit_message)
        self.ctx.cost['hamiltonian'] = process.outputs.output_parameters
        self.ctx.quasiparticles = ki_calcfunctions.assign_energies(
            self.ctx.wannier['nscf_bands'],
            process.outputs.koopmans,
            orm.Float(self.ctx.parameters['coverage_tolerance_ev']),
            orm.Int(ki_calcfunctions.VERSION),
        )
        return None

    def _screen(self) -> dict[str, Any]:
        """Return the namelist of the linear response."""
        constant = self.ctx.get('dielectric_constant')
        head = {} if constant is None else {'eps_inf': constant.value}
        return {'tr2': 1e-14, 'nmix': 4, 'niter': 33, **head, **self.ctx.parameters['engine']}

    def _inputs(self, label: str, parent: orm.RemoteData, namelists: dict[str, Any]) -> dict[str, Any]:
        """Return the inputs of a step of kcw.x."""
        mesh = self.inputs.kpoints.get_kpoints_mesh()[0]
        functions = {
            name: self.ctx.wannier[name]['parameters']['number_of_functions'] for name in ('occupied', 'empty')
        }
        common = {
            'CONTROL': {
                'kcw_iverbosity': 1,
                'spin_component': 1,
                'l_vcut': self.ctx.parameters['head_correction'],
                **{f'mp{axis}': divisions for axis, divisions in enumerate(mesh, start=1)},
            },
            'WANNIER': {
                'num_wann_occ': functions['occupied'],
                'num_wann_emp': functions['empty'],
                'have_empty': True,
                'has_disentangle': True,
            },
        }
        return {
            'code': self.inputs.codes.kcw,
            'parent_folder': parent,
            'occupied': self.ctx.wannier['occupied']['retrieved'],
            'empty': self.ctx.wannier['empty']['retrieved'],
            'parameters': orm.Dict({**common, **namelists}),
            'metadata': {'call_link_label': label, 'label': label, 'options': self.options()},
        }
