"""Screening of many insulators for polar interfaces."""

from __future__ import annotations

import asyncio
import io
import shutil
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from aiida import orm
from aiida.engine import ProcessBuilder, ProcessSpec, WorkChain, while_

from aiida_foundry.analysis.interfaces import candidates, exact
from aiida_foundry.analysis.interfaces.properties import parse_known, parse_parameters
from aiida_foundry.common.errors import InputError, message_of
from aiida_foundry.structures.collections import Entry, archive_resources, write_archive
from aiida_foundry.workflows.interfaces import calcfunctions
from aiida_foundry.workflows.interfaces.polarizations import assign, check, with_polarizations
from aiida_foundry.workflows.interfaces.tiles import Screening, check_known
from aiida_foundry.workflows.interfaces.work import work_folder
from aiida_foundry.workflows.shared.protocol import StrictProtocolMixin

#: Seconds of work between two checkpoints: what is shown as progress, and how long a daemon worker does nothing else.
SLICE = 2.0


def validate_inputs(inputs: Mapping[str, Any], _: Any) -> str | None:
    """Refuse no source of crystals, or two, and properties of crystals that are not there."""
    if ('archive' in inputs) == bool(inputs.get('structures')):
        return 'give either `archive` or `structures`'
    polarizations = inputs.get('polarizations', {})
    if 'archive' in inputs:
        text = inputs['archive'].get_content(mode='r')
    elif polarizations:
        text = archive_of(inputs['structures'])
    else:
        return None
    known = inputs['known'].get_dict() if 'known' in inputs else {}
    return message_of(check_properties, text, known, polarizations)


def archive_of(structures: Mapping[str, orm.StructureData]) -> str:
    """Return the archive that nodes by name will be put into."""
    return write_archive(Entry(name, structures[name].get_pymatgen()) for name in sorted(structures))


def check_properties(archive: str, known: Mapping[str, Any], polarizations: Mapping[str, orm.Dict]) -> None:
    """Refuse properties and polarizations of other crystals than those of the archive.

    Raises:
        InputError: names the crystal.
    """
    check_known(archive, parse_known(known))
    if polarizations:
        check(archive, polarizations)
        with_polarizations(archive, known, polarizations)


class InterfaceScreenWorkChain(StrictProtocolMixin, WorkChain):
    """All crystals against all others: which pairs of insulators have a charge at a coherent interface.

    A crystal takes part if it is an insulator as surely as asked for, and its polarization is fixed by symmetry or
    given. A pair is a candidate if faces of both match within strain and area, and σ = (P₁ − P₂)·n̂ is not zero. The
    best, one per pair of crystals by Pareto front of charge, strain and atoms, go on as nodes with exact matches. All
    others are rows of one record set. The work lies in a folder beside AiiDA's configuration until then: nothing is
    computed twice after a crash.
    """

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define inputs, outline, exit codes and outputs."""
        super().define(spec)
        spec.input(
            'archive',
            valid_type=orm.SinglefileData,
            required=False,
            help='The crystals as OPTIMADE JSON Lines; lengths in Å. Instead of `structures`.',
        )
        spec.input_namespace(
            'structures',
            valid_type=orm.StructureData,
            dynamic=True,
            required=False,
            help='The crystals by the names that they have in the tables. Instead of `archive`.',
        )
        spec.input(
            'parameters',
            valid_type=orm.Dict,
            validator=lambda node, _: message_of(parse_parameters, node.get_dict()),
            help='Limits: see `analysis.interfaces.properties.ScreenParameters` (Å, Å², e/Å²).',
        )
        spec.input(
            'known',
            valid_type=orm.Dict,
            default=lambda: orm.Dict({}),
            validator=lambda node, _: message_of(parse_known, node.get_dict()),
            help='What is known of crystals by name or reduced formula: see `KnownProperties` (eV, C/m²).',
        )
        spec.input_namespace(
            'polarizations',
            valid_type=orm.Dict,
            dynamic=True,
            required=False,
            help='Outputs `polarization` of `foundry.polarization.berry` for polar crystals, by `crystal_N`: N counts '
            'from 0 the crystals of `archive`, or `structures` in the order of their names.',
        )
        spec.inputs.validator = validate_inputs
        spec.outline(cls.setup, while_(cls.is_unfinished)(cls.advance), cls.record, cls.match_best, cls.results)
        spec.output(
            'records',
            valid_type=orm.FolderData,
            help='`crystals.parquet`: every crystal with its polarization, or the reason why it is left out. '
            '`pairs.parquet`: every candidate; units are in the names of the columns (e, Å, Å²).',
        )
        spec.output('summary', valid_type=orm.Dict, help='Counts, what was dropped why, and the best pairs.')
        spec.output_namespace(
            'matches',
            valid_type=orm.Dict,
            dynamic=True,
            required=False,
            help='Exact matches of the best pairs by rank (`rank_001`): transformations, rotations, strain, charge in '
            'e per superlattice cell, terminations. Lengths in Å.',
        )
        spec.exit_code(
            501,
            'ERROR_TOO_FEW_CRYSTALS',
            message='{number} of {total} crystals take part, and a pair needs two; the reasons are in `records`.',
        )
        spec.exit_code(
            701,
            'WARNING_MATCHES_MISSING',
            message='Of the best pairs those of rank {ranks} have no match in the orientation of their charge (both '
            'crystals are chiral); all other outputs are complete.',
        )

    @classmethod
    def get_protocol_filepath(cls) -> Path:
        """Return the path of the YAML file with the protocols."""
        return Path(str(files('aiida_foundry.workflows.interfaces.protocols') / 'screen.yaml'))

    @classmethod
    def get_builder_from_protocol(
        cls,
        structures: Mapping[str, orm.StructureData] | orm.SinglefileData | str,
        *,
        known: Mapping[str, Mapping[str, Any]] | None = None,
        polarizations: Iterable[orm.Dict] = (),
        protocol: str | None = None,
        overrides: Mapping[str, Any] | None = None,
    ) -> ProcessBuilder:
        """Return a builder with all inputs set.

        Args:
            structures: nodes by name, or an archive (OPTIMADE JSON Lines) as node or text.
            known: what is known of crystals by name or reduced formula: see `KnownProperties`.
            polarizations: outputs `polarization` of `foundry.polarization.berry`; each belongs to the crystal that it
                was computed for, in the same Cartesian axes.
            protocol: `fast`, `balanced` or `stringent`.
            overrides: replacements of what the protocol sets, with the same nesting.

        Raises:
            InputError: for anything that cannot work, with the reason.
        """
        inputs = cls.get_protocol_inputs(protocol, overrides)
        parse_known(known or {})
        builder = cls.get_builder()
        builder.parameters = orm.Dict(parse_parameters(inputs['parameters']).model_dump())
        builder.known = orm.Dict(dict(known or {}))
        if isinstance(structures, Mapping):
            number = len(structures)
            builder.structures = dict(structures)
            text = archive_of(structures) if number and (known or polarizations) else ''
        else:
            if isinstance(structures, str):
                structures = orm.SinglefileData(io.BytesIO(structures.encode()), filename='structures.jsonl')
            text = structures.get_content(mode='r')
            number = len(list(archive_resources(text)))
            builder.archive = structures
        if number < 2:
            raise InputError('structures', f'there are {number}', 'A pair needs two crystals at least')
        builder.polarizations = assign(text, polarizations)
        check_properties(text, known or {}, builder.polarizations)
        return builder

    async def step(self) -> None:
        """Let the runner look at other processes, and at a request to stop, between two pieces of work."""
        await asyncio.sleep(0)
        await super().step()

    def setup(self) -> None:
        """Put the crystals into one archive, and all that is known of them into one node."""
        if 'archive' in self.inputs:
            self.ctx.archive = self.inputs.archive
        else:
            self.ctx.archive = calcfunctions.archive_structures(
                **self.inputs.structures,
                version=orm.Int(calcfunctions.VERSION),
                metadata={'call_link_label': 'archive'},
            )
        self.ctx.known = self.inputs.known
        if 'polarizations' in self.inputs:
            self.ctx.known = calcfunctions.add_polarizations(
                self.ctx.archive,
                self.inputs.known,
                orm.Int(calcfunctions.VERSION),
                **self.inputs.polarizations,
                metadata={'call_link_label': 'known'},
            )
        self.ctx.done = False

    def is_unfinished(self) -> bool:
        """Return whether work is left."""
        return not self.ctx.done

    def advance(self) -> None:
        """Work for a while; what is done is in the work folder, not in the checkpoint."""
        screening = self._open()
        self.ctx.done = screening.advance(SLICE)
        self.node.set_process_status('{}: {} of {}'.format(*screening.progress))
        if self.ctx.done:
            screening.__exit__()
            del self._screening

    def _open(self) -> Screening:
        """Return the screening, which is kept between steps: opening it again would repeat the symmetry analysis."""
        if not hasattr(self, '_screening'):
            arguments = self._arguments()
            self._screening = Screening(*arguments, work_folder(*arguments)).__enter__()
        return self._screening

    def _arguments(self) -> tuple[str, dict[str, Any], dict[str, Any]]:
        text: str = self.ctx.archive.get_content(mode='r')
        return text, self.inputs.parameters.get_dict(), self.ctx.known.get_dict()

    def record(self) -> Any:
        """Store the tables in the graph."""
        outputs = calcfunctions.screen_archive(
            self.ctx.archive,
            self.inputs.parameters,
            self.ctx.known,
            orm.Int(candidates.VERSION),
            metadata={'call_link_label': 'record'},
        )
        self.out_many(outputs)
        self.ctx.records, self.ctx.summary = outputs['records'], outputs['summary']
        shutil.rmtree(work_folder(*self._arguments()), ignore_errors=True)
        number, total = self.ctx.summary['crystals_taking_part'], self.ctx.summary['crystals']
        if number < 2:
            return self.exit_codes.ERROR_TOO_FEW_CRYSTALS.format(number=number, total=total)
        return None

    def match_best(self) -> None:
        """Make a node of the exact match of each pair that goes on."""
        self.ctx.missing = []
        crystals: dict[str, orm.StructureData] = dict(self.inputs.get('structures', {}))
        for pair in self.ctx.summary['best']:
            for name in (pair['film'], pair['substrate']):
                if name not in crystals:
                    crystals[name] = calcfunctions.structure_of(
                        self.ctx.archive,
                        orm.Str(name),
                        orm.Int(calcfunctions.VERSION),
                        metadata={'call_link_label': f'structure_{len(crystals):03d}'},
                    )
            label = f'rank_{pair["rank"]:03d}'
            try:
                match = calcfunctions.match_pair(
                    archive=self.ctx.archive,
                    records=self.ctx.records,
                    row=orm.Int(pair['row']),
                    film=crystals[pair['film']],
                    substrate=crystals[pair['substrate']],
                    parameters=self.inputs.parameters,
                    known=self.ctx.known,
                    version=orm.Int(exact.VERSION),
                    metadata={'call_link_label': label},
                )
            except InputError as error:
                self.report(f'rank {pair["rank"]}: {error}')
                self.ctx.missing.append(pair['rank'])
                continue
            self.out(f'matches.{label}', match)

    def results(self) -> Any:
        """Say which of the best pairs have no match after all."""
        if self.ctx.missing:
            return self.exit_codes.WARNING_MATCHES_MISSING.format(ranks=', '.join(map(str, self.ctx.missing)))
        return None
