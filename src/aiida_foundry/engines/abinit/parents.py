"""Files that one ABINIT run hands to the next: their names and the variable that makes ABINIT read them."""

from __future__ import annotations

from dataclasses import dataclass

from aiida import orm

INPUT_PREFIX = 'in'
OUTPUT_PREFIX = 'out'


@dataclass(frozen=True)
class ParentFile:
    """A kind of file of an earlier run.

    Args:
        suffix: what ABINIT appends to the prefix, e.g. ``DEN`` for ``out_DEN``.
        variable: the variable that makes ABINIT read ``in_<suffix>``.
        netcdf: whether ABINIT appends ``.nc`` to the name when it runs with ``iomode 3``.
    """

    suffix: str
    variable: str
    netcdf: bool = True


PARENT_FILES: dict[str, ParentFile] = {
    'density': ParentFile('DEN', 'irdden'),
    'wavefunctions': ParentFile('WFK', 'irdwfk'),
    'shifted_wavefunctions': ParentFile('WFQ', 'irdwfq'),
    'ddk': ParentFile('1WF', 'irdddk'),
    'screening': ParentFile('SCR', 'irdscr'),
    'quasiparticles': ParentFile('QPS', 'irdqps', netcdf=False),
    'bse_resonant': ParentFile('BSR', 'irdbsreso', netcdf=False),
    'bse_coupling': ParentFile('BSC', 'irdbscoup', netcdf=False),
    'bse_eigenstates': ParentFile('BSEIG', 'irdbseig', netcdf=False),
    'haydock': ParentFile('HAYDR_SAVE', 'irdhaydock', netcdf=False),
}


def _suffixes(kind: str, number_of_atoms: int) -> list[str]:
    """Return the suffixes of the files of a kind; ``ddk`` has one per direction, numbered after 3N displacements."""
    suffix = PARENT_FILES[kind].suffix
    if kind == 'ddk':
        return [f'{suffix}{3 * number_of_atoms + direction}' for direction in (1, 2, 3)]
    return [suffix]


def _wrote_netcdf(parent: orm.RemoteData) -> bool:
    """Return whether the calculation that created the folder wrote its large files as netCDF (``iomode 3``)."""
    creator = parent.creator
    if creator is None or 'parameters' not in creator.inputs:
        return False
    parameters = {name.lower(): value for name, value in creator.inputs.parameters.get_dict().items()}
    return parameters.get('iomode') == 3


def file_pairs(kind: str, parent: orm.RemoteData, number_of_atoms: int) -> list[tuple[str, str]]:
    """Return pairs of (absolute path of the parent's file, name in the working directory of this run)."""
    extension = '.nc' if PARENT_FILES[kind].netcdf and _wrote_netcdf(parent) else ''
    folder = parent.get_remote_path()
    return [
        (f'{folder}/{OUTPUT_PREFIX}_{suffix}{extension}', f'{INPUT_PREFIX}_{suffix}{extension}')
        for suffix in _suffixes(kind, number_of_atoms)
    ]
