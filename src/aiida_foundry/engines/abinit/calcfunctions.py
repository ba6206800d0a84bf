"""Steps around ABINIT that belong in the provenance graph."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

from aiida.engine import calcfunction
from aiida.orm import Int
from aiida_pseudo.data.pseudo.psp8 import Psp8Data
from aiida_pseudo.data.pseudo.upf import UpfData

from aiida_foundry.engines.abinit import psp8


@calcfunction
def upf_to_psp8(upf: UpfData, version: Int) -> Psp8Data:  # noqa: ARG001 - `version` keeps caching honest
    """Convert a norm-conserving UPF to psp8; `version` is `psp8.VERSION`. Raises `InputError` as the converter does."""
    content = psp8.upf_to_psp8(upf.get_content())
    return Psp8Data(BytesIO(content.encode()), f'{Path(upf.filename).stem}.psp8')


def psp8_by_kind(pseudos: Mapping[str, UpfData]) -> dict[str, Psp8Data]:
    """Return psp8 for each kind name; kinds that share a UPF share its conversion."""
    distinct = {upf.uuid: upf for upf in pseudos.values()}
    converted = {uuid: upf_to_psp8(upf, Int(psp8.VERSION)) for uuid, upf in distinct.items()}
    return {kind: converted[upf.uuid] for kind, upf in pseudos.items()}
