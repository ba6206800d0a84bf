"""Calcfunctions that turn a file or a name into a `StructureData`, so that the provenance graph shows its source.

Every one takes the ``version`` of the pure code it wraps: with caching on, AiiDA would otherwise answer with the result
of older code.
"""

from __future__ import annotations

from aiida.engine import calcfunction
from aiida.orm import Bool, Int, SinglefileData, Str, StructureData

from aiida_foundry.structures.prototypes import prototype_structure
from aiida_foundry.structures.readers import read_structure, reduce_structure


@calcfunction
def structure_from_file(source: SinglefileData, primitive: Bool, version: Int) -> StructureData:  # noqa: ARG001
    """Return the crystal in a CIF, POSCAR or extended xyz file.

    Args:
        source: the file; its name gives the format.
        primitive: whether to reduce it to the standardised primitive cell, exactly symmetric.
        version: ``readers.VERSION``.
    """
    with source.open(mode='r') as handle:
        structure = read_structure(handle.read(), source.filename)
    return StructureData(pymatgen=reduce_structure(structure) if primitive.value else structure)


@calcfunction
def structure_from_prototype(name: Str, version: Int) -> StructureData:  # noqa: ARG001
    """Return the standardised primitive cell of a crystal known by name.

    Args:
        name: a key of ``prototypes.PROTOTYPES``.
        version: ``prototypes.VERSION``.
    """
    return StructureData(pymatgen=prototype_structure(name.value))
