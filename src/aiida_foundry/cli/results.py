"""What there is to say of a process, as plain records: the source of tables, figures and JSON."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from aiida_foundry.common.errors import InputError
from aiida_foundry.common.experiment import ExperimentalGap, experimental_gap
from aiida_foundry.workflows.gw.methods import METHODS

if TYPE_CHECKING:
    from aiida.orm import Data, Dict, ProcessNode, StructureData

SYMPREC = 1e-3
"""Å within which a structure is taken to have the symmetry that tells its polymorph."""


@dataclass(frozen=True)
class GapRecord:
    """Gaps in eV that a process found with one method, and what they cost.

    Attributes:
        method: name of the method.
        kohn_sham_direct: direct gap of the starting point.
        kohn_sham_indirect: indirect gap of the starting point.
        direct: direct quasiparticle gap.
        indirect: indirect quasiparticle gap.
        on_mesh: whether the band edges lie on the mesh of k-points, so that `indirect` is the fundamental gap.
        core_seconds: sum over all steps; NaN where it is not known.
        pk: PK of the process that made them.
        uuid: its UUID.
    """

    method: str
    kohn_sham_direct: float
    kohn_sham_indirect: float
    direct: float
    indirect: float
    on_mesh: bool
    core_seconds: float
    pk: int
    uuid: str


@dataclass(frozen=True)
class Material:
    """Reduced formula, space group symbol and number of a crystal."""

    formula: str
    space_group: str
    number: int

    @property
    def experiment(self) -> ExperimentalGap | None:
        """Return the measured gap, where the table has one."""
        return experimental_gap(self.formula, self.number)


def process_record(node: ProcessNode) -> dict[str, Any]:
    """Return identity, state, results and outputs of any process."""
    seconds = (node.mtime - node.ctime).total_seconds() if node.is_terminated else None
    return {
        'pk': node.pk,
        'uuid': node.uuid,
        'process': node.process_label,
        'label': node.label,
        'state': None if node.process_state is None else node.process_state.value,
        'exit_status': node.exit_status,
        'exit_message': node.exit_message,
        'created': node.ctime.isoformat(timespec='seconds'),
        'seconds': seconds,
        'gaps': [asdict(record) for record in gap_records(node)],
        'parameters': output_parameters(node),
        'outputs': {label: {'pk': data.pk, 'type': type(data).__name__} for label, data in outputs(node).items()},
        'failure': failure_record(node),
    }


def outputs(node: ProcessNode) -> dict[str, Data]:
    """Return the outputs of a process by their path, nested namespaces joined by dots."""
    from aiida.common.links import LinkType

    links = node.base.links.get_outgoing(link_type=(LinkType.CREATE, LinkType.RETURN)).all()
    return {link.link_label.replace('__', '.'): link.node for link in sorted(links, key=lambda link: link.link_label)}


def gap_records(node: ProcessNode) -> list[GapRecord]:
    """Return one record for each set of gaps among the outputs: one for ``gw.gap``, several for ``gw.variants``."""
    nodes = outputs(node)
    spaces = [path.removesuffix('gaps') for path in nodes if path == 'gaps' or path.endswith('.gaps')]
    records = [_gap_record(node, nodes[f'{space}gaps'], nodes.get(f'{space}cost')) for space in spaces]
    order = list(METHODS)
    return sorted(records, key=lambda record: order.index(record.method) if record.method in order else len(order))


def _gap_record(node: ProcessNode, gaps: Dict, cost: Dict | None) -> GapRecord:
    values = gaps.get_dict()
    process = _deepest_owner(node, gaps)
    return GapRecord(
        method=values['method'],
        kohn_sham_direct=values['kohn_sham']['direct'],
        kohn_sham_indirect=values['kohn_sham']['indirect'],
        direct=values['quasiparticle']['direct'],
        indirect=values['quasiparticle']['indirect'],
        on_mesh=values['extremum_on_mesh'],
        core_seconds=math.nan if cost is None else cost['core_seconds'],
        pk=process.pk,
        uuid=process.uuid,
    )


def _deepest_owner(node: ProcessNode, data: Data) -> ProcessNode:
    """Return the workflow called by ``node`` that returns ``data``, or ``node`` itself."""
    from aiida.common.links import LinkType

    owners = data.base.links.get_incoming(link_type=LinkType.RETURN).all_nodes()
    return next((owner for owner in owners if owner.caller is not None and owner.caller.pk == node.pk), node)


def output_parameters(node: ProcessNode) -> dict[str, Any]:
    """Return the content of ``output_parameters``, which our calculations and their base workflows have."""
    parameters = outputs(node).get('output_parameters')
    return {} if parameters is None else parameters.get_dict()


def material_of(node: ProcessNode) -> Material:
    """Return what the process was run on.

    Raises:
        InputError: if it has no structure among its inputs.
    """
    from aiida.orm import StructureData

    structures = [data for data in node.base.links.get_incoming().all_nodes() if isinstance(data, StructureData)]
    if not structures:
        raise InputError(f'process {node.pk}', 'it has no structure among its inputs', 'Give the process of a crystal')
    return describe_structure(structures[0])


def describe_structure(structure: StructureData) -> Material:
    """Return formula and space group of a structure."""
    from aiida_foundry.analysis.crystal import space_group
    from aiida_foundry.structures.checks import cell_of

    symbol, number = space_group(cell_of(structure), SYMPREC)
    return Material(structure.get_pymatgen().composition.reduced_formula, symbol, number)


def failure_record(node: ProcessNode) -> dict[str, Any] | None:
    """Return the process where a failure began, with its exit message; ``None`` if there was none."""
    if not node.is_terminated or node.is_finished_ok:
        return None
    origin = origin_of_failure(node)
    return {
        'pk': origin.pk,
        'process': origin.process_label,
        'exit_status': origin.exit_status,
        'message': origin.exit_message or origin.process_status or origin.exception or 'no message',
    }


def origin_of_failure(node: ProcessNode) -> ProcessNode:
    """Return the last failed process below ``node`` that has no failed child itself; killing comes from above."""
    if node.is_killed:
        return node
    failed = [child for child in node.called if child.is_terminated and not child.is_finished_ok]
    if not failed:
        return node
    return origin_of_failure(max(failed, key=lambda child: child.pk))
