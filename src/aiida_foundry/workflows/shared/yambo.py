"""What workflows with Yambo share: codes, states of pw.x brought into Yambo, sizes of matrices."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any

import numpy as np
from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext, WorkChain
from aiida.plugins import CalculationFactory, WorkflowFactory

from aiida_foundry.analysis import gaps
from aiida_foundry.common.errors import InputError
from aiida_foundry.common.units import BOHR_TO_ANGSTROM
from aiida_foundry.engines.pw.options import checked_options
from aiida_foundry.engines.yambo.base import YamboBaseWorkChain
from aiida_foundry.structures.checks import valence_electrons

PwBaseWorkChain = WorkflowFactory('quantumespresso.pw.base')
P2yCalculation = CalculationFactory('foundry.p2y')

CODES = {'pw': 'pw.x', 'p2y': 'p2y', 'yambo': 'yambo'}
"""Programs by the key of their code."""

HARTREE_TO_RYDBERG = 2.0
SAME = 1e-5
"""Å within which cells and positions are the same."""

defaults: dict[str, Any] = {
    # energy in hartree, squared by pw.x for the states: gaps to 1e-5 eV
    'scf_threshold': 1e-10,
    # bands above the gap, as a fraction of the filled ones, that tell an insulator from a metal
    'empty_fraction': 0.2,
    # hartree, as Yambo by itself; lower, at the plasma frequency of silicon (0.61), its self-energy may be no number
    'plasmon_pole': 1.0,
    'one_process': {'num_machines': 1, 'num_mpiprocs_per_machine': 1},
}


def choose_codes(codes: Any) -> dict[str, orm.AbstractCode]:
    """Return the codes that Yambo needs of those given.

    Raises:
        InputError: names the program that is missing, or says that there is but one code.
    """
    if not isinstance(codes, Mapping):
        raise InputError(f'code `{codes.full_label}`', 'Yambo needs three', f'Give a mapping with {", ".join(CODES)}')
    for label, program in CODES.items():
        if label not in codes:
            remedy = (
                '`aiida-foundry setup` registers the executables it finds, `aiida-foundry doctor` says how to get it'
            )
            raise InputError(f'code `{label}`', f'it is missing, and {program} with it', remedy)
    return {label: codes[label] for label in CODES}


def plane_waves_within(cell: Iterable[Iterable[float]], cutoff: float) -> int:
    """Return how many plane waves, as whole shells, have a kinetic energy of at most the cutoff.

    Yambo rounds energies up to the next closed shell (89 instead of 65 plane waves for silicon and 3 hartree), other
    codes do not: counted, the same number enters everywhere.

    Args:
        cell: lattice vectors in Å, as rows.
        cutoff: in hartree.
    """
    reciprocal = 2 * math.pi * np.linalg.inv(np.array(cell) / BOHR_TO_ANGSTROM).T
    # |n_i| = |a_i · G| / 2π ≤ |a_i| |G| / 2π
    lengths = np.linalg.norm(np.array(cell) / BOHR_TO_ANGSTROM, axis=1) * math.sqrt(2 * cutoff) / (2 * math.pi)
    indices = np.array(list(product(*(range(-math.ceil(n), math.ceil(n) + 1) for n in lengths))))
    energies = np.square(indices @ reciprocal).sum(axis=1) / 2
    return int((energies <= cutoff * (1 + 1e-9)).sum())


def screening_variables(parameters: Mapping[str, Any], cell: Any) -> dict[str, Any]:
    """Return the variables of the RPA screening at zero frequency and where the plasmon poles are fitted.

    Args:
        parameters: engine-neutral, of a gap or a spectrum.
        cell: lattice vectors in Å.
    """
    size = plane_waves_within(cell, parameters['screening_cutoff'])
    return {
        'Chimod': 'HARTREE',
        'BndsRnXp': [1, parameters['bands']],
        'NGsBlkXp': {'value': size, 'unit': 'RL'},
        'LongDrXp': [1.0, 1.0, 1.0],
        'PPAPntXp': {'value': parameters['plasmon_pole'], 'unit': 'Ha'},
    }


SCREENING_LEVELS = ['dipoles', 'em1d', 'ppa']


class YamboStatesMixin(WorkChain):
    """Steps from a structure to its states in Yambo (scf, states on the mesh, p2y), and around its screening.

    Whoever mixes it in has the inputs `structure`, `kpoints`, `pseudos` and `parameters`, and may be handed
    `ground_state` and `screening`.
    """

    @classmethod
    def define_codes(cls, spec: ProcessSpec) -> None:
        """Define the inputs of the codes."""
        for label, program in CODES.items():
            spec.input(f'codes.{label}', valid_type=orm.AbstractCode, help=f'The code of {program}.')

    @classmethod
    def get_protocol_inputs(cls, protocol: str | None = None, overrides: Any = None) -> dict[str, Any]:
        """Return the inputs of the protocol, with the plasmon pole that Yambo takes by itself unless one is given."""
        inputs: dict[str, Any] = super().get_protocol_inputs(protocol, overrides)
        if inputs['parameters']['plasmon_pole'] is None:
            inputs['parameters']['plasmon_pole'] = defaults['plasmon_pole']
        return inputs

    @classmethod
    def set_codes(cls, builder: ProcessBuilder, code: Any) -> None:
        """Set pw.x, p2y and yambo."""
        builder.codes = choose_codes(code)

    def setup(self) -> None:
        """Prepare the context."""
        self.ctx.parameters = self.inputs.parameters.get_dict()
        self.ctx.electrons = valence_electrons(self.inputs.structure, self.inputs.pseudos)
        self.ctx.occupied = self.ctx.electrons // 2
        self.ctx.cost = {}
        self.ctx.ground_state = start_ground_state(self.inputs)
        self.ctx.screening = self.inputs.get('screening')

    def should_run_ground_state(self) -> bool:
        """Return whether no ground state was handed on."""
        return 'ground_state' not in self.inputs

    def run_scf(self) -> ToContext:
        """Run the ground state."""
        empty = max(4, math.ceil(defaults['empty_fraction'] * self.ctx.occupied))
        return ToContext(scf=self._submit_pw('scf', 'scf', self.inputs.kpoints, nbnd=self.ctx.occupied + empty))

    def inspect_scf(self) -> ExitCode | None:
        """Stop here if the crystal is a metal."""
        if not self.ctx.scf.is_finished_ok:
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_SCF
        self.ctx.cost['scf'] = self.ctx.scf.outputs.output_parameters
        self.ctx.ground_state.density = self.ctx.scf.outputs.remote_folder
        return self.check_insulator(self.ctx.scf.outputs.output_band)

    def run_bands(self) -> ToContext:
        """Run the states on the mesh in the potential of the ground state, without fractional translations."""
        symmetry = {'force_symmorphic': True} if self.ctx.parameters.get('symmetry', True) else {'nosym': True}
        return ToContext(
            mesh_states=self._submit_pw(
                'mesh_bands',
                'nscf',
                self.inputs.kpoints,
                self.ctx.ground_state.density,
                nbnd=self.ctx.parameters['bands'],
                **symmetry,
            )
        )

    def inspect_bands(self) -> ExitCode | None:
        """Note what they took."""
        if not self.ctx.mesh_states.is_finished_ok:
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_BANDS
        self.ctx.cost['mesh_bands'] = self.ctx.mesh_states.outputs.output_parameters
        return None

    def run_import(self) -> ToContext:
        """Bring the states into Yambo."""
        process = self.submit(
            P2yCalculation,
            code=self.inputs.codes.p2y,
            yambo=self.inputs.codes.yambo,
            parent_folder=self.ctx.mesh_states.outputs.remote_folder,
            metadata={'call_link_label': 'p2y', 'label': 'p2y', 'options': self.options()},
        )
        return ToContext(imported=process)

    def inspect_import(self) -> ExitCode | None:
        """Hand on the states."""
        if not self.ctx.imported.is_finished_ok:
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_IMPORT.format(message=self.ctx.imported.exit_message)
        self.ctx.cost['p2y'] = self.ctx.imported.outputs.output_parameters
        self.ctx.ground_state.mesh_bands = self.ctx.imported.outputs.output_bands
        self.ctx.ground_state.wavefunctions = self.ctx.imported.outputs.remote_folder
        return None

    def should_run_screening(self) -> bool:
        """Return whether no screening was handed on."""
        return self.ctx.screening is None

    def inspect_screening(self) -> ExitCode | None:
        """Hand on the screening."""
        if not self.ctx.screening_run.is_finished_ok:
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_SCREENING
        self.ctx.cost['screening'] = self.ctx.screening_run.outputs.output_parameters
        self.ctx.screening = self.ctx.screening_run.outputs.remote_folder
        return None

    def check_insulator(self, bands: orm.BandsData) -> ExitCode | None:
        """Return the exit code of a metal if the bands have no gap."""
        try:
            gaps.find_gap(bands.get_bands(), bands.get_kpoints(), self.ctx.electrons)
        except gaps.MetallicBandsError as exception:
            return self.exit_codes.ERROR_METALLIC.format(detail=str(exception))
        return None

    def options(self) -> dict[str, Any]:
        """Return the options of all calculations, one process where nothing is said."""
        given = self.inputs.options.get_dict() if 'options' in self.inputs else {}
        return {'resources': defaults['one_process'], **given}

    def submit_yambo(
        self,
        label: str,
        parameters: Mapping[str, Any],
        databases: Mapping[str, orm.RemoteData] | None = None,
        **inputs: orm.Data,
    ) -> orm.ProcessNode:
        """Submit one run of Yambo on the states of the ground state."""
        states = self.ctx.ground_state.wavefunctions
        yambo = {
            'code': self.inputs.codes.yambo,
            'parent_folder': states,
            'setup': states.creator.outputs.setup,
            'parameters': orm.Dict(dict(parameters)),
            'databases': dict(databases or {}),
            'metadata': {'options': self.options()},
            **inputs,
        }
        process = self.submit(YamboBaseWorkChain, yambo=yambo, metadata={'call_link_label': label, 'label': label})
        self.report(f'launched {label} <{process.pk}>')
        return process

    def _submit_pw(
        self,
        label: str,
        calculation: str,
        kpoints: orm.KpointsData,
        density: orm.RemoteData | None = None,
        **system: Any,
    ) -> orm.ProcessNode:
        cutoff = HARTREE_TO_RYDBERG * self.ctx.parameters['wavefunction_cutoff']
        namelists = {
            'CONTROL': {'calculation': calculation},
            'SYSTEM': {'ecutwfc': cutoff, 'ecutrho': 4 * cutoff, 'occupations': 'fixed', **system},
            'ELECTRONS': {'conv_thr': HARTREE_TO_RYDBERG * defaults['scf_threshold'], 'diago_full_acc': True},
        }
        pw = {
            'code': self.inputs.codes.pw,
            'structure': self.inputs.structure,
            'pseudos': dict(self.inputs.pseudos),
            'parameters': orm.Dict(namelists),
            'metadata': {'options': checked_options(self.options())},
        }
        if density is not None:
            pw['parent_folder'] = density
        metadata = {'call_link_label': label, 'label': label}
        return self.submit(PwBaseWorkChain, pw=pw, kpoints=kpoints, metadata=metadata)


def start_ground_state(inputs: Mapping[str, Any]) -> AttributeDict:
    """Return the ground state that was handed on, or an empty one."""
    return AttributeDict(inputs['ground_state']) if 'ground_state' in inputs else AttributeDict()


def check_states(inputs: Mapping[str, Any], kpoints: orm.KpointsData) -> None:
    """Refuse states of another structure, mesh, pseudopotential or of other parameters.

    Args:
        inputs: of the workflow, with `ground_state`.
        kpoints: the mesh of the workflow.

    Raises:
        InputError: names what differs.
    """
    folder, bands = inputs['ground_state']['wavefunctions'], inputs['ground_state']['mesh_bands']
    imported = folder.creator
    if imported is None or imported.process_type != 'aiida.calculations:foundry.p2y':
        raise InputError('ground_state', 'its states were not imported by p2y', 'Leave it out, so that it is computed')
    run, parameters = imported.inputs.parent_folder.creator, inputs['parameters'].get_dict()
    system = run.inputs.parameters.get_dict()['SYSTEM']
    own = inputs['pseudos']
    differences = {
        'structure': not _same_structure(run.inputs.structure, inputs['structure']),
        'mesh': run.inputs.kpoints.get_kpoints_mesh()[0] != kpoints.get_kpoints_mesh()[0],
        'wavefunction cutoff': system['ecutwfc'] != HARTREE_TO_RYDBERG * parameters['wavefunction_cutoff'],
        'number of bands': system['nbnd'] < parameters['bands'],
        'symmetry': system.get('nosym', False) != (not parameters.get('symmetry', True)),
        'folder': bands.creator is None or bands.creator.uuid != imported.uuid,
        'pseudopotentials': {kind: pseudo.md5 for kind, pseudo in run.inputs.pseudos.items()}
        != {kind: pseudo.md5 for kind, pseudo in own.items()},
    }
    refuse('ground_state', [name for name, differs in differences.items() if differs])


def check_screening(inputs: Mapping[str, Any]) -> None:
    """Refuse a screening of other parameters or of another ground state.

    Raises:
        InputError: names what differs.
    """
    run, parameters = inputs['screening'].creator, inputs['parameters'].get_dict()
    done = run.inputs.parameters.get_dict().get('variables', {})
    wanted = screening_variables(parameters, inputs['structure'].cell)
    differences = [name for name, value in wanted.items() if done.get(name) != value]
    if run.inputs.parent_folder.uuid != inputs['ground_state']['wavefunctions'].uuid:
        differences.append('ground state')
    refuse('screening', differences)


def refuse(subject: str, differences: list[str]) -> None:
    """Refuse what was handed on if something differs.

    Raises:
        InputError: names it.
    """
    if differences:
        reason = f'it does not belong to the other inputs: {", ".join(differences)} differ'
        raise InputError(subject, reason, 'Leave it out, so that it is computed')


def _same_structure(first: orm.StructureData, second: orm.StructureData) -> bool:
    if first.uuid == second.uuid:
        return True
    one, other = first.get_ase(), second.get_ase()
    if len(one) != len(other) or (one.numbers != other.numbers).any():
        return False
    difference = [one.cell.array - other.cell.array, one.positions - other.positions]
    return all(np.abs(part).max() < SAME for part in difference)
