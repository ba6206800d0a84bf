"""Spontaneous polarization along a path of structures, whatever engine computes the images."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessBuilder, ProcessSpec, ToContext, WorkChain, if_, while_
from aiida.plugins import WorkflowFactory

from aiida_foundry.analysis.polarization import path as paths
from aiida_foundry.analysis.polarization import spontaneous
from aiida_foundry.analysis.polarization.branch import phase_modulus
from aiida_foundry.common.errors import InputError, message_of
from aiida_foundry.structures.checks import cell_of, check_structure_data
from aiida_foundry.workflows.polarization.berry import ENGINES, BerryPolarizationWorkChain
from aiida_foundry.workflows.polarization.calcfunctions import (
    add_costs,
    constraints_of,
    halfway_to_inverse,
    image_of_path,
    spontaneous_polarization,
    structure_of,
)
from aiida_foundry.workflows.shared.protocol import StrictProtocolMixin

FEWEST_IMAGES = 3
METALLIC_STATUS = 501
"""Exit status of `foundry.polarization.berry` for a metal."""


def check_inputs(inputs: Mapping[str, Any]) -> None:
    """Refuse crystals without a spontaneous polarization and references that do not define one.

    Raises:
        InputError: names the reason.
    """
    structure = inputs['structure']
    check_structure_data(structure, f'structure `{structure.get_formula()}`')
    cell = cell_of(structure)
    paths.check_polar(cell)
    charges = inputs['charges'].get_dict() if 'charges' in inputs else None
    if 'reference' in inputs:
        check_structure_data(inputs['reference'], 'reference')
        reference = cell_of(inputs['reference'])
        if not inputs['accept_reference'].value:
            paths.check_reference(reference)
    else:
        reference = paths.centrosymmetric_reference(cell)
    paths.make_path(reference, cell)
    paths.site_charges(cell, charges)


class PolarizationPathWorkChain(StrictProtocolMixin, WorkChain):
    """Spontaneous polarization: the change of the formal polarization on a straight path from a reference.

    The reference is centrosymmetric, or given; by default it lies half way between the crystal and its inverse. The
    phases of neighbouring images are joined where their step, less that of nominal charges, is below a quarter of the
    quantum; images are added where it is not. An image without a gap ends the workflow: the path is not insulating.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define inputs, outline, exit codes and outputs."""
        super().define(spec)
        cls._define_inputs(spec)
        spec.outline(
            cls.setup,
            if_(cls.should_make_reference)(cls.make_reference),
            cls.start,
            while_(cls.should_run_images)(
                cls.run_images,
                cls.inspect_images,
            ),
            cls.results,
        )
        spec.output(
            'polarization',
            valid_type=orm.Dict,
            help='Spontaneous polarization: `cartesian` and `magnitude` in C/m², `change` in e along the lattice '
            'vectors, `quanta` in C/m² by rows; by image `fractions` of the path, `phases` and `branch` in e, `path` '
            'in C/m², `gaps` in eV; `largest_step` in quanta (the branch is open from ½).',
        )
        spec.output('reference', valid_type=orm.StructureData, help='The start of the path.')
        spec.output('cost', valid_type=orm.Dict, help='Core seconds of each image, their sum in core-hours.')
        spec.exit_code(401, 'ERROR_SUB_PROCESS_FAILED_IMAGE', message='The image at {fraction} of the path failed.')
        spec.exit_code(
            501,
            'ERROR_METALLIC_IMAGE',
            message='The image at {fraction} of the path is a metal, so that the path has no polarization: {detail}',
        )
        spec.exit_code(
            502,
            'ERROR_BRANCH_NOT_FOLLOWED',
            message='The branch is open after {images} images (`maximum_images`), between {places} of the path.',
        )

    @classmethod
    def _define_inputs(cls, spec: ProcessSpec) -> None:
        spec.input('engine', valid_type=orm.Str, help=f'One of {", ".join(ENGINES)}.')
        spec.input('code', valid_type=orm.AbstractCode, help='The code of the engine.')
        spec.input('structure', valid_type=orm.StructureData, help='The polar crystal.')
        spec.input(
            'reference',
            valid_type=orm.StructureData,
            required=False,
            help='Start of the path, with the atoms of the crystal in any order and corresponding lattice vectors. By '
            'default the structure half way between the crystal and its inverse.',
        )
        spec.input(
            'accept_reference',
            valid_type=orm.Bool,
            default=lambda: orm.Bool(False),
            help='Take a reference whose formal polarization is neither 0 nor ½: the result is the change from it.',
        )
        spec.input(
            'charges',
            valid_type=orm.Dict,
            required=False,
            help='Nominal charges by element in e, which predict the steps. By default oxidation states.',
        )
        spec.input('maximum_images', valid_type=orm.Int, help='Images, both ends included, after which to give up.')
        spec.expose_inputs(
            BerryPolarizationWorkChain,
            exclude=('structure', 'ground_state', 'directions'),
            namespace_options={'validator': None},
        )
        spec.inputs.validator = lambda inputs, _: message_of(check_inputs, inputs)

    @classmethod
    def get_protocol_filepath(cls) -> Path:
        """Return the path of the YAML file with the protocols."""
        return Path(str(files('aiida_foundry.workflows.polarization.protocols') / 'path.yaml'))

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode,
        structure: orm.StructureData,
        reference: orm.StructureData | None = None,
        *,
        engine: str = 'quantumespresso',
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        charges: Mapping[str, int] | None = None,
        accept_reference: bool = False,
        **kwargs: Any,
    ) -> ProcessBuilder:
        """Return a builder with all inputs set.

        Args:
            code: the code of the engine.
            structure: the polar crystal.
            reference: start of the path; by default the structure half way between the crystal and its inverse.
            engine: a key of `berry.ENGINES`.
            protocol: `fast`, `balanced` or `stringent`, of the path and of its images.
            overrides: replacements of what the protocol sets; those of the images under `berry`.
            charges: oxidation states by element.
            accept_reference: take any reference.
            kwargs: `pseudo_family`, `magnetic_moments`, `options` as for `BerryPolarizationWorkChain`.

        Raises:
            InputError: for anything that cannot work, with the reason.
        """
        inputs = cls.get_protocol_inputs(protocol, overrides)
        image = BerryPolarizationWorkChain.get_builder_from_protocol(
            code, structure, engine=engine, protocol=protocol, overrides=inputs['berry'], **kwargs
        )._inputs(prune=True)
        builder = cls.get_builder()
        for name, value in image.items():
            if name != 'metadata':
                setattr(builder, name, value)
        builder.engine = orm.Str(engine)
        builder.maximum_images = orm.Int(inputs['maximum_images'])
        builder.accept_reference = orm.Bool(accept_reference)
        if reference is not None:
            builder.reference = reference
        if charges is not None:
            builder.charges = orm.Dict(dict(charges))
        if inputs['maximum_images'] < FEWEST_IMAGES:
            raise InputError('override `maximum_images`', 'a path has two ends and a middle', 'Give at least 3')
        check_inputs(builder._inputs(prune=True))
        return builder

    def setup(self) -> None:
        """Prepare the context."""
        self.ctx.images = {}
        self.ctx.reference = self.inputs.get('reference')

    def should_make_reference(self) -> bool:
        """Return whether no reference was given."""
        return 'reference' not in self.inputs

    def make_reference(self) -> None:
        """Make the structure half way between the crystal and its inverse."""
        self.ctx.reference = halfway_to_inverse(self.inputs.structure, orm.Int(paths.VERSION))

    def start(self) -> None:
        """Choose the first images: as many as let a wrong branch show."""
        charges = self.inputs.charges.get_dict() if 'charges' in self.inputs else None
        self.ctx.charges = paths.site_charges(cell_of(self.inputs.structure), charges).tolist()
        valences = [self.inputs.pseudos[site.kind_name].z_valence for site in self.inputs.structure.sites]
        self.ctx.directions = self._free_directions()
        self.ctx.modulus = phase_modulus(valences, 'magnetic_moments' in self.inputs)
        self.ctx.places = list(spontaneous.first_fractions(self._path(), self.ctx.charges, self.ctx.modulus))

    def should_run_images(self) -> bool:
        """Return whether the branch needs images that the limit allows."""
        total = len(self.ctx.images) + len(self.ctx.places)
        return bool(self.ctx.places) and total <= self.inputs.maximum_images.value

    def run_images(self) -> ToContext:
        """Compute the formal polarization of the images."""
        processes = {}
        for fraction in self.ctx.places:
            label = _label(fraction)
            structure = self.inputs.structure
            if fraction < 1.0:
                structure = image_of_path(
                    self.ctx.reference, self.inputs.structure, orm.Float(fraction), orm.Int(paths.VERSION)
                )
            inputs = self.exposed_inputs(BerryPolarizationWorkChain)
            inputs.update(
                code=self.inputs.code,
                structure=structure,
                directions=orm.List(self.ctx.directions),
                metadata={'call_link_label': label, 'label': label},
            )
            processes[label] = self.submit(WorkflowFactory(ENGINES[self.inputs.engine.value]), **inputs)
            self.report(f'launched the image at {fraction:.4g} of the path <{processes[label].pk}>')
        return ToContext(**processes)

    def inspect_images(self) -> ExitCode | None:
        """Stop at a metal; find the steps that leave the branch open."""
        for fraction in self.ctx.places:
            process = self.ctx[_label(fraction)]
            if process.exit_status == METALLIC_STATUS:
                return self.exit_codes.ERROR_METALLIC_IMAGE.format(
                    fraction=f'{fraction:.4g}', detail=process.exit_message
                )
            if not process.is_finished_ok:
                return self.exit_codes.ERROR_SUB_PROCESS_FAILED_IMAGE.format(fraction=f'{fraction:.4g}')
            self.ctx.images[fraction] = _label(fraction)
        fractions = sorted(self.ctx.images)
        computed = [self.ctx[self.ctx.images[fraction]].outputs.polarization['phases'] for fraction in fractions]
        phases = spontaneous.along(computed, self.ctx.directions)
        self.ctx.places = list(
            spontaneous.further_fractions(self._path(), fractions, phases, self.ctx.modulus, self.ctx.charges)
        )
        return None

    def results(self) -> ExitCode | None:
        """Attach the outputs, unless the branch is open."""
        images = {label: self.ctx[label].outputs for label in self.ctx.images.values()}
        self.out('reference', self.ctx.reference)
        self.out('cost', add_costs(**{label: outputs.cost for label, outputs in images.items()}))
        if self.ctx.places:
            return self.exit_codes.ERROR_BRANCH_NOT_FOLLOWED.format(
                images=len(images), places=' and '.join(f'{fraction:.4g}' for fraction in self.ctx.places)
            )
        settings = {
            'fractions': {label: fraction for fraction, label in self.ctx.images.items()},
            'charges': self.inputs.charges.get_dict() if 'charges' in self.inputs else None,
            'directions': self.ctx.directions,
        }
        polarization = spontaneous_polarization(
            self.ctx.reference,
            self.inputs.structure,
            orm.Dict(settings),
            orm.Int(spontaneous.VERSION),
            **{label: outputs.polarization for label, outputs in images.items()},
        )
        self.out('polarization', polarization)
        return None

    def _free_directions(self) -> list[int]:
        """Return the lattice vectors along which the polarization may change, counted from 1.

        An image between the ends has the symmetry of the whole path; what that fixes is the same all along.
        """
        middle = structure_of(self._path().image(0.5), self.inputs.structure)
        moments = self.inputs.magnetic_moments.get_dict() if 'magnetic_moments' in self.inputs else None
        return [direction + 1 for direction in constraints_of(middle, moments).continuous]

    def _path(self) -> paths.Path:
        return paths.make_path(cell_of(self.ctx.reference), cell_of(self.inputs.structure))


def _label(fraction: float) -> str:
    """Return the link label of an image: 0.25 becomes `image_0_2500`."""
    return f'image_{fraction:.4f}'.replace('.', '_')
