"""Fields, band offset and free carriers of a polar heterostructure."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext, WorkChain, append_, if_
from aiida.plugins import CalculationFactory
from aiida_pseudo.data.pseudo.upf import UpfData

from aiida_foundry.analysis import electron_gas, heterostructure
from aiida_foundry.common.errors import message_of
from aiida_foundry.engines.pp.parser import planar_options
from aiida_foundry.engines.pw.charge_sloshing import PwSloshingBaseWorkChain
from aiida_foundry.structures.interfaces import build
from aiida_foundry.structures.interfaces.spec import parse_spec
from aiida_foundry.workflows.interfaces import heterostructure_calcfunctions as functions
from aiida_foundry.workflows.interfaces import heterostructure_inputs as checks
from aiida_foundry.workflows.interfaces import heterostructure_parameters as parameters
from aiida_foundry.workflows.shared.cleanup import CleanWorkdirMixin
from aiida_foundry.workflows.shared.inputs import load_family
from aiida_foundry.workflows.shared.protocol import StrictProtocolMixin

PpCalculation = CalculationFactory('quantumespresso.pp')
SIDES = ('film', 'substrate')


class HeterostructureWorkChain(StrictProtocolMixin, CleanWorkdirMixin, WorkChain):
    """Whether a polar heterostructure is insulating with fields, or metallic with electron and hole gases.

    Both crystals are computed alone first, strained as in the heterostructure: a metal ends the workflow, and their
    bands above the mean potential give offsets and the middle of the gap. Then the heterostructure: a scan of
    registries and gaps if several are given, relaxation if asked for and not handed on, the ground state, and planar
    averages of potential, density and local densities of states. It is metallic if its bands overlap or hold carriers
    within the smearing; carriers belong to the nearest interface or surface.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define inputs, outline, exit codes and outputs."""
        super().define(spec)
        for name, what in (('film', 'strained'), ('substrate', 'below the film')):
            spec.input(name, valid_type=orm.StructureData, help=f'The crystal that is {what}, non-magnetic.')
        spec.input(
            'interface',
            valid_type=orm.Dict,
            validator=lambda node, _: message_of(parse_spec, node.get_dict()),
            help='Faces, cuts, thicknesses and registry: see `structures.interfaces.spec` (Å).',
        )
        spec.input('scan', valid_type=orm.List, required=False, help='Interfaces to choose from by their energy.')
        spec.input(
            'relaxed_structure',
            valid_type=orm.StructureData,
            required=False,
            help='The relaxed heterostructure, from an earlier run with the same `interface`.',
        )
        spec.input('kpoints', valid_type=orm.KpointsData, help='Mesh of the heterostructure.')
        spec.input_namespace('bulk_kpoints', help='Meshes of both crystals.')
        for name in SIDES:
            spec.input(f'bulk_kpoints.{name}', valid_type=orm.KpointsData, help='Mesh through Γ.')
        spec.input(
            'parameters',
            valid_type=orm.Dict,
            validator=lambda node, _: message_of(parameters.parse_parameters, node.get_dict()),
            help='Numerical parameters: see `heterostructure_parameters.Parameters` (Ry, eV, Å).',
        )
        spec.input_namespace('pseudos', valid_type=UpfData, dynamic=True, help='Pseudopotentials by element.')
        spec.input('pw_code', valid_type=orm.AbstractCode, help='A code with the plugin `quantumespresso.pw`.')
        spec.input('pp_code', valid_type=orm.AbstractCode, help='A code with the plugin `quantumespresso.pp`.')
        spec.input('options', valid_type=orm.Dict, required=False, help='`metadata.options` of all calculations.')
        cls.define_clean_workdir(spec)
        spec.outline(
            cls.setup,
            cls.run_bulk,
            cls.inspect_bulk,
            cls.run_bulk_potential,
            cls.inspect_bulk_potential,
            if_(cls.should_scan)(cls.run_scan, cls.inspect_scan),
            if_(cls.should_relax)(cls.run_relax, cls.inspect_relax),
            cls.run_scf,
            cls.inspect_scf,
            cls.run_averages,
            cls.inspect_averages,
            cls.results,
        )
        cls._define_outputs(spec)
        cls._define_exit_codes(spec)

    @classmethod
    def _define_outputs(cls, spec: ProcessSpec) -> None:
        spec.output(
            'summary',
            valid_type=orm.Dict,
            help='State, gap (eV), fields (eV/Å), band offsets (eV), charges (e per cell) and where carriers are.',
        )
        spec.output(
            'profiles',
            valid_type=orm.ArrayData,
            help='By height (Å): planar and macroscopic potential (eV) and density (electrons per Å), middle of the '
            'gap (eV), free carriers (per Å), local density of states (per eV and Å) by energy from the Fermi level, '
            'and density of states of each layer (per eV); all per cell.',
        )
        spec.output('structure', valid_type=orm.StructureData, help='The heterostructure that the results are of.')
        spec.output('layout', valid_type=orm.Dict, help='Slabs, interfaces and surfaces by height (Å).')
        spec.output('bands', valid_type=orm.BandsData, help='Bands in eV on the mesh.')
        spec.output('scan', valid_type=orm.Dict, required=False, help='Energies in eV of what was scanned.')

    @classmethod
    def _define_exit_codes(cls, spec: ProcessSpec) -> None:
        spec.exit_code(401, 'ERROR_SUB_PROCESS_FAILED_BULK', message='The ground state of one of the crystals failed.')
        spec.exit_code(402, 'ERROR_SUB_PROCESS_FAILED_SCAN', message='None of the scanned interfaces converged.')
        spec.exit_code(403, 'ERROR_SUB_PROCESS_FAILED_RELAX', message='The relaxation failed.')
        spec.exit_code(404, 'ERROR_SUB_PROCESS_FAILED_SCF', message='The ground state of the heterostructure failed.')
        spec.exit_code(405, 'ERROR_SUB_PROCESS_FAILED_AVERAGES', message='pp.x failed for {label}.')
        spec.exit_code(
            501,
            'ERROR_METALLIC_CRYSTAL',
            message='The {side} is a metal by itself (its bands overlap by {overlap:.3f} eV on the mesh), so that the '
            'interface has no polar discontinuity. Choose an insulator, or a functional that opens its gap.',
        )
        spec.exit_code(
            701,
            'WARNING_SCAN_INCOMPLETE',
            message='{failed} of {number} scanned interfaces failed; the outputs are of the best of the others.',
        )

    @classmethod
    def get_protocol_filepath(cls) -> Path:
        """Return the path of the YAML file with the protocols."""
        return Path(str(files('aiida_foundry.workflows.interfaces.protocols') / 'heterostructure.yaml'))

    @classmethod
    def get_builder_from_protocol(
        cls,
        pw_code: orm.AbstractCode,
        pp_code: orm.AbstractCode,
        film: orm.StructureData,
        substrate: orm.StructureData,
        *,
        film_miller: tuple[int, int, int],
        substrate_miller: tuple[int, int, int],
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        pseudo_family: str | None = None,
        pseudos: Mapping[str, UpfData] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder with all inputs set.

        Args:
            pw_code: pw.x.
            pp_code: pp.x.
            film: the crystal that is strained.
            substrate: the crystal below.
            film_miller: direction of the film along z, from substrate to film, on the conventional cell.
            substrate_miller: that of the substrate.
            protocol: `fast`, `balanced` or `stringent`.
            overrides: replacements of what the protocol sets, with the same nesting.
            pseudo_family: label of the pseudopotential family; a short form of the override of that name.
            pseudos: pseudopotentials by element instead of a family; then both cutoffs have to be given.
            options: `metadata.options` of all calculations.

        Raises:
            InputError: for anything that cannot work, with the reason.
        """
        inputs = cls.get_protocol_inputs(protocol, overrides)
        crystals = (film, substrate)
        spec, result, match, known = checks.prepare(crystals, film_miller, substrate_miller, inputs)
        family = None if pseudos is not None else load_family(pseudo_family or inputs['pseudo_family'])
        chosen = checks.choose_pseudos(crystals, pseudos, family)
        checks.check_bulk_electrons(crystals, chosen)
        structure = functions.structure_of(result.cell)
        values = checks.complete_parameters(inputs, family, structure, known)
        if values['polar_charge'] is None:
            values['polar_charge'] = checks.polar_charge(crystals, match, known)
        builder = cls.get_builder()
        builder.film, builder.substrate = film, substrate
        builder.interface = orm.Dict(spec.model_dump(mode='json'))
        scan = checks.scanned(checks.matching_pair(crystals), spec, inputs['scan'])
        if len(scan) > 1:
            builder.scan = orm.List(scan)
        builder.kpoints = checks.plane_mesh(structure, inputs)
        bulks = map(functions.structure_of, build.bulk_cells(match, spec.film_share))
        builder.bulk_kpoints = dict(zip(SIDES, checks.bulk_meshes(bulks, builder.kpoints, structure), strict=True))
        builder.parameters = orm.Dict(values)
        builder.pseudos = chosen
        builder.pw_code, builder.pp_code = pw_code, pp_code
        builder.options = orm.Dict({**inputs['options'], **(options or {})})
        builder.clean_workdir = orm.Bool(inputs['clean_workdir'])
        return builder

    def setup(self) -> None:
        """Build the heterostructure."""
        self.ctx.parameters = parameters.parse_parameters(self.inputs.parameters.get_dict())
        self.ctx.failed = 0
        self.ctx.candidates = [self.inputs.interface]
        if 'scan' in self.inputs:
            self.ctx.candidates = [orm.Dict(values) for values in self.inputs.scan.get_list()]
        self.ctx.built = [self._build(candidate) for candidate in self.ctx.candidates]
        self._choose(0)

    def _build(self, interface: orm.Dict) -> dict[str, Any]:
        built: dict[str, Any] = functions.build_heterostructure(
            self.inputs.film,
            self.inputs.substrate,
            interface,
            orm.Int(build.VERSION),
            metadata={'call_link_label': 'build'},
        )
        return built

    def _choose(self, index: int) -> None:
        self.ctx.layout = self.ctx.built[index]['layout']
        self.ctx.structure = self.ctx.built[index]['structure']

    def run_bulk(self) -> ToContext:
        """Run both crystals by themselves."""
        return ToContext(
            **{
                f'bulk_{name}': self._submit_pw(
                    f'bulk_{name}', self.ctx.built[0][name], self.inputs.bulk_kpoints[name], parameters.scf
                )
                for name in SIDES
            }
        )

    def inspect_bulk(self) -> ExitCode | None:
        """Stop if one of them failed."""
        if not all(self.ctx[f'bulk_{name}'].is_finished_ok for name in SIDES):
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_BULK
        return None

    def run_bulk_potential(self) -> ToContext:
        """Average the potentials of the crystals."""
        values = parameters.potential()
        runs = {f'potential_{name}': self.ctx[f'bulk_{name}'] for name in SIDES}
        return ToContext(**{label: self._submit_pp(label, run, values) for label, run in runs.items()})

    def inspect_bulk_potential(self) -> ExitCode | None:
        """Note the band edges; a metal ends the workflow before the expensive part."""
        self.ctx.edges = {}
        for name in SIDES:
            if not self.ctx[f'potential_{name}'].is_finished_ok:
                return self.exit_codes.ERROR_SUB_PROCESS_FAILED_AVERAGES.format(label=f'the {name}')
            run = self.ctx[f'bulk_{name}']
            edges = functions.band_edges(
                bands=run.outputs.output_band,
                potential=self.ctx[f'potential_{name}'].outputs.output_data,
                number_of_electrons=orm.Int(round(run.outputs.output_parameters['number_of_electrons'])),
                version=orm.Int(electron_gas.VERSION),
                metadata={'call_link_label': f'edges_{name}'},
            )
            if edges['gap'] <= 0:
                return self.exit_codes.ERROR_METALLIC_CRYSTAL.format(side=name, overlap=-edges['gap'])
            self.ctx.edges[name] = edges
        return None

    def should_scan(self) -> bool:
        """Return whether there are several interfaces to choose from and none was relaxed before."""
        return len(self.ctx.candidates) > 1 and 'relaxed_structure' not in self.inputs

    def run_scan(self) -> None:
        """Run a ground state of each."""
        for index, built in enumerate(self.ctx.built):
            run = self._submit_pw(f'scan_{index}', built['structure'], self.inputs.kpoints, parameters.scf, built)
            self.to_context(scan=append_(run))

    def inspect_scan(self) -> ExitCode | None:
        """Go on with the lowest energy."""
        energies = {
            index: run.outputs.output_parameters for index, run in enumerate(self.ctx.scan) if run.is_finished_ok
        }
        self.ctx.failed = len(self.ctx.scan) - len(energies)
        if not energies:
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_SCAN
        table = functions.collect_scan(
            orm.List([self.ctx.candidates[index].get_dict() for index in energies]),
            **{f'run_{index}': node for index, node in energies.items()},
        )
        self.out('scan', table)
        best = list(energies)[table['best']]
        self.report(f'interface {best} of {len(self.ctx.scan)} has the lowest energy')
        self._choose(best)
        return None

    def should_relax(self) -> bool:
        """Return whether ions are to move."""
        if 'relaxed_structure' in self.inputs:
            self.ctx.structure = self.inputs.relaxed_structure
            return False
        return self.ctx.parameters.relax.enabled

    def run_relax(self) -> ToContext:
        """Relax the ions near interfaces and surfaces."""
        built = {'layout': self.ctx.layout}
        run = self._submit_pw('relax', self.ctx.structure, self.inputs.kpoints, parameters.relax, built)
        return ToContext(relax=run)

    def inspect_relax(self) -> ExitCode | None:
        """Go on with the relaxed structure."""
        if not self.ctx.relax.is_finished_ok:
            return self.exit_codes.ERROR_SUB_PROCESS_FAILED_RELAX
        self.ctx.structure = self.ctx.relax.outputs.output_structure
        return None

    def run_scf(self) -> ToContext:
        """Run the ground state of the heterostructure."""
        built = {'layout': self.ctx.layout}
        run = self._submit_pw('scf', self.ctx.structure, self.inputs.kpoints, parameters.scf, built)
        return ToContext(scf=run)

    def inspect_scf(self) -> ExitCode | None:
        """Stop if it failed."""
        return None if self.ctx.scf.is_finished_ok else self.exit_codes.ERROR_SUB_PROCESS_FAILED_SCF

    def run_averages(self) -> ToContext:
        """Average potential, density and local densities of states."""
        fermi = self.ctx.scf.outputs.output_parameters['fermi_energy']
        steps = {
            'potential': parameters.potential(),
            'density': parameters.density(),
            'ldos': parameters.local_density_of_states(self.ctx.parameters, fermi),
        }
        return ToContext(**{label: self._submit_pp(label, self.ctx.scf, values) for label, values in steps.items()})

    def inspect_averages(self) -> ExitCode | None:
        """Stop if one of them failed."""
        for label in ('potential', 'density', 'ldos'):
            if not self.ctx[label].is_finished_ok:
                return self.exit_codes.ERROR_SUB_PROCESS_FAILED_AVERAGES.format(label=label)
        return None

    def results(self) -> ExitCode | None:
        """Analyse and attach the outputs."""
        outputs = functions.analyse_heterostructure(
            **{label: self.ctx[label].outputs.output_data for label in ('potential', 'density', 'ldos')},
            bands=self.ctx.scf.outputs.output_band,
            scf=self.ctx.scf.outputs.output_parameters,
            **self.ctx.edges,
            layout=self.ctx.layout,
            parameters=self.inputs.parameters,
            version=orm.Int(heterostructure.VERSION),
            metadata={'call_link_label': 'analyse'},
        )
        self.out_many(outputs)
        bands = self.ctx.scf.outputs.output_band
        self.out_many({'structure': self.ctx.structure, 'layout': self.ctx.layout, 'bands': bands})
        if self.ctx.failed:
            return self.exit_codes.WARNING_SCAN_INCOMPLETE.format(failed=self.ctx.failed, number=len(self.ctx.scan))
        return None

    def _submit_pw(
        self,
        label: str,
        structure: orm.StructureData,
        kpoints: orm.KpointsData,
        make: Any,
        built: Mapping[str, Any] | None = None,
    ) -> orm.ProcessNode:
        """Submit pw.x; with a layout, ions far from interfaces are held, and slabs get a dipole correction."""
        pseudos = {kind.name: self.inputs.pseudos[kind.symbol] for kind in structure.kinds}
        electrons = checks.valence_electrons(structure, pseudos)
        values = make(self.ctx.parameters, electrons, len(structure.sites))
        inputs = {'code': self.inputs.pw_code, 'structure': structure, 'pseudos': pseudos}
        if built is not None:
            layout = built['layout'].get_dict()
            if layout['kind'] == 'slab':
                parameters.add_dipole_correction(values, layout, structure.cell[2][2])
            if values['CONTROL']['calculation'] == 'relax':
                heights = [site.position[2] % structure.cell[2][2] for site in structure.sites]
                held = parameters.fixed_coordinates(layout, heights, self.ctx.parameters.relax.free_planes)
                inputs['settings'] = orm.Dict({'FIXED_COORDS': held})
        metadata = {'call_link_label': label, 'label': label}
        pw = {**inputs, 'parameters': orm.Dict(values), 'metadata': {'options': self._options(self.inputs.pw_code)}}
        process = self.submit(PwSloshingBaseWorkChain, pw=pw, kpoints=kpoints, metadata=metadata)
        self.report(f'launched {label} <{process.pk}>')
        return process

    def _submit_pp(self, label: str, parent: orm.ProcessNode, values: dict[str, Any]) -> orm.ProcessNode:
        """Submit pp.x on the folder of a ground state, to be parsed to planar averages."""
        options = planar_options(self._options(self.inputs.pp_code))
        process = self.submit(
            PpCalculation,
            code=self.inputs.pp_code,
            parent_folder=parent.outputs.remote_folder,
            parameters=orm.Dict(values),
            metadata={'call_link_label': label, 'label': label, 'options': options},
        )
        self.report(f'launched {label} <{process.pk}>')
        return process

    def _options(self, code: orm.AbstractCode) -> dict[str, Any]:
        given = self.inputs.options.get_dict() if 'options' in self.inputs else {}
        return dict(PwSloshingBaseWorkChain.set_default_resources(given, code.computer.scheduler_type))
