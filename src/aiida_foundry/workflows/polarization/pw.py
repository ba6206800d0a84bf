"""Berry phases with Quantum ESPRESSO."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ProcessSpec

from aiida_foundry.analysis.polarization import berry
from aiida_foundry.common.errors import InputError
from aiida_foundry.engines.pw.berry.base import BerryPwBaseWorkChain
from aiida_foundry.engines.pw.options import checked_options
from aiida_foundry.workflows.polarization.adapter import BerryAdapterWorkChain
from aiida_foundry.workflows.polarization.berry import check_inputs
from aiida_foundry.workflows.polarization.calcfunctions import string_kpoints
from aiida_foundry.workflows.polarization.parameters import occupied_bands

RYDBERG_PER_HARTREE = 2.0

ACCURACY = 0.01
"""Threshold of the eigenvalues on the strings in Ry over the squared tolerance of the phases in e.

In AlN the phase is off by 0.1 times the root of the threshold, so that one hundredth of the tolerance is left.
"""


class PwBerryPolarizationWorkChain(BerryAdapterWorkChain):
    """Berry phases by pw.x: scf with some empty bands, then `lberry` on explicit strings, one run per direction.

    The strings are those that the crystal distinguishes (`analysis.polarization.strings`); pw.x would join them by the
    symmetry of the empty lattice.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define the code; the rest is that of the adapters."""
        super().define(spec)
        spec.input('code', valid_type=orm.AbstractCode, help='A code with the plugin `quantumespresso.pw`.')

    @classmethod
    def check(cls, inputs: Mapping[str, Any]) -> None:
        """Refuse inputs that do not fit together."""
        check_inputs(inputs)
        if 'ground_state' in inputs:
            check_ground_state(inputs)

    def submit_scf(self) -> orm.ProcessNode:
        """Submit the ground state with fixed occupations and empty bands."""
        parameters = scf_parameters(self.inputs, self.ctx.occupied)
        return self._submit('scf', parameters, self.inputs.kpoints, 'foundry.pw')

    def ground_state_of(self, process: orm.ProcessNode) -> dict[str, orm.Data]:
        """Return folder and bands of a ground state, empty if it is not converged."""
        scf = process.outputs.output_parameters.get_dict().get('convergence_info', {}).get('scf_conv', {})
        if not scf.get('convergence_achieved', False):
            return {}
        return {'density': process.outputs.remote_folder, 'bands': self.bands_of(process)}

    def bands_of(self, process: orm.ProcessNode) -> orm.BandsData:
        """Return the bands of a run."""
        return process.outputs.output_band

    def submit_strings(self, direction: int, points: int, label: str) -> orm.ProcessNode:
        """Submit the strings along one direction, counted from 1."""
        settings = orm.Dict({'direction': direction, 'points': points, 'moments': self.ctx.moments})
        kpoints = string_kpoints(self.inputs.structure, self.inputs.kpoints, settings, orm.Int(berry.VERSION))
        parameters = string_parameters(self.inputs, self.ctx.occupied, direction, points)
        return self._submit(label, parameters, kpoints, 'foundry.pw.berry', self.ctx.ground_state.density)

    def _submit(
        self,
        label: str,
        parameters: dict[str, Any],
        kpoints: orm.KpointsData,
        parser: str,
        parent: orm.RemoteData | None = None,
    ) -> orm.ProcessNode:
        inputs = {
            'code': self.inputs.code,
            'structure': self.inputs.structure,
            'pseudos': dict(self.inputs.pseudos),
            'parameters': orm.Dict(parameters),
            'metadata': {'options': checked_options(self.options(), parser)},
        }
        if parent is not None:
            inputs['parent_folder'] = parent
        metadata = {'call_link_label': label, 'label': label}
        return self.submit(BerryPwBaseWorkChain, pw=inputs, kpoints=kpoints, metadata=metadata)


def scf_parameters(inputs: Mapping[str, Any], occupied: tuple[int, ...]) -> dict[str, Any]:
    """Return the parameters of pw.x for the ground state.

    Args:
        inputs: those of the WorkChain.
        occupied: number of filled bands of each spin channel.
    """
    parameters = inputs['parameters'].get_dict()
    system = {**_system(inputs), 'nbnd': max(occupied) + parameters['empty_bands']}
    return {'CONTROL': {'calculation': 'scf'}, 'SYSTEM': system, 'ELECTRONS': _electrons(inputs)}


def string_parameters(
    inputs: Mapping[str, Any], occupied: tuple[int, ...], direction: int, points: int
) -> dict[str, Any]:
    """Return the parameters of pw.x for the strings along one direction, counted from 1."""
    control = {'calculation': 'nscf', 'lberry': True, 'gdir': direction, 'nppstr': points}
    # with `nosym` the list of k-points is taken as it is; one empty band shows a metal that the coarse mesh hides
    system = {**_system(inputs), 'nbnd': max(occupied) + 1, 'nosym': True}
    threshold = ACCURACY * inputs['parameters']['phase_tolerance'] ** 2
    return {'CONTROL': control, 'SYSTEM': system, 'ELECTRONS': {'diago_thr_init': threshold}}


def _system(inputs: Mapping[str, Any]) -> dict[str, Any]:
    parameters, structure = inputs['parameters'].get_dict(), inputs['structure']
    system: dict[str, Any] = {
        'ecutwfc': RYDBERG_PER_HARTREE * parameters['wavefunction_cutoff'],
        'ecutrho': RYDBERG_PER_HARTREE * parameters['density_cutoff'],
        'occupations': 'fixed',
    }
    if 'magnetic_moments' in inputs:
        moments, pseudos = inputs['magnetic_moments'].get_dict(), inputs['pseudos']
        system['nspin'] = 2
        system['tot_magnetization'] = round(sum(moments.get(site.kind_name, 0.0) for site in structure.sites))
        system['starting_magnetization'] = {
            kind: moments.get(kind, 0.0) / pseudos[kind].z_valence for kind in structure.get_kind_names()
        }
    return system


def _electrons(inputs: Mapping[str, Any]) -> dict[str, Any]:
    threshold = inputs['parameters']['scf_threshold'] * len(inputs['structure'].sites)
    return {'conv_thr': RYDBERG_PER_HARTREE * threshold}


def check_ground_state(inputs: Mapping[str, Any]) -> None:
    """Refuse a ground state of another structure, mesh, pseudopotential or of other parameters.

    Raises:
        InputError: names what differs.
    """
    run = inputs['ground_state']['bands'].creator
    moments = inputs['magnetic_moments'].get_dict() if 'magnetic_moments' in inputs else None
    occupied = occupied_bands(inputs['structure'], inputs['pseudos'], moments)
    wanted, done = scf_parameters(inputs, occupied)['SYSTEM'], run.inputs.parameters.get_dict()['SYSTEM']
    differences = {
        'structure': run.inputs.structure.uuid != inputs['structure'].uuid,
        'mesh': run.inputs.kpoints.get_kpoints_mesh()[0] != inputs['kpoints'].get_kpoints_mesh()[0],
        'folder': run.outputs.remote_folder.uuid != inputs['ground_state']['density'].uuid,
        'pseudopotentials': {kind: pseudo.md5 for kind, pseudo in run.inputs.pseudos.items()}
        != {kind: pseudo.md5 for kind, pseudo in inputs['pseudos'].items()},
        **{name: done.get(name) != wanted.get(name) for name in sorted({*wanted, *done} - {'nbnd'})},
    }
    different = [name for name, differs in differences.items() if differs]
    if different:
        raise InputError(
            'ground_state',
            f'it does not belong to the other inputs: {", ".join(different)} differ',
            'Leave it out, so that it is computed',
        )
