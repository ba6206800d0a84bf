"""Norm-conserving pseudopotentials from UPF v2 (Quantum ESPRESSO) to psp8 (ABINIT).

Debian's ABINIT reads neither UPF v2 nor PSML. ONCVPSP (D. R. Hamann, Phys. Rev. B 88, 085117 (2013)) tabulates the
same functions on the same linear mesh in either format, so that the conversion is a change of units, except for the
derivatives of the model core charge, which only psp8 holds. `upf_to_json` (a dependency of aiida-core) is no help: it
drops the functional and cuts the projectors.

Format of psp8: the comments of ABINIT's `m_psp8.F90`. Every density in the file carries a factor 4π.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import factorial

import numpy as np
from ase.data import atomic_numbers
from numpy.typing import NDArray

from aiida_foundry.common.errors import InputError

#: Bumped with every change of the numbers written: the calcfunction takes it as an input, so that caching sees it.
VERSION = 1

#: Functional in the UPF header -> ABINIT `ixc` (negative: two libxc codes), the values native PseudoDojo psp8 hold.
FUNCTIONALS = {
    'PBE': 11,
    'SLA PW PBX PBC': 11,
    'PBESOL': -116133,
    'SLA PW PSX PSC': -116133,
    'SLA PW NOGX NOGC': -1012,
    'SLA PZ NOGX NOGC': 2,
}

_LOCAL = 4  # `lloc` of a local potential that belongs to no angular momentum: larger than any `lmax`
_MESH_TOLERANCE = 1e-8  # bohr; ABINIT's own tolerance on the linearity of the mesh

_REMEDY = 'Use a scalar-relativistic norm-conserving table made with ONCVPSP, such as PseudoDojo SR or SG15'

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Pseudopotential:
    """What psp8 needs to know, on `mesh` (n,) in bohr, energies in hartree, densities without the factor 4π.

    `projectors` maps an angular momentum to its (energy, r·β(r) (n,)); `core` is the model core charge and its first
    four derivatives (5, n), or None; `valence` is the pseudo valence density (n,).
    """

    element: str
    charge: float
    date: str
    functional: int
    mesh: Array
    local: Array
    projectors: dict[int, list[tuple[float, Array]]]
    core: Array | None
    valence: Array


def upf_to_psp8(text: str) -> str:
    """Convert a scalar-relativistic norm-conserving UPF v2 file on a linear mesh to psp8.

    Args:
        text: content of the UPF file.

    Returns:
        Content of the psp8 file, on the mesh that ONCVPSP itself would have written.

    Raises:
        InputError: if ABINIT cannot use the pseudopotential through psp8, or the file is damaged.
    """
    return write_psp8(read_upf(text))


def read_upf(text: str) -> Pseudopotential:
    """Read and check a UPF v2 file.

    Raises:
        InputError: as `upf_to_psp8`.
    """
    _check_format(text)
    header = _header(text)
    size = int(header['mesh_size'])
    mesh = _linear_mesh(text, size)
    # All of the mesh is used here: functions are cut to `kept` points only after differentiation and extrapolation.
    kept = _output_size(text, mesh)
    core = None
    if _is_true(header, 'core_correction'):
        core = even_derivatives(_numbers(text, 'PP_NLCC', size), mesh[1])[:, :kept]
    return Pseudopotential(
        element=header['element'],
        charge=float(header['z_valence']),
        date=header.get('date', '0') if header.get('date', '').isdigit() else '0',
        functional=FUNCTIONALS[' '.join(header['functional'].split())],
        mesh=mesh[:kept],
        local=_numbers(text, 'PP_LOCAL', size)[:kept] / 2,
        projectors=_projectors(text, int(header['number_of_proj']), size, kept),
        core=core,
        valence=_density(_numbers(text, 'PP_RHOATOM', size), mesh)[:kept],
    )


def write_psp8(pseudo: Pseudopotential) -> str:
    """Return `pseudo` as the content of a psp8 file."""
    lmax = max(pseudo.projectors, default=0)
    counts = [len(pseudo.projectors.get(momentum, [])) for momentum in range(5)]
    size, radius = pseudo.mesh.size, pseudo.mesh[-1]
    lines = [
        f'{pseudo.element}    converted from UPF by aiida-foundry, version {VERSION}',
        f'{atomic_numbers[pseudo.element]:12.4f}{pseudo.charge:12.4f}      {pseudo.date}    zatom,zion,pspd',
        f'     8{pseudo.functional:8d}{lmax:4d}{_LOCAL:6d}{size:6d}     0    pspcod,pspxc,lmax,lloc,mmax,r2well',
        f'{radius:12.8f}{float(pseudo.core is not None):12.8f}{0:12.8f}    rchrg fchrg qchrg',
        ''.join(f'{n:6d}' for n in counts) + '    nproj',
        '     1     1           extension_switch',
    ]
    for momentum, pairs in sorted(pseudo.projectors.items()):
        energies, functions = zip(*pairs, strict=True)
        lines.append(f'{momentum:4d}' + ' ' * 23 + ''.join(f'{energy:21.13E}' for energy in energies))
        lines += _table(pseudo.mesh, *functions)
    lines.append(f'{_LOCAL:4d}')
    lines += _table(pseudo.mesh, pseudo.local)
    if pseudo.core is not None:
        lines += _table(pseudo.mesh, *(4 * np.pi * pseudo.core))
    lines += _table(pseudo.mesh, 4 * np.pi * pseudo.valence)
    return '\n'.join(lines) + '\n'


def _table(*columns: Array) -> list[str]:
    """Return the columns as lines that start with the index of the mesh point."""
    line = '{:6d}' + '{:21.13E}' * len(columns)
    return [line.format(index, *row) for index, row in enumerate(np.column_stack(columns).tolist(), start=1)]


def _check_format(text: str) -> None:
    """Refuse anything but UPF v2."""
    remedy = 'Give the UPF v2 file of the same table'
    if re.search(r'<psml[\s>]', text):
        raise InputError(_subject(text), 'the file is PSML, which this converter does not read', remedy)
    if '<UPF' not in text and '<PP_HEADER' in text:
        raise InputError(_subject(text), 'the file is UPF v1', 'Convert it with `upfconv.x -u` of Quantum ESPRESSO')
    if not re.search(r'<UPF\s+version\s*=\s*["\']2\.', text):
        raise InputError(_subject(text), 'the file is not UPF v2', remedy)


def _header(text: str) -> dict[str, str]:
    """Return the header; refuse what psp8 cannot hold: spin-orbit, ultrasoft, PAW, bare Coulomb, other functionals."""
    header = _attributes(_section(text, 'PP_HEADER')[0])
    required = ('element', 'z_valence', 'mesh_size', 'number_of_proj', 'pseudo_type', 'functional')
    missing = [key for key in required if key not in header]
    if missing:
        raise _damaged(text, f'the header lacks {", ".join(missing)}')
    if header['element'] not in atomic_numbers:
        raise _damaged(text, f'the element {header["element"]} does not exist')
    kind, functional = header['pseudo_type'], ' '.join(header['functional'].split())
    if _is_true(header, 'has_so') or header.get('relativistic') == 'full':
        reason = 'it is fully relativistic, and psp8 is written without spin-orbit terms'
    elif kind == 'PAW' or _is_true(header, 'is_paw'):
        reason = 'it is a PAW data set, and psp8 holds norm-conserving pseudopotentials only'
    elif kind in {'US', 'USPP'} or _is_true(header, 'is_ultrasoft'):
        reason = 'it is ultrasoft, and psp8 holds norm-conserving pseudopotentials only'
    elif kind != 'NC' or _is_true(header, 'is_coulomb'):
        reason = f'it is not a separable norm-conserving pseudopotential (type {kind})'
    elif functional not in FUNCTIONALS:
        reason = f'its functional {functional} is none of {", ".join(FUNCTIONALS)}'
    else:
        return header
    raise InputError(_subject(text), reason, _REMEDY)


def _linear_mesh(text: str, size: int) -> Array:
    """Return the mesh (size,) with its rounding errors removed; refuse one that is not i·h."""
    points = _numbers(text, 'PP_R', size)
    mesh = points[1] * np.arange(size)
    if np.abs(points - mesh).max() > _MESH_TOLERANCE:
        raise InputError(_subject(text), 'its radial mesh is not linear from zero, as psp8 requires', _REMEDY)
    return mesh


def _output_size(text: str, mesh: Array) -> int:
    """Return how many mesh points (all of them below `rlmax`) ONCVPSP writes to psp8, given the input it echoes.

    ONCVPSP extends the mesh of UPF until the valence density has decayed. The local potential there differs from
    -Z/r by some 1e-6 hartree·bohr, which native psp8 leave out. Files that echo no input keep all their points.
    """
    echo = re.search(r'#\s*rlmax,\s*drl\s+([\d.]+)', text)
    return min(round(float(echo.group(1)) / mesh[1]), mesh.size) if echo else mesh.size


def _projectors(text: str, count: int, size: int, kept: int) -> dict[int, list[tuple[float, Array]]]:
    """Return (energy in hartree, function) by angular momentum; all-zero ones (PseudoDojo 0.5) are left out.

    UPF cuts a projector up to 6 points earlier than psp8, where it is below 4e-4 for some. That is what Quantum
    ESPRESSO sees as well, and changes energies by 2e-6 hartree.
    """
    strengths = _numbers(text, 'PP_DIJ', count**2).reshape(count, count) / 2
    if np.any(strengths - np.diag(np.diag(strengths))):
        raise InputError(_subject(text), 'its projectors are coupled (D_ij is not diagonal)', _REMEDY)
    projectors: dict[int, list[tuple[float, Array]]] = {}
    for index, strength in enumerate(np.diag(strengths), start=1):
        tag = f'PP_BETA.{index}'
        function = _numbers(text, tag, size)[:kept]
        if np.any(function):
            momentum = int(_attributes(_section(text, tag)[0])['angular_momentum'])
            projectors.setdefault(momentum, []).append((strength, function))
    return projectors


def _density(charge: Array, mesh: Array) -> Array:
    """Return n(r) from 4πr²n(r); at the origin by extrapolation in r², since n is even."""
    density = np.empty_like(charge)
    density[1:] = charge[1:] / (4 * np.pi * mesh[1:] ** 2)
    nodes = np.arange(1, 6) ** 2
    weights = [np.prod([m / (m - n) for m in nodes if m != n]) for n in nodes]
    density[0] = weights @ density[1:6]
    return density


def even_derivatives(values: Array, step: float, half: int = 15, degree: int = 12) -> Array:
    """Return an even function on i·step and its first four derivatives (5, n), by local least squares.

    A. Savitzky and M. J. E. Golay, Anal. Chem. 36, 1627 (1964): a polynomial through the 2·half + 1 nearest points,
    mirrored at the origin, zero beyond the end. A spline through all points would amplify the rounding to 11 digits by
    step⁻⁴ = 1e8. `half` and `degree` suit the core charges of PseudoDojo: against native psp8 the fourth derivative is
    off by 1e-5 of its maximum, a spline by 1e-3. `scipy.signal.savgol_filter` does not scale its abscissae and has no
    digits left at this degree.
    """
    padded = np.concatenate([values[half:0:-1], values, np.zeros(half)])
    scaled = np.arange(-half, half + 1) / half
    coefficients = np.linalg.pinv(np.vander(scaled, degree + 1, increasing=True))
    derivatives = [
        np.convolve(padded, coefficients[order, ::-1], 'valid') * factorial(order) / (half * step) ** order
        for order in range(1, 5)
    ]
    return np.array([values, *derivatives])


def _section(text: str, tag: str) -> tuple[str, str]:
    """Return the attributes and the body of a section (no XML parser: free text in PP_INFO is often not XML)."""
    match = re.search(rf'<{re.escape(tag)}(\s[^>]*?)?(?:/>|>(.*?)</{re.escape(tag)}>)', text, re.DOTALL)
    if match is None:
        raise _damaged(text, f'section {tag} is missing or not closed')
    return match.group(1) or '', match.group(2) or ''


def _attributes(text: str) -> dict[str, str]:
    return {key: value.strip() for key, value in re.findall(r'(\w+)\s*=\s*"([^"]*)"', text)}


def _numbers(text: str, tag: str, size: int) -> Array:
    """Return the `size` finite numbers of a section."""
    words = _section(text, tag)[1].split()
    try:
        numbers = np.array(words, dtype=np.float64)
    except ValueError as error:
        raise _damaged(text, f'section {tag} holds something that is not a number') from error
    if numbers.size != size or not np.isfinite(numbers).all():
        raise _damaged(text, f'section {tag} does not hold {size} finite numbers')
    return numbers


def _is_true(header: dict[str, str], key: str) -> bool:
    return header.get(key, 'F').strip('.').upper() in {'T', 'TRUE'}


def _subject(text: str) -> str:
    element = re.search(r'\belement\s*=\s*"\s*(\w+)', text)
    return f'pseudopotential of {element.group(1)}' if element else 'pseudopotential'


def _damaged(text: str, reason: str) -> InputError:
    return InputError(_subject(text), f'the UPF file is damaged: {reason}', 'Get a complete copy of it')
