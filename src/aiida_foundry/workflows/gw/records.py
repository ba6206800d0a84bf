"""Records of quasiparticle gaps: what a query for ``gaps`` returns."""

from __future__ import annotations

from typing import Annotated

from aiida_foundry.common.records import Record, RecordType, called, input_, output


class GapRecord(Record):
    """Gaps of one crystal by one GW method."""

    method: Annotated[str, input_('method', 'value', about='GW variant')]
    direct: Annotated[float, output('gaps', 'quasiparticle.direct', unit='eV', about='direct quasiparticle gap')]
    indirect: Annotated[float, output('gaps', 'quasiparticle.indirect', unit='eV', about='indirect quasiparticle gap')]
    kohn_sham_direct: Annotated[float, output('gaps', 'kohn_sham.direct', unit='eV', about='direct Kohn-Sham gap')]
    kohn_sham_indirect: Annotated[
        float, output('gaps', 'kohn_sham.indirect', unit='eV', about='indirect Kohn-Sham gap')
    ]
    extremum_on_mesh: Annotated[
        bool, output('gaps', 'extremum_on_mesh', about='whether the mesh of k-points holds the band edges')
    ]
    functional: Annotated[str, input_('parameters', 'starting_functional', about='functional of the starting point')]
    frequency_treatment: Annotated[
        str, input_('parameters', 'frequency.treatment', about='treatment of the frequencies of W')
    ]
    mesh: Annotated[tuple[int, int, int], input_('kpoints', 'mesh', about='divisions of the mesh of k-points')]
    wavefunction_cutoff: Annotated[
        float, input_('parameters', 'wavefunction_cutoff', unit='hartree', about='cutoff of the states')
    ]
    screening_cutoff: Annotated[
        float, input_('parameters', 'screening_cutoff', unit='hartree', about='cutoff of the dielectric matrix')
    ]
    bands: Annotated[int, input_('parameters', 'bands', about='bands in the sums over states')]
    core_seconds: Annotated[float, output('cost', 'core_seconds', unit='s', about='wall time times processes')]
    quasiparticle_bands: Annotated[str, output('quasiparticle_bands', about='UUID of the quasiparticle energies')]
    kohn_sham_bands: Annotated[str, output('kohn_sham_bands', about='UUID of the Kohn-Sham energies')]


GAPS = RecordType(
    model=GapRecord,
    processes=('aiida.workflows:foundry.gw.abinit', 'aiida.workflows:foundry.gw.yambo'),
    description='Quasiparticle and Kohn-Sham gaps by GW',
    summary=('formula', 'method', 'kohn_sham_direct', 'kohn_sham_indirect', 'direct', 'indirect', 'mesh'),
    engines={
        'abinit': called('output_parameters', 'abinit_version'),
        'yambo': called('output_parameters', 'code_version'),
    },
)
