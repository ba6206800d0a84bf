"""What the executable reads: the ``.save`` folder of pw.x and the files of Wannier90, as records of the analysis."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase.data import atomic_numbers
from numpy.typing import NDArray

from aiida_foundry.analysis.crystal import Cell
from aiida_foundry.analysis.koopmans.densities import Manifold
from aiida_foundry.analysis.koopmans.functional import canonical_name
from aiida_foundry.analysis.koopmans.states import BlochStates, Mesh, mesh_of
from aiida_foundry.common.errors import InputError
from aiida_foundry.common.units import BOHR_TO_ANGSTROM, RYDBERG_TO_EV
from aiida_foundry.engines.koopmans.parse_raw.core import core_form_factor, read_core_charge
from aiida_foundry.engines.koopmans.parse_raw.fortran import read_density, read_wavefunctions
from aiida_foundry.engines.koopmans.parse_raw.save import SaveRecord, read_save
from aiida_foundry.engines.wannier90.parse_raw.matrices import UnreadableMatrixError, parse_gauge
from aiida_foundry.engines.wannier90.parse_raw.wout import WannierOutput, parse_wout

_SEEDNAME = 'aiida'


@dataclass(frozen=True)
class System:
    """A ground state.

    Attributes:
        states: Bloch states.
        cell: the crystal in Å.
        density: of valence and core electrons in bohr⁻³ on the grid.
        functional: ``lda``, ``pbe`` or ``pbesol``.
        kpoints: reduced, as pw.x has them, shape ``(nk, 3)``.
        digest: hash of the wavefunctions, the density and the schema.
    """

    states: BlochStates
    cell: Cell
    density: NDArray[np.float64]
    functional: str
    kpoints: NDArray[np.float64]
    digest: str


def load_system(folder: Path) -> System:
    """Load a ground state on a full mesh.

    Raises:
        InputError: see `read_save`, `mesh_of`, `read_wavefunctions`; a functional without kernels.
    """
    record = read_save(folder)
    functional, mesh = canonical_name(record.functional), mesh_of(record.kpoints)
    pairs = record.electrons / 2
    if abs(pairs - round(pairs)) > 1e-6:
        raise InputError('ground state', f'it has {record.electrons:g} electrons', 'An insulator has pairs of them')
    files = [folder / f'wfc{number}.dat' for number in range(1, len(record.kpoints) + 1)]
    waves = [read_wavefunctions(file) for file in files]
    states = BlochStates(
        lattice=record.lattice,
        mesh=mesh,
        grid=record.grid,
        energies=record.energies,
        miller=[entry.miller for entry in waves],
        coefficients=[entry.coefficients for entry in waves],
        occupied=round(pairs),
        wave_cutoff=record.wave_cutoff,
    )
    for number, entry in enumerate(waves):
        if np.abs(entry.kpoint - mesh.reduced[number] @ states.reciprocal).max() > 1e-5:
            raise InputError(f'file `wfc{number + 1}.dat`', 'is of another k-point', 'Take one run')
    return System(
        states=states,
        cell=_cell(record),
        density=_total_density(folder, record, states),
        functional=functional,
        kpoints=record.kpoints,
        digest=digest([*files, folder / 'charge-density.dat', folder / 'data-file-schema.xml']),
    )


def _cell(record: SaveRecord) -> Cell:
    symbols = [re.match('[A-Z][a-z]?', name) for name in record.species]
    numbers = [atomic_numbers[match.group(0)] if match else 0 for match in symbols]
    kinds = sorted(set(record.species))  # two species of one element are not equivalent
    labels = [1000 * kinds.index(name) + number for name, number in zip(record.species, numbers, strict=True)]
    reduced = record.positions @ np.linalg.inv(record.lattice)
    return Cell(record.lattice * BOHR_TO_ANGSTROM, reduced, np.array(labels))


def _total_density(folder: Path, record: SaveRecord, states: BlochStates) -> NDArray[np.float64]:
    """Return the density of valence electrons and of the core charges of the pseudopotentials on the grid."""
    components = read_density(folder / 'charge-density.dat', record.grid)
    vectors = states.box @ states.reciprocal
    lengths = np.linalg.norm(vectors, axis=-1)
    sphere = lengths**2 <= 4 * record.wave_cutoff
    for name, file in record.pseudopotentials.items():
        core = read_core_charge(folder / file)
        if core is None:
            continue
        factor = core_form_factor(*core, lengths[sphere]) / states.volume
        for species, position in zip(record.species, record.positions, strict=True):
            if species == name:
                components[sphere] += factor * np.exp(-1j * vectors[sphere] @ position)
    return np.fft.ifftn(components, norm='forward').real


def digest(files: list[Path]) -> str:
    """Return the SHA-256 of the content of files, in their order."""
    total = hashlib.sha256()
    for file in files:
        total.update(file.read_bytes())
    return total.hexdigest()


def load_manifold(folder: Path, name: str, states: BlochStates, first_band: int) -> Manifold:
    """Load Wannier functions from the files of Wannier90.

    Args:
        folder: with ``aiida_u.mat``, ``aiida_u_dis.mat`` if the bands were disentangled, and ``aiida.wout``.
        name: ``occupied`` or ``empty``.
        states: the Bloch states that they are made of.
        first_band: the first band that Wannier90 saw, from 0.

    Raises:
        InputError: files that are missing, unreadable, or of another mesh or number of bands.
    """
    try:
        rotation = parse_gauge((folder / f'{_SEEDNAME}_u.mat').read_text('utf-8'), f'{name} `{_SEEDNAME}_u.mat`')
        output = parse_wout((folder / f'{_SEEDNAME}.wout').read_text('utf-8', errors='replace'))
        subspace_file = folder / f'{_SEEDNAME}_u_dis.mat'
        subspace = parse_gauge(subspace_file.read_text('utf-8'), subspace_file.name) if subspace_file.exists() else None
    except (OSError, UnreadableMatrixError) as error:
        raise InputError(f'{name} Wannier functions', str(error), 'Run Wannier90 with `write_u_matrices`') from error
    order = _order(rotation.kpoints, states.mesh, name)
    gauge = rotation.matrices[order]
    if subspace is not None:
        rows = _unpacked(subspace.matrices[order], states, first_band, output)
        gauge = rows @ gauge
    missing = first_band + gauge.shape[1] - states.energies.shape[1]
    if missing > 0:
        raise InputError(
            f'{name} Wannier functions', f'they are made of {missing} more bands than there are', 'Take the same run'
        )
    if len(output.centres) != gauge.shape[2]:
        raise InputError(f'{name} Wannier functions', 'the output has other centres', 'Take the files of one run')
    return Manifold(name, first_band, gauge, output.centres / BOHR_TO_ANGSTROM)


def _order(kpoints: NDArray[np.float64], mesh: Mesh, name: str) -> NDArray[np.int64]:
    """Return the numbers of the matrices in the order of the mesh."""
    found = np.full(len(mesh.points), -1)
    whole = kpoints * mesh.divisions
    if len(kpoints) == len(found) and np.abs(whole - np.rint(whole)).max() < 1e-4:
        found[mesh.find(np.rint(whole).astype(int))] = np.arange(len(kpoints))
    if (found < 0).any():
        raise InputError(
            f'{name} Wannier functions', 'they are on another mesh than the bands', 'Take the files of one run'
        )
    return found


def _unpacked(
    matrices: NDArray[np.complex128], states: BlochStates, first_band: int, output: WannierOutput
) -> NDArray[np.complex128]:
    """Return subspace matrices with one row per band: Wannier90 starts the rows at the first band in its window."""
    if output.outer_window is None:
        return matrices
    energies = states.energies[:, first_band : first_band + matrices.shape[1]] * RYDBERG_TO_EV
    rows = np.zeros_like(matrices)
    lowest = output.outer_window[0] - 1e-4  # printed with five digits, and often an eigenvalue itself
    for k, below in enumerate((energies < lowest).sum(axis=1)):
        rows[k, below:] = matrices[k, : len(matrices[k]) - below]
    return rows
