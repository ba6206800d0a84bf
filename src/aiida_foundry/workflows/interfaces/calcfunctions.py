"""Steps of a screening that belong in the provenance graph: one record set, and a node for each pair that goes on."""

from __future__ import annotations

import io
import json
import tempfile
from pathlib import Path
from typing import Any

from aiida.engine import calcfunction
from aiida.orm import Dict, FolderData, Int, SinglefileData, Str, StructureData
from pymatgen.core import Structure

from aiida_foundry.analysis.interfaces.exact import exact_match
from aiida_foundry.analysis.interfaces.properties import KnownProperties, parse_known
from aiida_foundry.structures.collections import Entry, archive_resources, read_archive, write_archive
from aiida_foundry.workflows.interfaces.polarizations import with_polarizations
from aiida_foundry.workflows.interfaces.tiles import Screening, read_rows
from aiida_foundry.workflows.interfaces.work import work_folder

#: Raise it with every change of `archive_structures`, `add_polarizations` or `structure_of`.
VERSION = 1


@calcfunction
def archive_structures(version: Int, **structures: StructureData) -> SinglefileData:  # noqa: ARG001
    """Return structures as one OPTIMADE file, named by their link labels; `version` is `VERSION`."""
    entries = (Entry(name, structure.get_pymatgen()) for name, structure in sorted(structures.items()))
    return SinglefileData(io.BytesIO(write_archive(entries).encode()), filename='structures.jsonl')


@calcfunction
def add_polarizations(archive: SinglefileData, known: Dict, version: Int, **polarizations: Dict) -> Dict:  # noqa: ARG001
    """Return what is known of crystals with their computed polarizations; `version` is `VERSION`."""
    return Dict(with_polarizations(archive.get_content(mode='r'), known.get_dict(), polarizations))


@calcfunction
def screen_archive(archive: SinglefileData, parameters: Dict, known: Dict, version: Int) -> dict[str, Any]:  # noqa: ARG001
    """Return the tables of a screening and its summary; `version` is `candidates.VERSION`.

    Work that an earlier attempt left in the work folder is used, and the folder's key covers all inputs.
    """
    text = archive.get_content(mode='r')
    folder = work_folder(text, parameters.get_dict(), known.get_dict())
    with (
        Screening(text, parameters.get_dict(), known.get_dict(), folder) as screening,
        tempfile.TemporaryDirectory() as out,
    ):
        summary = screening.write_tables(Path(out))
        return {'records': FolderData(tree=out), 'summary': Dict(summary)}


@calcfunction
def structure_of(archive: SinglefileData, name: Str, version: Int) -> StructureData:  # noqa: ARG001
    """Return one crystal of an archive, without oxidation states; `version` is `VERSION`."""
    structure = _structure(archive, name.value)
    structure.remove_oxidation_states()
    return StructureData(pymatgen=structure)


@calcfunction
def match_pair(
    archive: SinglefileData,
    records: FolderData,
    row: Int,
    film: StructureData,  # noqa: ARG001
    substrate: StructureData,  # noqa: ARG001
    parameters: Dict,
    known: Dict,
    version: Int,  # noqa: ARG001
) -> Dict:
    """Return the exact match of one row of the table of pairs; `version` is `exact.VERSION`.

    The crystals are taken from the archive, which has their oxidation states and moments; `film` and `substrate` are
    the nodes of the same crystals.
    """
    with records.base.repository.as_path('pairs.parquet') as path:
        candidate = read_rows(path, [row.value])[0]
    film_side, substrate_side = (
        (
            _structure(archive, candidate[side]),
            known_of(known.get_dict(), candidate[side], candidate[f'{side}_formula']),
        )
        for side in ('film', 'substrate')
    )
    return Dict({**exact_match(film_side, substrate_side, candidate, parameters['max_strain']), 'candidate': candidate})


def known_of(known: dict[str, Any], name: str, formula: str) -> KnownProperties:
    """Return what is known of a crystal by its name, or else by its formula."""
    parsed = parse_known(known)
    return parsed.get(name) or parsed.get(formula) or KnownProperties()


def _structure(archive: SinglefileData, name: str) -> Structure:
    resources = archive_resources(archive.get_content(mode='r'))
    return next(read_archive(json.dumps(next(one for one in resources if str(one['id']) == name)))).structure
