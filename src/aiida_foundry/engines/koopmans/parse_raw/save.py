"""The schema file of a ``.save`` folder (``data-file-schema.xml``)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from aiida_foundry.common.errors import InputError

_HARTREE = 2.0  # Ry


@dataclass(frozen=True)
class SaveRecord:
    """What the schema says of a spin-degenerate run with norm-conserving pseudopotentials.

    Attributes:
        lattice: rows in bohr.
        positions: Cartesian in bohr, shape ``(atoms, 3)``.
        species: name of the species of each atom.
        pseudopotentials: file name of each species.
        functional: name of the functional.
        kpoints: reduced coordinates, shape ``(nk, 3)``.
        energies: in Ry, shape ``(nk, bands)``.
        electrons: valence electrons per cell.
        grid: points of the dense real-space grid.
        wave_cutoff: in Ry.
        exchange_correlation: energy in Ry per cell of the self-consistent run, None after a run at fixed potential.
    """

    lattice: NDArray[np.float64]
    positions: NDArray[np.float64]
    species: tuple[str, ...]
    pseudopotentials: dict[str, str]
    functional: str
    kpoints: NDArray[np.float64]
    energies: NDArray[np.float64]
    electrons: float
    grid: tuple[int, int, int]
    wave_cutoff: float
    exchange_correlation: float | None


def read_save(folder: Path) -> SaveRecord:
    """Read the schema file of a folder.

    Raises:
        InputError: missing or unreadable; spin polarisation, spin-orbit coupling, ultrasoft or PAW pseudopotentials,
            hybrid functionals, Hubbard terms; fractional occupations.
    """
    path = folder / 'data-file-schema.xml'
    try:
        output = ET.fromstring(path.read_text('utf-8')).find('output')  # noqa: S314 (a file of our own pw.x run)
    except (OSError, ET.ParseError) as error:
        raise InputError(f'file `{path.name}`', f'cannot be read ({error})', 'Run pw.x again') from error
    if output is None:
        raise InputError(f'file `{path.name}`', 'has no output: the run did not finish', 'Run pw.x again')
    _require_supported(output)
    structure = _find(output, 'atomic_structure')
    lattice = np.array([_numbers(_find(structure, f'cell/a{i}')) for i in (1, 2, 3)])
    atoms = structure.findall('atomic_positions/atom')
    points = output.findall('band_structure/ks_energies')
    cartesian = np.array([_numbers(_find(point, 'k_point')) for point in points])
    grid = _find(output, 'basis_set/fft_grid').attrib
    energy = output.find('total_energy/etxc')
    return SaveRecord(
        lattice=lattice,
        positions=np.array([_numbers(atom) for atom in atoms]),
        species=tuple(atom.attrib['name'] for atom in atoms),
        pseudopotentials={
            entry.attrib['name']: (_find(entry, 'pseudo_file').text or '').strip()
            for entry in output.findall('atomic_species/species')
        },
        functional=(_find(output, 'dft/functional').text or '').strip(),
        kpoints=cartesian @ lattice.T / float(structure.attrib['alat']),
        energies=_HARTREE * np.array([_numbers(_find(point, 'eigenvalues')) for point in points]),
        electrons=float(_numbers(_find(output, 'band_structure/nelec'))[0]),
        grid=(int(grid['nr1']), int(grid['nr2']), int(grid['nr3'])),
        wave_cutoff=_HARTREE * float(_numbers(_find(output, 'basis_set/ecutwfc'))[0]),
        exchange_correlation=None if energy is None else _HARTREE * float(energy.text or 'nan'),
    )


def _find(node: ET.Element, path: str) -> ET.Element:
    found = node.find(path)
    if found is None:
        raise InputError('file `data-file-schema.xml`', f'has no `{path}`', 'Use pw.x 6.7 or later')
    return found


def _numbers(node: ET.Element) -> NDArray[np.float64]:
    return np.array((node.text or '').split(), dtype=float)


def _require_supported(output: ET.Element) -> None:
    refused = {
        'band_structure/lsda': 'spin polarisation',
        'band_structure/noncolin': 'noncollinear spin',
        'band_structure/spinorbit': 'spin-orbit coupling',
        'algorithmic_info/uspp': 'ultrasoft pseudopotentials',
        'algorithmic_info/paw': 'PAW',
        'basis_set/gamma_only': 'Γ tricks',
    }
    for path, what in refused.items():
        node = output.find(path)
        if node is not None and (node.text or '').strip() == 'true':
            raise InputError('ground state', f'{what} is not supported', 'Use nspin = 1 and norm-conserving files')
    for name in ('hybrid', 'dftU'):
        if output.find(f'dft/{name}') is not None:
            raise InputError('ground state', f'`{name}` is not supported', 'Use LDA, PBE or PBEsol alone')
    for point in output.findall('band_structure/ks_energies'):
        occupations = _numbers(_find(point, 'occupations'))
        if (np.minimum(occupations, 1 - occupations) > 1e-3).any():
            raise InputError('ground state', 'it has fractional occupations: a metal', 'Koopmans needs an insulator')
