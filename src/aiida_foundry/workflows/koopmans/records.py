"""Records of Koopmans gaps: what a query for ``koopmans_gaps`` returns."""

from __future__ import annotations

from typing import Annotated

from aiida_foundry.common.records import Record, RecordType, called, input_, output


class KoopmansGapRecord(Record):
    """Gaps of one crystal by the Koopmans-integer functional."""

    direct: Annotated[float, output('gaps', 'quasiparticle.direct', unit='eV', about='direct Koopmans gap')]
    indirect: Annotated[float, output('gaps', 'quasiparticle.indirect', unit='eV', about='indirect Koopmans gap')]
    kohn_sham_direct: Annotated[float, output('gaps', 'kohn_sham.direct', unit='eV', about='direct Kohn-Sham gap')]
    kohn_sham_indirect: Annotated[
        float, output('gaps', 'kohn_sham.indirect', unit='eV', about='indirect Kohn-Sham gap')
    ]
    extremum_on_mesh: Annotated[
        bool, output('gaps', 'extremum_on_mesh', about='whether the mesh of k-points holds the band edges')
    ]
    head_correction: Annotated[
        bool, input_('parameters', 'head_correction', about='whether q + G = 0 of the interaction is corrected')
    ]
    eta_occupied: Annotated[
        float, output('wannier__occupied__parameters', 'eta_mev', unit='meV', about='η of the filled functions')
    ]
    eta_empty: Annotated[
        float, output('wannier__empty__parameters', 'eta_mev', unit='meV', about='η of the empty functions')
    ]
    mesh: Annotated[tuple[int, int, int], input_('kpoints', 'mesh', about='divisions of the mesh of k-points')]
    core_seconds: Annotated[float, output('cost', 'core_seconds', unit='s', about='wall time times processes')]
    quasiparticles: Annotated[str, output('quasiparticles', about='UUID of the energies on the mesh')]
    screening: Annotated[str, output('screening', about='UUID of integrals and screening parameters')]


KOOPMANS_GAPS = RecordType(
    model=KoopmansGapRecord,
    processes=('aiida.workflows:foundry.koopmans.native', 'aiida.workflows:foundry.koopmans.kcw'),
    description='Koopmans and Kohn-Sham gaps',
    summary=('formula', 'kohn_sham_direct', 'kohn_sham_indirect', 'direct', 'indirect', 'mesh'),
    engines={
        'pw.x': called('output_parameters', 'creator_version', calls=('wannierize', '%')),
        'kcw.x': called('output_parameters', 'code_version'),
        'aiida-foundry-ki': called('output_parameters', 'version'),
    },
)
