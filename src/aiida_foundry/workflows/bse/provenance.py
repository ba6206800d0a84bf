"""Check by the provenance graph that quasiparticles belong to a crystal and its pseudopotentials."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from aiida import orm
from aiida_pseudo.data.pseudo import PseudoPotentialData
from aiida_pseudo.data.pseudo.upf import UpfData

from aiida_foundry.common.errors import InputError

SAME = 1e-5
"""Å within which cells and positions are the same."""


def has_origin(quasiparticles: orm.ArrayData) -> bool:
    """Return whether the graph tells of which crystal the quasiparticles are."""
    return any(nodes_of(process, orm.StructureData) for process in processes_above(quasiparticles))


def check_origin(quasiparticles: orm.ArrayData, structure: orm.StructureData, pseudos: Mapping[str, UpfData]) -> None:
    """Refuse quasiparticles that were computed for another crystal or with other pseudopotentials.

    What made them is the first process above them with such an input: the calculation, or the workflow that called it.
    Arrays that no process made have no origin to check; their Kohn-Sham energies are compared all the same.

    Raises:
        InputError: names what differs.
    """
    structures = next(filter(None, (nodes_of(p, orm.StructureData) for p in processes_above(quasiparticles))), [])
    if structures and not any(same_structure(structure, other) for other in structures):
        _refuse(quasiparticles, 'another crystal', structures[0])
    used = next(filter(None, (nodes_of(p, PseudoPotentialData) for p in processes_above(quasiparticles))), [])
    digests = {original(pseudo).md5 for pseudo in used}
    if used and not {pseudo.md5 for pseudo in pseudos.values()} <= digests:
        _refuse(quasiparticles, 'other pseudopotentials', used[0])


def _refuse(quasiparticles: orm.ArrayData, what: str, node: orm.Data) -> None:
    raise InputError(
        f'quasiparticles <{quasiparticles.pk}>',
        f'they were computed for {what} <{node.pk}>',
        'Compute them again for these inputs, or give the inputs they were computed for',
    )


def processes_above(node: orm.Data) -> Iterator[orm.ProcessNode]:
    """Iterate over the process that created a node and the workflows that called it, innermost first.

    A calcfunction without crystal passes the question on to what created its inputs.
    """
    process = node.creator
    while process is not None:
        yield process
        if isinstance(process, orm.CalcFunctionNode) and not nodes_of(process, orm.StructureData):
            for data in nodes_of(process, orm.ArrayData):
                yield from processes_above(data)
        process = process.caller


def nodes_of(process: orm.ProcessNode, kind: type[orm.Data]) -> list[orm.Data]:
    """Return the inputs of a process that are of a kind."""
    return [node for node in process.base.links.get_incoming().all_nodes() if isinstance(node, kind)]


def original(pseudo: PseudoPotentialData) -> PseudoPotentialData:
    """Return the UPF that a pseudopotential was converted from, or the pseudopotential itself."""
    sources = nodes_of(pseudo.creator, UpfData) if pseudo.creator is not None else []
    return sources[0] if sources else pseudo


def same_structure(first: orm.StructureData, second: orm.StructureData) -> bool:
    """Return whether two structures have the same cell and the same atoms at the same positions, in the same order."""
    if first.uuid == second.uuid:
        return True
    symbols = [[structure.get_kind(site.kind_name).symbol for site in structure.sites] for structure in (first, second)]
    if symbols[0] != symbols[1] or not np.allclose(first.cell, second.cell, rtol=0, atol=SAME):
        return False
    here, there = (np.array([site.position for site in structure.sites]) for structure in (first, second))
    return bool(np.allclose(here, there, rtol=0, atol=SAME))
