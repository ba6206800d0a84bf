"""The builder of `foundry.bse.ki`: one mesh, one cutoff and one family of pseudopotentials for all steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ProcessBuilder
from aiida.plugins import WorkflowFactory
from aiida_quantumespresso.workflows.protocols.utils import recursive_merge

from aiida_foundry.common.errors import InputError
from aiida_foundry.workflows.shared.inputs import load_family, mesh_of, recommended_cutoff

HARTREE_TO_RYDBERG = 2.0
#: What a calculation of pw.x gets unless the options say otherwise.
ONE_PROCESS = {'num_machines': 1, 'num_mpiprocs_per_machine': 1}
#: Inputs that the work chain gives to each step itself.
COMMON = ('structure', 'kpoints', 'pseudos')


class KiBuilder:
    """Fills the builder of the work chain that it is mixed into."""

    @classmethod
    def fill_builder(
        cls,
        codes: Mapping[str, orm.AbstractCode],
        structure: orm.StructureData,
        inputs: Mapping[str, Any],
        protocol: str | None,
        *,
        g0w0: bool,
        scissor: float | None,
        relax: bool,
        koopmans_engine: str,
        engine: str,
    ) -> ProcessBuilder:
        """Return the builder; arguments as of `get_builder_from_protocol`, `inputs` are those of the protocol.

        Raises:
            InputError: for anything that cannot work, with the reason.
        """
        code = _code_of(engine, codes)
        family = load_family(inputs['pseudo_family'])
        cutoff = inputs['wavefunction_cutoff'] or recommended_cutoff(structure, family, inputs['cutoff_stringency'])
        mesh = mesh_of(structure, inputs)
        common = {
            'kpoints_mesh': mesh.get_kpoints_mesh()[0],
            'options': inputs['options'],
            'pseudo_family': inputs['pseudo_family'],
        }
        transfer = {'extrapolation': inputs['extrapolation']}
        shared = {**common, 'parameters': {'wavefunction_cutoff': cutoff, 'transfer': transfer}}
        bse = WorkflowFactory('foundry.bse.spectrum').get_builder_from_protocol(
            code, structure, 0.0, engine=engine, protocol=protocol,
            overrides=recursive_merge(dict(inputs['bse']), shared),
        )  # fmt: skip
        wannier = {**common, 'wannierize': {'parameters': {'wavefunction_cutoff': cutoff}}}
        koopmans = WorkflowFactory('foundry.koopmans.ki').get_builder_from_protocol(
            codes, structure, engine=koopmans_engine, protocol=protocol,
            overrides=recursive_merge(dict(inputs['koopmans']), wannier),
        )  # fmt: skip
        builder = cls.get_builder()  # type: ignore[attr-defined]
        builder.structure, builder.kpoints, builder.pseudos = structure, mesh, dict(bse.pseudos)
        builder.clean_workdir = orm.Bool(inputs['clean_workdir'])
        builder.bse = _without_common(bse, 'scissor')
        builder.koopmans = _without_common(koopmans)
        builder.engines.bse, builder.engines.koopmans = (orm.Str(_entry_point(made)) for made in (bse, koopmans))
        if scissor is not None:
            builder.scissor = orm.Float(scissor)
        if g0w0:
            settings = bse.parameters.get_dict()
            names = ('wavefunction_cutoff', 'screening_cutoff', 'plasmon_pole', 'bands', 'starting_functional')
            wanted = {**common, 'parameters': {name: settings[name] for name in names}}
            gw = WorkflowFactory('foundry.gw.gap').get_builder_from_protocol(
                code, structure, 'g0w0-ppm', engine=engine, protocol=protocol,
                overrides=recursive_merge(dict(inputs['gw']), wanted),
            )  # fmt: skip
            builder.gw = _without_common(gw)
            builder.engines.gw = orm.Str(_entry_point(gw))
        if relax:
            builder.relax = _relax_inputs(codes, structure, inputs, protocol, cutoff, dict(bse.pseudos))
        return builder


def _code_of(engine: str, codes: Mapping[str, orm.AbstractCode]) -> orm.AbstractCode | Mapping[str, orm.AbstractCode]:
    """Return the code of the engine of the Bethe-Salpeter equation; all of them where it needs several.

    Raises:
        InputError: if it is missing.
    """
    if engine not in codes:
        raise InputError(f'code `{engine}`', 'it is missing', '`aiida-foundry setup` registers what it finds')
    return codes if engine == 'yambo' else codes[engine]


def _without_common(builder: ProcessBuilder, *more: str) -> dict[str, Any]:
    inputs = builder._inputs(prune=True)
    return {name: value for name, value in inputs.items() if name not in (*COMMON, *more, 'metadata')}


def _entry_point(builder: ProcessBuilder) -> str:
    return str(builder.process_class.build_process_type().partition(':')[2])


def _relax_inputs(
    codes: Mapping[str, orm.AbstractCode],
    structure: orm.StructureData,
    inputs: Mapping[str, Any],
    protocol: str | None,
    cutoff: float,
    pseudos: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the inputs of the relaxation, of atoms and cell, by pw.x with the same pseudopotentials and cutoff."""
    cutoffs = {'ecutwfc': cutoff * HARTREE_TO_RYDBERG, 'ecutrho': 4 * cutoff * HARTREE_TO_RYDBERG}
    step = {'pw': {'parameters': {'SYSTEM': {'occupations': 'fixed', **cutoffs}}, 'pseudos': dict(pseudos)}}
    builder = WorkflowFactory('quantumespresso.pw.relax').get_builder_from_protocol(
        codes['pw'],
        structure,
        protocol=protocol,
        overrides=recursive_merge({'base_relax': step, 'base_init_relax': step}, dict(inputs['relax'])),
        options={'resources': ONE_PROCESS, **inputs['options']},
        pseudo_family=inputs['pseudo_family'],
    )
    made = builder._inputs(prune=True)
    return {name: value for name, value in made.items() if name not in ('structure', 'clean_workdir', 'metadata')}
