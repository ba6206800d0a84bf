"""Records of excitons: what a query for ``excitons`` returns."""

from __future__ import annotations

from typing import Annotated

from aiida_foundry.common.records import Record, RecordType, called, input_, output


class ExcitonRecord(Record):
    """The lowest excitons of one crystal on one set of quasiparticle energies."""

    direct_gap: Annotated[
        float, output('excitons', 'direct_gap.quasiparticle', unit='eV', about='direct gap that entered')
    ]
    kohn_sham_gap: Annotated[float, output('excitons', 'direct_gap.kohn_sham', unit='eV', about='direct Kohn-Sham gap')]
    lowest: Annotated[
        float | None, output('excitons', 'lowest.energy', unit='eV', about='energy of the lowest exciton')
    ] = None
    binding_energy: Annotated[
        float | None, output('excitons', 'lowest.binding_energy', unit='eV', about='binding energy of that exciton')
    ] = None
    lowest_bright: Annotated[
        float | None, output('excitons', 'lowest_bright.energy', unit='eV', about='lowest exciton that light can make')
    ] = None
    static: Annotated[
        float, output('excitons', 'static.excitonic', unit='1', about='static dielectric constant with excitons')
    ]
    scissor: Annotated[
        float | None, input_('scissor', 'value', unit='eV', about='scissor; none if quasiparticles were given')
    ] = None
    functional: Annotated[str, input_('parameters', 'starting_functional', about='functional of the starting point')]
    mesh: Annotated[tuple[int, int, int], input_('kpoints', 'mesh', about='divisions of the mesh of k-points')]
    wavefunction_cutoff: Annotated[
        float, input_('parameters', 'wavefunction_cutoff', unit='hartree', about='cutoff of the states')
    ]
    screening_cutoff: Annotated[
        float, input_('parameters', 'screening_cutoff', unit='hartree', about='cutoff of the dielectric matrix')
    ]
    core_seconds: Annotated[float, output('cost', 'core_seconds', unit='s', about='wall time times processes')]
    spectra: Annotated[str, output('spectra', about='UUID of the dielectric functions')]


EXCITONS = RecordType(
    model=ExcitonRecord,
    processes=('aiida.workflows:foundry.bse.abinit', 'aiida.workflows:foundry.bse.yambo'),
    description='Lowest excitons on given quasiparticle energies by the Bethe-Salpeter equation',
    summary=('formula', 'direct_gap', 'lowest', 'lowest_bright', 'binding_energy', 'static', 'mesh'),
    engines={
        'abinit': called('output_parameters', 'abinit_version'),
        'yambo': called('output_parameters', 'code_version'),
    },
)
