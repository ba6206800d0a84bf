"""Berry phases with ABINIT, as a check of those with Quantum ESPRESSO."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ProcessSpec

from aiida_foundry.common.errors import InputError
from aiida_foundry.engines.abinit import psp8
from aiida_foundry.engines.abinit.base import AbinitBaseWorkChain
from aiida_foundry.engines.abinit.calcfunctions import psp8_by_kind
from aiida_foundry.workflows.polarization.adapter import BerryAdapterWorkChain
from aiida_foundry.workflows.polarization.berry import check_inputs
from aiida_foundry.workflows.polarization.calcfunctions import string_mesh

#: `ixc` by functional, as in the headers of the pseudopotentials: Perdew-Wang LDA, PBE, PBEsol.
FUNCTIONALS = {'LDA': -1012, 'PBE': 11, 'PBEsol': -116133}
TIME_REVERSAL = 2
"""`kptopt`: the whole mesh but for time reversal; with spatial symmetries ABINIT refuses Berry phases."""
STEPS = 100
"""Iterations: on strings every state must converge, and none helps another."""
ACCURACY = 1e-4
"""Squared residual of the states in hartree² over the squared tolerance of the phases in e: pw.x and ABINIT then agree
to 1e-6 e in cubic BN."""


class AbinitBerryPolarizationWorkChain(BerryAdapterWorkChain):
    """Berry phases by ABINIT: scf, then `berryopt -1` in its potential, one mesh per direction.

    Crystals without spin polarization and norm-conserving pseudopotentials only.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define the code; the rest is that of the adapters."""
        super().define(spec)
        spec.input('code', valid_type=orm.AbstractCode, help='A code with the plugin `foundry.abinit`.')

    @classmethod
    def check(cls, inputs: Mapping[str, Any]) -> None:
        """Refuse magnets, other pseudopotentials, and a ground state of other inputs."""
        check_inputs(inputs)
        if 'magnetic_moments' in inputs:
            reason = 'the ABINIT adapter has no spin polarization'
            raise InputError('magnetic_moments', reason, 'Use the engine `quantumespresso`')
        if 'ground_state' in inputs:
            reason = 'the ABINIT adapter computes its own'
            raise InputError('ground_state', reason, 'Leave it out')
        for pseudo in inputs['pseudos'].values():
            psp8.upf_to_psp8(pseudo.get_content())

    def submit_scf(self) -> orm.ProcessNode:
        """Submit the ground state with empty bands."""
        self.ctx.psp8 = psp8_by_kind(self.inputs.pseudos)
        parameters = self.inputs.parameters.get_dict()
        variables = {
            'nband': max(self.ctx.occupied) + parameters['empty_bands'],
            'toldfe': parameters['scf_threshold'] * len(self.inputs.structure.sites),
        }
        return self._submit('scf', variables, self.inputs.kpoints, {})

    def ground_state_of(self, process: orm.ProcessNode) -> dict[str, orm.Data]:
        """Return folder and bands of a ground state, empty if it is not converged."""
        if not process.outputs.output_parameters.get_dict().get('scf_converged', False):
            return {}
        return {'density': process.outputs.remote_folder, 'bands': self.bands_of(process)}

    def bands_of(self, process: orm.ProcessNode) -> orm.BandsData:
        """Return the bands of a run."""
        return process.outputs.output_bands

    def submit_strings(self, direction: int, points: int, label: str) -> orm.ProcessNode:
        """Submit the strings along one direction, counted from 1; ABINIT counts their points without the last."""
        variables = {
            'nband': max(self.ctx.occupied),
            'iscf': -2,
            'tolwfr': ACCURACY * self.inputs.parameters['phase_tolerance'] ** 2,
            'kptopt': TIME_REVERSAL,
            'berryopt': -1,
            'rfdir': [int(axis == direction) for axis in (1, 2, 3)],
        }
        mesh = string_mesh(self.inputs.kpoints, orm.Int(direction), orm.Int(points))
        return self._submit(label, variables, mesh, {'density': self.ctx.ground_state.density})

    def _submit(
        self, label: str, variables: dict[str, Any], kpoints: orm.KpointsData, parents: dict[str, orm.RemoteData]
    ) -> orm.ProcessNode:
        parameters = self.inputs.parameters.get_dict()
        common = {
            'ecut': parameters['wavefunction_cutoff'],
            'ixc': FUNCTIONALS[parameters['functional']],
            'occopt': 1,
            'nstep': STEPS,
        }
        inputs = {
            'code': self.inputs.code,
            'structure': self.inputs.structure,
            'kpoints': kpoints,
            'pseudos': self.ctx.psp8,
            'parameters': orm.Dict({**common, **variables}),
            'parents': parents,
            'metadata': {'options': self.options()},
        }
        metadata = {'call_link_label': label, 'label': label}
        return self.submit(AbinitBaseWorkChain, abinit=inputs, metadata=metadata)
