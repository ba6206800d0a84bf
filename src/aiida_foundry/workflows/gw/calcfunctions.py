"""Steps between self-energy and gap that belong in the provenance graph."""

from __future__ import annotations

from typing import Any

from aiida.engine import calcfunction
from aiida.orm import ArrayData, BandsData, Dict, Float, Int, Str

from aiida_foundry.analysis import gaps


@calcfunction
def quasiparticle_gap(
    quasiparticles: ArrayData,
    mesh_bands: BandsData,
    path_bands: BandsData,
    number_of_electrons: Float,
    method: Str,
    version: Int,  # noqa: ARG001
) -> dict[str, Any]:
    """Return gaps, quasiparticle bands and renormalization factors of one self-energy; `version` is `gaps.VERSION`."""
    record = gaps.compare_gaps(
        quasiparticles.get_array('ks_energies'),
        quasiparticles.get_array('qp_energies'),
        quasiparticles.get_array('kpoints'),
        number_of_electrons.value,
        path=(path_bands.get_bands(), path_bands.get_kpoints()),
    )
    first, last = record['bands']
    window = quasiparticles.get_array('qp_energies')[..., first - 1 : last]
    bands = BandsData()
    bands.set_kpointsdata(mesh_bands)
    bands.set_bands(window[0] if len(window) == 1 else window, units='eV')
    return {
        'gaps': Dict({'method': method.value, 'units': 'eV', **record}),
        'quasiparticle_bands': bands,
        'renormalization': ArrayData(
            {'renormalization': quasiparticles.get_array('renormalization')[..., first - 1 : last]}
        ),
    }
