"""Checks of the inputs of an ABINIT calculation, made before anything is submitted."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from aiida import orm

from aiida_foundry.common.errors import InputError
from aiida_foundry.engines.abinit.parents import PARENT_FILES
from aiida_foundry.engines.abinit.tasks import Task, task_of
from aiida_foundry.engines.abinit.variables import owned_reason, unknown_reason

RESTART_MODES = ('symlink', 'copy')
SETTINGS = ('restart_mode', 'additional_retrieve_list', 'cmdline', 'excitons')
_POSITIVE = ('ecut', 'ecuteps', 'ecutsigx', 'ecutwfn', 'pawecutdg', 'nband', 'nstep', 'tsmear', 'dilatmx')
_INTEGERS = (
    'nband', 'nstep', 'nline', 'ntime', 'optdriver', 'iscf', 'occopt', 'nsppol', 'nspinor', 'nspden', 'gwcalctyp',
    'iomode', 'kptopt', 'ixc', 'ionmov', 'optcell',
)  # fmt: skip
_TOLERANCES = ('toldfe', 'toldff', 'tolrff', 'tolvrs', 'tolwfr')


def _subject(name: str) -> str:
    return f'parameters: variable `{name}`'


def _check_name(name: Any) -> None:
    if not isinstance(name, str):
        raise InputError(_subject(str(name)), 'names of variables are strings', 'Use a name from the ABINIT manual')
    if reason := owned_reason(name.lower()):
        raise InputError(_subject(name), f'it cannot be set, because {reason}', 'Remove it from the parameters')
    if reason := unknown_reason(name.lower()):
        raise InputError(_subject(name), reason, 'See https://docs.abinit.org/variables')


def _numbers(value: Any) -> list[float]:
    """Return the numbers in a scalar or in (nested) lists; strings such as ``20 Ry`` hold none."""
    if isinstance(value, (list, tuple)):
        return [number for entry in value for number in _numbers(entry)]
    return [value] if isinstance(value, (int, float)) and not isinstance(value, bool) else []


def _check_value(name: str, value: Any) -> None:
    if value is None or isinstance(value, dict) or (isinstance(value, (list, tuple)) and not value):
        raise InputError(_subject(name), f'{value!r} is no value', 'Give a number, a string, or a list of them')
    numbers = _numbers(value)
    if not all(np.isfinite(number) for number in numbers):
        raise InputError(_subject(name), f'{value!r} is not finite', 'Give finite numbers')
    if name.lower() in _POSITIVE and any(number <= 0 for number in numbers):
        raise InputError(_subject(name), f'it must be positive, not {value!r}', 'Give a positive number')
    if name.lower() in _INTEGERS and any(number != int(number) for number in numbers):
        raise InputError(_subject(name), f'it must be an integer, not {value!r}', 'Give an integer')


def _check_symmetric_mesh(parameters: dict[str, Any]) -> None:
    """Refuse what makes ABINIT drop the symmetry of the mesh from the Bethe-Salpeter Hamiltonian."""
    if task_of(parameters) == Task.BETHE_SALPETER and parameters.get('chksymbreak') == 0:
        reason = 'ABINIT then orders k-points otherwise, and splits degenerate excitons by some 10 meV'
        raise InputError(
            _subject('chksymbreak'), reason, 'Leave it out, with a mesh that has the symmetry of the crystal'
        )


def _check_combinations(parameters: dict[str, Any]) -> None:
    """Check what ABINIT needs in every run: a cutoff, and a tolerance where it iterates."""
    if 'ecut' not in parameters:
        raise InputError('parameters', 'the plane-wave cutoff `ecut` is missing', 'Set `ecut` in hartree')
    iterates = task_of(parameters) in (Task.GROUND_STATE, Task.RESPONSE)
    if iterates and not any(_numbers(parameters.get(name, 0))[0:1] > [0] for name in _TOLERANCES):
        reason = f'no tolerance is set, so ABINIT cannot tell when to stop ({", ".join(_TOLERANCES)})'
        raise InputError('parameters', reason, 'Set one, e.g. `tolvrs` for scf or `tolwfr` for fixed potential')


def check_parameters(parameters: dict[str, Any]) -> None:
    """Check names and values of the variables.

    Raises:
        InputError: unknown, owned or duplicate name, impossible value, or a missing cutoff or tolerance.
    """
    for name, value in parameters.items():
        _check_name(name)
        _check_value(name, value)
    for name, count in Counter(name.lower() for name in parameters).items():
        if count > 1:
            raise InputError(_subject(name), 'it is given twice, in different case', 'Keep one of them')
    lower = {name.lower(): value for name, value in parameters.items()}
    _check_combinations(lower)
    _check_symmetric_mesh(lower)


def check_structure(structure: orm.StructureData) -> None:
    """Check that every site is fully occupied by one element.

    Raises:
        InputError: no atoms, partial occupancy, or a cell without volume.
    """
    if not structure.sites:
        raise InputError('structure', 'it has no atoms', 'Give a crystal structure')
    for kind in structure.kinds:
        if kind.is_alloy or kind.has_vacancies:
            reason = f'kind `{kind.name}` is partially occupied (weights {list(kind.weights)})'
            raise InputError('structure', reason, 'Give an ordered structure, e.g. a supercell with the occupation')
    if abs(np.linalg.det(np.array(structure.cell))) < 1e-6:
        raise InputError('structure', 'its cell has no volume', 'Give three independent lattice vectors')


def check_pseudos(structure: orm.StructureData, pseudos: dict[str, Any]) -> None:
    """Check that each kind has a pseudopotential of its element, and that none is left over.

    Raises:
        InputError: missing, superfluous or wrong pseudopotential.
    """
    kinds = {kind.name: kind.symbol for kind in structure.kinds}
    if missing := sorted(set(kinds) - set(pseudos)):
        raise InputError('pseudos', f'no pseudopotential for kind(s) {missing}', 'Give one for each kind')
    if unused := sorted(set(pseudos) - set(kinds)):
        raise InputError('pseudos', f'{unused} are not kinds of the structure {sorted(kinds)}', 'Remove them')
    for kind, symbol in kinds.items():
        if pseudos[kind].element != symbol:
            reason = f'kind `{kind}` is {symbol}, but its pseudopotential is for {pseudos[kind].element}'
            raise InputError('pseudos', reason, f'Give a pseudopotential of {symbol}')


def check_kpoints(kpoints: orm.KpointsData, parameters: dict[str, Any]) -> None:
    """Check that the k-points are there and that ``kptopt`` fits them.

    Raises:
        InputError: no k-points, or ``kptopt`` given for a list or not among 1, 2, 3, 4 for a mesh.
    """
    kptopt = {name.lower(): value for name, value in parameters.items()}.get('kptopt')
    is_mesh = 'mesh' in kpoints.base.attributes.all
    if not is_mesh and 'kpoints' not in kpoints.get_arraynames():
        raise InputError('kpoints', 'it holds neither a mesh nor a list', 'Set a mesh or a list of k-points')
    if kptopt is not None and not is_mesh:
        raise InputError(_subject('kptopt'), 'a list of k-points has `kptopt 0`', 'Remove it from the parameters')
    if kptopt is not None and kptopt not in (1, 2, 3, 4):
        raise InputError(_subject('kptopt'), f'{kptopt!r} does not describe a mesh', 'Use 1, 2, 3 or 4')


def check_quasiparticle_file(parameters: dict[str, Any], given: bool) -> None:
    """Check that a file with corrections is given where ABINIT reads one, and only there.

    Raises:
        InputError: the file, or ``bs_calctype 2``, is missing.
    """
    reads = {name.lower(): value for name, value in parameters.items()}.get('bs_calctype', 1) == 2
    if reads and not given:
        reason = '`bs_calctype 2` reads corrections from a file, which is missing'
        raise InputError('quasiparticle_file', reason, 'Give the file (`quasiparticle_file.render` writes it)')
    if given and not reads:
        raise InputError('quasiparticle_file', 'ABINIT would not read it', 'Set `bs_calctype 2`')


def check_settings(settings: dict[str, Any]) -> None:
    """Check the names of the settings and the restart mode.

    Raises:
        InputError: unknown setting or restart mode.
    """
    if unknown := sorted(set(settings) - set(SETTINGS)):
        raise InputError('settings', f'unknown: {unknown}', f'Known are {SETTINGS}')
    mode = settings.get('restart_mode', RESTART_MODES[0])
    if mode not in RESTART_MODES:
        raise InputError('settings: `restart_mode`', f'{mode!r} is unknown', f'Use one of {RESTART_MODES}')


def check_parents(parents: dict[str, orm.RemoteData], computer: orm.Computer) -> None:
    """Check that the kinds of files are known and that the folders are on the computer of this run.

    Raises:
        InputError: unknown kind, or a folder on another computer.
    """
    for kind, parent in parents.items():
        if kind not in PARENT_FILES:
            raise InputError(f'parents: `{kind}`', 'unknown kind of file', f'Known are {sorted(PARENT_FILES)}')
        if parent.computer.uuid != computer.uuid:
            reason = f'its folder is on `{parent.computer.label}`, but the run is on `{computer.label}`'
            raise InputError(f'parents: `{kind}`', reason, 'Run both on the same computer')
