"""Records of heterostructures: what a query for ``heterostructures`` returns."""

from __future__ import annotations

from typing import Annotated

from aiida_foundry.common.records import Record, RecordType, input_, output


class HeterostructureRecord(Record):
    """State of one heterostructure."""

    state: Annotated[str, output('summary', 'state', about='insulating or metallic')]
    gap: Annotated[float, output('summary', 'gap', unit='eV', about='gap on the mesh, negative where bands overlap')]
    polar_charge: Annotated[
        float | None, output('summary', 'polar_charge', unit='e', about='of the ideal interface, per superlattice cell')
    ] = None
    electrons: Annotated[
        float | None, output('summary', 'electron_gas.density', unit='1/Å²', about='sheet density of the electron gas')
    ] = None
    holes: Annotated[
        float | None, output('summary', 'hole_gas.density', unit='1/Å²', about='sheet density of the hole gas')
    ] = None
    kind: Annotated[str, input_('interface', 'kind', about='superlattice, slab or symmetric-slab')]
    film: Annotated[str, input_('film', about='UUID of the crystal of the film')]
    substrate: Annotated[str, input_('substrate', about='UUID of the crystal of the substrate')]
    profiles: Annotated[str, output('profiles', about='UUID of potential and local densities of states')]


HETEROSTRUCTURES = RecordType(
    model=HeterostructureRecord,
    processes=('aiida.workflows:foundry.interfaces.heterostructure',),
    description='Insulating or metallic state of polar heterostructures',
    summary=('formula', 'state', 'gap', 'polar_charge', 'electrons', 'holes'),
    structure=output('structure'),
)
