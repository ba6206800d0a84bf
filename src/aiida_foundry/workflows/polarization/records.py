"""Records of polarizations: what queries for ``polarization`` and ``spontaneous_polarization`` return."""

from __future__ import annotations

from typing import Annotated

from aiida_foundry.common.records import Record, RecordType, called, input_, output

Vector = tuple[float, float, float]


class FormalPolarizationRecord(Record):
    """Formal polarization of one crystal, or of one image of a path."""

    phases: Annotated[
        tuple[float | None, float | None, float | None],
        output('polarization', 'phases', unit='e', about='total phases along the lattice vectors; none: not asked for'),
    ]
    modulus: Annotated[int, output('polarization', 'modulus', about='modulus of the phases in e')]
    cartesian: Annotated[
        Vector | None, output('polarization', 'cartesian', unit='C/m²', about='polarization modulo its quanta')
    ] = None
    residual: Annotated[
        float | None,
        output('polarization', 'symmetry.residual', unit='e', about='distance of the phases from what symmetry allows'),
    ] = None
    gap: Annotated[float, output('polarization', 'gap.indirect', unit='eV', about='gap over mesh and strings')]
    direct_gap: Annotated[float, output('polarization', 'gap.direct', unit='eV', about='direct gap over both')]
    functional: Annotated[str, input_('parameters', 'functional', about='functional')]
    mesh: Annotated[tuple[int, int, int], input_('kpoints', 'mesh', about='divisions of the mesh of k-points')]
    wavefunction_cutoff: Annotated[
        float, input_('parameters', 'wavefunction_cutoff', unit='hartree', about='cutoff of the states')
    ]
    core_seconds: Annotated[float, output('cost', 'core_seconds', unit='s', about='wall time times processes')]


class SpontaneousPolarizationRecord(Record):
    """Spontaneous polarization of one crystal along a path."""

    magnitude: Annotated[float, output('polarization', 'magnitude', unit='C/m²', about='spontaneous polarization')]
    cartesian: Annotated[Vector, output('polarization', 'cartesian', unit='C/m²', about='its components')]
    change: Annotated[Vector, output('polarization', 'change', unit='e', about='change along the lattice vectors')]
    modulus: Annotated[int, output('polarization', 'modulus', about='modulus of the phases in e')]
    largest_step: Annotated[
        float, output('polarization', 'largest_step', unit='1', about='largest step in quanta, less the predicted one')
    ]
    longest_move: Annotated[
        float, output('polarization', 'longest_move', unit='Å', about='way of the atom that moves farthest')
    ]
    reference: Annotated[str, output('reference', about='UUID of the start of the path')]
    engine: Annotated[str, input_('engine', 'value', about='engine of the images')]
    functional: Annotated[str, input_('parameters', 'functional', about='functional')]
    mesh: Annotated[tuple[int, int, int], input_('kpoints', 'mesh', about='divisions of the mesh of k-points')]
    wavefunction_cutoff: Annotated[
        float, input_('parameters', 'wavefunction_cutoff', unit='hartree', about='cutoff of the states')
    ]
    core_seconds: Annotated[float, output('cost', 'core_seconds', unit='s', about='wall time times processes')]


FORMAL = RecordType(
    model=FormalPolarizationRecord,
    processes=('aiida.workflows:foundry.polarization.pw', 'aiida.workflows:foundry.polarization.abinit'),
    description='Formal polarizations by Berry phases',
    summary=('formula', 'phases', 'modulus', 'cartesian', 'gap'),
    engines={
        'pw.x': called('output_parameters', 'creator_version'),
        'abinit': called('output_parameters', 'abinit_version'),
    },
)
SPONTANEOUS = RecordType(
    model=SpontaneousPolarizationRecord,
    processes=('aiida.workflows:foundry.polarization.path',),
    description='Spontaneous polarizations along a path from a reference',
    summary=('formula', 'magnitude', 'cartesian', 'largest_step', 'functional'),
    engines={
        'pw.x': called('output_parameters', 'creator_version', calls=('image_%', '%')),
        'abinit': called('output_parameters', 'abinit_version', calls=('image_%', '%')),
    },
)
