"""Steps that the adapters of `foundry.koopmans.ki` share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessSpec, ToContext
from aiida.plugins import WorkflowFactory

from aiida_foundry.analysis import gaps
from aiida_foundry.common.errors import InputError, message_of
from aiida_foundry.structures.checks import valence_electrons
from aiida_foundry.workflows.koopmans import ki_calcfunctions, pw_inputs
from aiida_foundry.workflows.koopmans.ki import DIELECTRIC, KoopmansKiWorkChain, needs_dielectric_constant
from aiida_foundry.workflows.koopmans.parameters import dielectric_mesh
from aiida_foundry.workflows.koopmans.wannierize import WannierizeWorkChain
from aiida_foundry.workflows.shared.cost import sum_cost

PwBaseWorkChain = WorkflowFactory('quantumespresso.pw.base')
PhBaseWorkChain = WorkflowFactory('quantumespresso.ph.base')


class KiStepsWorkChain(KoopmansKiWorkChain):
    """What every engine does before and after its own steps."""

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Replace the validator that refuses the interface."""
        super().define(spec)
        spec.inputs.validator = validate_inputs

    def setup(self) -> None:
        """Prepare the context."""
        self.ctx.parameters = self.inputs.parameters.get_dict()
        self.ctx.electrons = valence_electrons(self.inputs.structure, self.inputs.pseudos)
        self.ctx.cost = {}
        if 'wannier' in self.inputs:
            self.ctx.wannier = {name: self.inputs.wannier[name] for name in self.inputs.wannier}
        if self.ctx.parameters['head_correction'] and self.ctx.parameters['dielectric_constant'] is not None:
            self.ctx.dielectric_constant = orm.Float(self.ctx.parameters['dielectric_constant'])

    def should_wannierize(self) -> bool:
        """Return whether no Wannier functions were handed on."""
        return 'wannier' not in self.inputs

    def run_wannierize(self) -> ToContext:
        """Make Wannier functions."""
        inputs = self.exposed_inputs(WannierizeWorkChain, 'wannierize', agglomerate=False)
        shared = {
            name: self.inputs[name] for name in ('structure', 'kpoints', 'pseudos', 'options') if name in self.inputs
        }
        metadata = {'call_link_label': 'wannierize', 'label': 'wannierize'}
        process = self.submit(WannierizeWorkChain, **{**inputs, **shared, 'metadata': metadata})
        self.report(f'launched the Wannierisation <{process.pk}>')
        return ToContext(wannierize=process)

    def inspect_wannierize(self) -> ExitCode | None:
        """Hand on the functions, or say why there are none."""
        process = self.ctx.wannierize
        codes = WannierizeWorkChain.exit_codes
        if process.exit_status == codes.ERROR_METALLIC.status:
            return self.exit_codes.ERROR_METALLIC.format(message=process.exit_message)
        if process.exit_status == codes.ERROR_NO_ACCEPTABLE_FUNCTIONS.status:
            return self.exit_codes.ERROR_NO_ACCEPTABLE_FUNCTIONS.format(message=process.exit_message)
        if not process.is_finished_ok:
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_WANNIERIZE.format(message=process.exit_message)
        self.ctx.wannier = {
            name: dict(process.outputs[name]) if name in ('occupied', 'empty') else process.outputs[name]
            for name in ('scf_folder', 'scf_parameters', 'nscf_folder', 'nscf_bands', 'path_bands', 'occupied', 'empty')
        }
        self.ctx.cost |= {
            f'wannierize_{label}': orm.load_node(step['process']).outputs.output_parameters
            for label, step in process.outputs.cost['steps'].items()
        }
        return None

    def should_run_dielectric(self) -> bool:
        """Return whether ε∞ is needed and not given."""
        return needs_dielectric_constant(self.ctx.parameters)

    def run_ground_state(self) -> ToContext:
        """Run a ground state on the mesh of the dielectric constant."""
        run = self.ctx.wannier['nscf_bands'].creator
        given = run.inputs.parameters.get_dict()
        parameters = pw_inputs.dielectric_scf(given['SYSTEM']['ecutwfc'], given['ELECTRONS']['conv_thr'])
        pw = {
            'code': self.inputs.codes.pw,
            'structure': self.inputs.structure,
            'pseudos': dict(self.inputs.pseudos),
            'parameters': orm.Dict(parameters),
            'metadata': {'options': pw_inputs.options(self.options())},
        }
        kpoints = dielectric_mesh(self.inputs.structure, self.ctx.parameters['dielectric_kpoints_distance'])
        metadata = {'call_link_label': 'ground_state', 'label': 'ground_state'}
        return ToContext(ground_state=self.submit(PwBaseWorkChain, pw=pw, kpoints=kpoints, metadata=metadata))

    def inspect_ground_state(self) -> ExitCode | None:
        """Stop if it failed."""
        if not self.ctx.ground_state.is_finished_ok:
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_DIELECTRIC
        self.ctx.cost['ground_state'] = self.ctx.ground_state.outputs.output_parameters
        return None

    def run_dielectric(self) -> ToContext:
        """Run the response to an electric field."""
        point = orm.KpointsData()
        point.set_kpoints_mesh([1, 1, 1])
        ph = {
            'code': self.inputs.codes.ph,
            'parent_folder': self.ctx.ground_state.outputs.remote_folder,
            'parameters': orm.Dict({'INPUTPH': pw_inputs.DIELECTRIC}),
            'metadata': {'options': pw_inputs.one_process(self.options())},
        }
        metadata = {'call_link_label': 'dielectric', 'label': 'dielectric'}
        return ToContext(dielectric=self.submit(PhBaseWorkChain, ph=ph, qpoints=point, metadata=metadata))

    def inspect_dielectric(self) -> ExitCode | None:
        """Hand on ε∞."""
        if not self.ctx.dielectric.is_finished_ok:
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_DIELECTRIC
        parameters = self.ctx.dielectric.outputs.output_parameters
        self.ctx.cost['dielectric'] = parameters
        version = orm.Int(ki_calcfunctions.VERSION)
        self.ctx.dielectric_constant = ki_calcfunctions.mean_dielectric_constant(parameters, version)
        self.out('dielectric_constant', self.ctx.dielectric_constant)
        self.report(f'ε∞ = {self.ctx.dielectric_constant.value:.3f}')
        return None

    def results(self) -> ExitCode | None:
        """Attach the outputs; energies without the band edges come with an exit code."""
        self.out('quasiparticles', self.ctx.quasiparticles)
        self.out('screening', self.ctx.final_screening)
        self.out('cost', sum_cost(**self.ctx.cost))
        self.out('wannier', self.ctx.wannier)
        try:
            ki_calcfunctions.compare(self.ctx.quasiparticles, self.ctx.wannier['path_bands'], self.ctx.electrons)
        except gaps.MetallicBandsError as exception:
            return self.exit_codes.ERROR_NO_QUASIPARTICLE_GAP.format(message=str(exception))
        except ValueError as exception:
            return self.exit_codes.ERROR_BAND_EDGES_NOT_COVERED.format(message=str(exception))
        electrons, version = orm.Float(self.ctx.electrons), orm.Int(gaps.VERSION)
        path = self.ctx.wannier['path_bands']
        self.out('gaps', ki_calcfunctions.koopmans_gaps(self.ctx.quasiparticles, path, electrons, version))
        return None

    def options(self) -> dict[str, Any]:
        """Return `metadata.options` of a calculation."""
        options: dict[str, Any] = self.inputs.options.get_dict() if 'options' in self.inputs else {}
        return options

    def screening_failure(self, process: orm.ProcessNode) -> ExitCode:
        """Return the exit code for a failed screening; parameters outside (0, 1] have their own."""
        code = process.process_class.exit_codes
        out_of_range = getattr(code, 'ERROR_SCREENING_OUT_OF_RANGE', None)
        if out_of_range is not None and process.exit_status == out_of_range.status:
            return self.exit_codes.ERROR_SCREENING_OUT_OF_RANGE.format(message=process.exit_message)
        return self.exit_codes.ERROR_SUB_PROCESS_FAILED_SCREENING.format(message=process.exit_message)


def validate_inputs(inputs: Mapping[str, Any], _: Any) -> str | None:
    """Check that there is one source of Wannier functions, that it fits, and that ε∞ can be had."""
    if ('wannier' in inputs) == ('wannierize' in inputs):
        return 'wannier, wannierize: give one of them, the functions or how to make them'
    missing = [label for label in DIELECTRIC if label not in inputs['codes']]
    if needs_dielectric_constant(inputs['parameters'].get_dict()) and missing:
        return f'codes: {", ".join(missing)} are needed for ε∞. Give them, or `parameters.dielectric_constant`'
    return message_of(check_wannier, inputs) if 'wannier' in inputs else None


def check_wannier(inputs: Mapping[str, Any]) -> None:
    """Refuse Wannier functions of another structure, mesh or pseudopotential.

    Raises:
        InputError: names what differs.
    """
    run = inputs['wannier']['nscf_bands'].creator
    if run is None:
        raise InputError('wannier', 'no calculation made its bands', 'Hand on the outputs of one Wannierisation')
    mesh = inputs['kpoints'].get_kpoints_mesh()[0]
    differences = {
        'structure': run.inputs.structure.uuid != inputs['structure'].uuid,
        'mesh': len(inputs['wannier']['nscf_bands'].get_kpoints()) != mesh[0] * mesh[1] * mesh[2],
        'folder': run.outputs.remote_folder.uuid != inputs['wannier']['nscf_folder'].uuid,
        'pseudopotentials': {kind: pseudo.md5 for kind, pseudo in run.inputs.pseudos.items()}
        != {kind: pseudo.md5 for kind, pseudo in inputs['pseudos'].items()},
    }
    if wrong := [name for name, differs in differences.items() if differs]:
        raise InputError(
            'wannier', f'it does not belong to the other inputs: {", ".join(wrong)} differ', 'Leave it out'
        )
