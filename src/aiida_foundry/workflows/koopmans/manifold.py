"""Wannier functions of one set of bands: list of neighbours, overlaps, spread minimisation."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessSpec, ToContext, WorkChain
from aiida.plugins import CalculationFactory

from aiida_foundry.engines.wannier90.base import Wannier90BaseWorkChain
from aiida_foundry.engines.wannier90.calculation import Wannier90Calculation
from aiida_foundry.engines.wannier90.input_file import band_ranges

Pw2wannier90Calculation = CalculationFactory('quantumespresso.pw2wannier90')

SCDM = 'scdm'
RANDOM = 'random'
PROJECTIONS = (SCDM, RANDOM)

OWN_SCRATCH = 'states=$(readlink -f out) && rm out && mkdir out && ln -s "$states/aiida.save" out/aiida.save'
"""Links the states alone. pw2wannier90 removes a scratch file beside them: in a folder that blocks of bands share, one
that runs at the same time would find it gone."""


class ManifoldWorkChain(WorkChain):
    """Wannier functions of the bands ``first`` to ``last`` with one choice of trial projections and windows.

    Projections `scdm` are selected columns of the density matrix (A. Damle and L. Lin, Multiscale Model. Simul. 16,
    1392 (2018)), `random` are Gaussians at random places. Guiding centres are always used: without them the branch
    cuts of Im ln M give wrong centres on coarse meshes. Whether the functions are good is for the caller to judge.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define inputs, outline, outputs and exit codes."""
        super().define(spec)
        spec.input('codes.pw2wannier90', valid_type=orm.AbstractCode, help='The code of pw2wannier90.x.')
        spec.input('codes.wannier90', valid_type=orm.AbstractCode, help='The code of wannier90.x.')
        spec.input('structure', valid_type=orm.StructureData, help='The crystal.')
        spec.input('kpoints', valid_type=orm.KpointsData, help='Mesh through Γ.')
        spec.input('nscf_folder', valid_type=orm.RemoteData, help='Folder of pw.x with the states on the full mesh.')
        spec.input(
            'parameters',
            valid_type=orm.Dict,
            validator=validate_parameters,
            help='`bands` [first, last] from 1, `number_of_bands` of the states, `functions`, `projections`, '
            '`projection_weight` {centre, width} and `frozen_maximum` in eV or null, `spin_component` or null, '
            '`keywords` of Wannier90.',
        )
        spec.input('options', valid_type=orm.Dict, required=False, help='`metadata.options` of all calculations.')
        spec.outline(
            cls.run_neighbours,
            cls.inspect_neighbours,
            cls.run_overlaps,
            cls.inspect_overlaps,
            cls.run_functions,
            cls.inspect_functions,
        )
        spec.expose_outputs(Wannier90Calculation, exclude=('nnkp', 'interpolated_bands'))
        spec.exit_code(401, 'ERROR_SUB_PROCESS_FAILED_NEIGHBOURS', message='The list of neighbours failed.')
        spec.exit_code(402, 'ERROR_SUB_PROCESS_FAILED_OVERLAPS', message='The overlaps failed.')
        spec.exit_code(403, 'ERROR_SUB_PROCESS_FAILED_FUNCTIONS', message='Wannier90 failed: {message}')

    def run_neighbours(self) -> ToContext:
        """Let Wannier90 list the neighbours of each k-point."""
        keywords = {**self._bands(), 'auto_projections': True} if self._projections == SCDM else self._bands()
        return ToContext(neighbours=self._submit_wannier90('neighbours', keywords, random=self._projections == RANDOM))

    def inspect_neighbours(self) -> ExitCode | None:
        """Stop if there is no list."""
        return None if self.ctx.neighbours.is_finished_ok else self.exit_codes.ERROR_SUB_PROCESS_FAILED_NEIGHBOURS

    def run_overlaps(self) -> ToContext:
        """Compute overlaps, projections and energies."""
        options = self._options()
        prepended = '\n'.join(filter(None, (options.get('prepend_text'), OWN_SCRATCH)))
        inputs = {
            'code': self.inputs.codes.pw2wannier90,
            'parent_folder': self.inputs.nscf_folder,
            'nnkp_file': self.ctx.neighbours.outputs.nnkp,
            'parameters': orm.Dict({'INPUTPP': self._overlap_parameters()}),
            'settings': orm.Dict({'PARENT_FOLDER_SYMLINK': True}),
            'metadata': {
                'call_link_label': 'overlaps',
                'label': 'overlaps',
                'options': {**options, 'prepend_text': prepended},
            },
        }
        return ToContext(overlaps=self.submit(Pw2wannier90Calculation, **inputs))

    def inspect_overlaps(self) -> ExitCode | None:
        """Stop if there are no overlaps."""
        return None if self.ctx.overlaps.is_finished_ok else self.exit_codes.ERROR_SUB_PROCESS_FAILED_OVERLAPS

    def run_functions(self) -> ToContext:
        """Minimise the spread."""
        keywords = {**self._bands(), **self._parameters['keywords'], 'guiding_centres': True}
        if self._parameters['frozen_maximum'] is not None:
            keywords['dis_froz_max'] = self._parameters['frozen_maximum']
        # Guiding centres want a block of projections; what it says does not matter, because the centres of the
        # functions themselves guide.
        overlaps = self.ctx.overlaps.outputs.remote_folder
        return ToContext(functions=self._submit_wannier90('functions', keywords, random=True, overlaps=overlaps))

    def inspect_functions(self) -> ExitCode | None:
        """Attach the functions, also those that did not converge."""
        self.out_many(self.exposed_outputs(self.ctx.functions, Wannier90Calculation, agglomerate=False))
        if not self.ctx.functions.is_finished_ok:
            message = self.ctx.functions.exit_message
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_FUNCTIONS.format(message=message)
        return None

    @property
    def _parameters(self) -> dict[str, Any]:
        parameters: dict[str, Any] = self.inputs.parameters.get_dict()
        return parameters

    @property
    def _projections(self) -> str:
        return str(self._parameters['projections'])

    def _options(self) -> dict[str, Any]:
        options: dict[str, Any] = self.inputs.options.get_dict() if 'options' in self.inputs else {}
        return options

    def _bands(self) -> dict[str, Any]:
        """Return the keywords that choose bands and functions."""
        parameters = self._parameters
        first, last = parameters['bands']
        keywords = {'num_wann': parameters['functions'], 'num_bands': last - first + 1}
        excluded = band_ranges(first, last, parameters['number_of_bands'])
        return {**keywords, 'exclude_bands': ','.join(excluded)} if excluded else keywords

    def _overlap_parameters(self) -> dict[str, Any]:
        parameters = self._parameters
        values: dict[str, Any] = {'write_amn': True, 'write_mmn': True, 'write_unk': False}
        if parameters['spin_component'] is not None:
            values['spin_component'] = parameters['spin_component']
        if parameters['projections'] == SCDM:
            weight = parameters['projection_weight']
            values['scdm_proj'] = True
            values['scdm_entanglement'] = 'isolated' if weight is None else 'erfc'
            if weight is not None:
                values |= {'scdm_mu': weight['centre'], 'scdm_sigma': weight['width']}
        return values

    def _submit_wannier90(
        self, label: str, keywords: dict[str, Any], *, random: bool, **further: orm.Data
    ) -> orm.ProcessNode:
        inputs = {
            'code': self.inputs.codes.wannier90,
            'structure': self.inputs.structure,
            'kpoints': self.inputs.kpoints,
            'parameters': orm.Dict(keywords),
            'metadata': {'label': label, 'options': {**self._options(), 'withmpi': False}},
            **further,
        }
        if random:
            inputs['projections'] = orm.List(['random'])
        return self.submit(
            Wannier90BaseWorkChain, wannier90=inputs, metadata={'call_link_label': label, 'label': label}
        )


def validate_parameters(node: orm.Dict, _: Any) -> str | None:
    """Check that the parameters are there and fit together."""
    parameters = node.get_dict()
    names = {
        'bands', 'number_of_bands', 'functions', 'projections', 'projection_weight', 'frozen_maximum',
        'spin_component', 'keywords',
    }  # fmt: skip
    if set(parameters) != names:
        return f'parameters: {sorted(set(parameters) ^ names)} are missing or unknown'
    first, last = parameters['bands']
    if not 1 <= first <= last <= parameters['number_of_bands']:
        return f'parameters: bands {first} to {last} are not among the {parameters["number_of_bands"]}'
    if not 1 <= parameters['functions'] <= last - first + 1:
        return f'parameters: {last - first + 1} bands cannot make {parameters["functions"]} functions'
    if parameters['projections'] not in PROJECTIONS:
        return f'parameters: projections `{parameters["projections"]}` are unknown. Known are {", ".join(PROJECTIONS)}'
    return None
