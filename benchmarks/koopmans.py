"""Cost of a gap: Koopmans energies by aiida-foundry-ki and by kcw.x, and G0W0 with a plasmon pole by ABINIT.

Usage: python benchmarks/koopmans.py [--quick] [--only SOLID]

Each on the same mesh (2×2×2) with LDA and the same pseudopotentials, from the atoms to the gap, in CPU seconds of one
core. Of each method the settings become better until the next ones move the gap by less than 25 meV; the cost is that
of the last but one. With --quick the settings found so are run alone. It is the convergence of either method with its
own parameters; the two gaps differ by physics. ε∞, which the head of the Koopmans integrals wants, is taken from
experiment; what ph.x takes for it is measured beside. kcw.x (QE 7.5) is recorded with the same settings and symmetry
(`irr_bz`, `check_spread`). G0W0 gives eight bands at each k-point, Koopmans all. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import netCDF4
import numpy as np
from ase.atoms import Atoms
from ase.build import bulk

from aiida_foundry.engines.abinit.psp8 import upf_to_psp8
from aiida_foundry.setup.wheel import ensure_wheel, read_upfs

MESH = (2, 2, 2)
POINTS = np.stack(np.indices(MESH), axis=-1).reshape(-1, 3) / MESH
FAMILY = 'PseudoDojo/0.4/LDA/SR/standard/upf'
LIMIT = 0.025  # eV
TARGETS = {'G0W0': 4.0, 'kcw.x': 5.0}
ENVIRONMENT = {**os.environ, 'OMP_NUM_THREADS': '1', 'OMPI_ALLOW_RUN_AS_ROOT': '1'}
ENVIRONMENT['OMPI_ALLOW_RUN_AS_ROOT_CONFIRM'] = '1'
PW2WANNIER90 = "&inputpp\noutdir = '../out/', prefix = 'aiida', seedname = 'aiida', write_amn = .true.\n/\n"
PHONONS = (
    "ε∞\n&inputph\nprefix = 'aiida', outdir = './out/', epsil = .true., trans = .false., tr2_ph = 1d-12\n/\n0 0 0\n"
)
BONDS = ['f=0.125,0.125,0.125:s', 'f=0.625,0.125,0.125:s', 'f=0.125,0.625,0.125:s', 'f=0.125,0.125,0.625:s']


@dataclass(frozen=True)
class Solid:
    """A crystal with four filled bands and the settings of each method.

    Attributes:
        atoms: the crystal.
        cutoff: Ry.
        frozen: top of the frozen window, eV.
        projections: of the filled and of the empty functions.
        epsilon: ε∞ (experiment), for the head of the interaction.
        bands: of aiida-foundry-ki, worst first.
        screening: bands and cutoff (hartree) of the dielectric matrix in ABINIT, worst first.
        converged: which of these are, for --quick.
        kcw: recorded CPU seconds of kcw.x, three steps.
    """

    atoms: Atoms
    cutoff: float
    frozen: float
    projections: tuple[list[str], list[str]]
    epsilon: float
    bands: tuple[int, ...]
    screening: tuple[tuple[int, float], ...]
    converged: tuple[int, tuple[int, float]]
    kcw: float


LEVELS = ((100, 5), (150, 7), (220, 10))
SOLIDS = {
    'Si': Solid(
        bulk('Si', 'diamond', a=5.431), 20, 9.2, (BONDS, ['f=0.25,0.25,0.25:sp3']), 11.7, (20, 40), LEVELS,
        (20, (150, 7)),
        15.3,
    ),
    'C': Solid(
        bulk('C', 'diamond', a=3.567), 60, 20.0, (BONDS, ['f=0,0,0:sp3']), 5.7, (20, 40),
        (*LEVELS, (320, 14), (460, 18)), (20, (320, 14)), 13.0,
    ),
    'AlP': Solid(
        bulk('AlP', 'zincblende', a=5.46), 16, 8.0, (['P:sp3'], ['Al:sp3']), 7.5, (20, 40),
        (*LEVELS[:2], (200, 8)), (20, (150, 7)), 28.5,  # the matrix ends at the cutoff of the wavefunctions
    ),
}  # fmt: skip


def run(command: Sequence[str], folder: Path) -> float:
    """Run a program; return its CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with (folder / f'{Path(command[0]).name}.log').open('a') as log:
        subprocess.run(command, cwd=folder, env=ENVIRONMENT, check=True, stdout=log, stderr=subprocess.STDOUT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def rows(values: np.ndarray, suffix: str = '') -> str:
    return '\n'.join(' '.join(f'{x:.10f}' for x in row) + suffix for row in values)


# --------------------------------------------------------------------------------------------- Koopmans energies


def write_pw(solid: Solid, calculation: str, bands: int, folder: Path, mesh: str = '2 2 2 0 0 0') -> None:
    atoms, symbols = solid.atoms, sorted(set(solid.atoms.get_chemical_symbols()))
    symmetry = '' if calculation == 'scf' else 'nosym = .true., noinv = .true.,'
    points = f'crystal\n{len(POINTS)}\n{rows(POINTS, " 1.0")}' if symmetry else f'automatic\n{mesh}'
    places = '\n'.join(
        f'{s} {p[0]} {p[1]} {p[2]}'
        for s, p in zip(atoms.get_chemical_symbols(), atoms.get_scaled_positions(), strict=True)
    )
    species = '\n'.join(f'{s} 1.0 {s}.upf' for s in symbols)
    accuracy = ', diago_thr_init = 1d-9' if symmetry else ''
    (folder / f'{calculation}.in').write_text(f"""&CONTROL
calculation = '{calculation}', prefix = 'aiida', outdir = './out/', pseudo_dir = './'
/
&SYSTEM
ibrav = 0, nat = {len(atoms)}, ntyp = {len(symbols)}, ecutwfc = {solid.cutoff}, {symmetry} nbnd = {bands}
/
&ELECTRONS
conv_thr = 1d-12, diago_full_acc = .true.{accuracy}
/
ATOMIC_SPECIES
{species}
ATOMIC_POSITIONS crystal
{places}
CELL_PARAMETERS angstrom
{rows(atoms.cell.array)}
K_POINTS {points}
""")


def write_pseudos(solid: Solid, folder: Path) -> None:
    for symbol in set(solid.atoms.get_chemical_symbols()):
        (folder / f'{symbol}.upf').write_bytes(read_upfs(ensure_wheel(), FAMILY)[symbol])


def wannierise(solid: Solid, bands: int, folder: Path) -> float:
    """Make four filled and four empty functions; return the CPU seconds."""
    (folder / 'pw2wan.in').write_text(PW2WANNIER90)
    windows = {'occupied': (1, 4, ''), 'empty': (5, 16, f'dis_froz_max = {solid.frozen}\ndis_num_iter = 500')}
    seconds = 0.0
    for (name, (first, last, window)), projections in zip(windows.items(), solid.projections, strict=True):
        excluded = ([f'1-{first - 1}'] if first > 1 else []) + [f'{last + 1}-{bands}']
        (folder / name).mkdir(exist_ok=True)
        blocks = {
            'projections': '\n'.join(projections),
            'unit_cell_cart': 'ang\n' + rows(solid.atoms.cell.array),
            'atoms_frac': '\n'.join(
                f'{s} {p[0]} {p[1]} {p[2]}'
                for s, p in zip(solid.atoms.get_chemical_symbols(), solid.atoms.get_scaled_positions(), strict=True)
            ),
            'kpoints': rows(POINTS),
        }
        text = f'num_wann = 4\nnum_bands = {last - first + 1}\nexclude_bands = {",".join(excluded)}\n{window}\n'
        text += 'write_u_matrices = true\nguiding_centres = true\nconv_tol = 1d-10\nconv_window = 5\n'
        text += 'conv_noise_amp = 10000\nconv_noise_num = 5\nnum_iter = 500\nmp_grid = 2 2 2\n'
        text += ''.join(f'begin {block}\n{content}\nend {block}\n' for block, content in blocks.items())
        (folder / name / 'aiida.win').write_text(text)
        seconds += run(['wannier90.x', '-pp', 'aiida'], folder / name)
        seconds += run(['pw2wannier90.x', '-in', '../pw2wan.in'], folder / name)
        seconds += run(['wannier90.x', 'aiida'], folder / name)
    return seconds


def koopmans(solid: Solid, bands: int, folder: Path) -> tuple[float, dict[str, float]]:
    """Return the gap in eV and the CPU seconds of each step."""
    write_pseudos(solid, folder)
    seconds = {}
    for calculation, number in (('scf', 4), ('nscf', bands)):
        write_pw(solid, calculation, number, folder)
        seconds[calculation] = run(['pw.x', '-in', f'{calculation}.in'], folder)
    seconds['wannier'] = wannierise(solid, bands, folder)
    job = {'save': 'out/aiida.save', 'dielectric_constant': solid.epsilon, 'coverage_tolerance': 0.05, 'settings': {}}
    (folder / 'aiida.json').write_text(json.dumps(job))
    seconds['ki'] = run([str(Path(sys.executable).parent / 'aiida-foundry-ki'), 'aiida.json'], folder)
    with np.load(folder / 'aiida.ki.npz') as arrays:
        energies = arrays['qp_energies'][0]
    return float(np.nanmin(energies[:, 4]) - energies[:, 3].max()), seconds


def dielectric(solid: Solid, folder: Path) -> tuple[float, float]:
    """Return ε∞ by ph.x on a shifted mesh and its CPU seconds with those of its ground state."""
    write_pseudos(solid, folder)
    write_pw(solid, 'scf', 4, folder, '4 4 4 1 1 1')
    (folder / 'ph.in').write_text(PHONONS)
    seconds = run(['pw.x', '-in', 'scf.in'], folder) + run(['ph.x', '-in', 'ph.in'], folder)
    text = (folder / 'ph.x.log').read_text()
    return float(text.split('Dielectric constant in cartesian axis')[1].split('(')[1].split()[0]), seconds


# ----------------------------------------------------------------------------------------------------------- G0W0


def g0w0(solid: Solid, settings: tuple[int, float], folder: Path) -> tuple[float, dict[str, float]]:
    """Return the gap in eV and the CPU seconds of each step."""
    bands, cutoff = settings
    symbols = sorted(set(solid.atoms.get_chemical_symbols()))
    for symbol in symbols:
        upf = read_upfs(ensure_wheel(), FAMILY)[symbol].decode()
        (folder / f'{symbol}.psp8').write_text(upf_to_psp8(upf))
    types = [symbols.index(symbol) + 1 for symbol in solid.atoms.get_chemical_symbols()]
    common = f"""ecut {solid.cutoff / 2}
acell 3*1 angstrom
rprim {rows(solid.atoms.cell.array)}
natom {len(types)}
ntypat {len(symbols)}
znucl {' '.join(str(bulk(s, 'sc', a=3).numbers[0]) for s in symbols)}
typat {' '.join(map(str, types))}
xred {rows(solid.atoms.get_scaled_positions())}
pseudos "{', '.join(f'{s}.psp8' for s in symbols)}"
ngkpt 2 2 2
nshiftk 1
shiftk 0 0 0
istwfk *1
"""
    (folder / 'gs.abi').write_text(f"""{common}
ndtset 2
tolvrs1 1e-12
nband1 4
iscf2 -2
getden2 1
nband2 {round(1.1 * bands)}
nbdbuf2 {round(0.1 * bands)}
tolwfr2 1e-12
nstep2 200
""")
    (folder / 'gw.abi').write_text(f"""{common}
ndtset 2
getwfk_filepath "gso_DS2_WFK"
nband {bands}
ecuteps {cutoff}
optdriver1 3
gwcalctyp 0
ppmodel 1
optdriver2 4
getscr2 1
ecutsigx {2 * solid.cutoff}
gw_qprange2 4
""")
    seconds = {
        'ground state and bands': run(['abinit', 'gs.abi'], folder),
        'W and Σ': run(['abinit', 'gw.abi'], folder),
    }
    with netCDF4.Dataset(folder / 'gwo_DS2_SIGRES.nc') as results:
        energies = np.ma.filled(results['egw'][0, :, :, 0], np.nan)
    return float(np.nanmin(energies[:, 4]) - np.nanmax(energies[:, 3])), seconds


# ---------------------------------------------------------------------------------------------------------- report


def converge(name: str, method: str, function: Callable, solid: Solid, levels: Sequence) -> dict[str, float]:
    """Run settings until the next move the gap by less than 25 meV; print a row of each, return the cost of each step.

    Where none does, the cost is that of the best but one: a lower bound.
    """
    found: list[tuple[float, dict[str, float]]] = []
    for level in levels:
        with tempfile.TemporaryDirectory() as folder:
            gap, seconds = function(solid, level, Path(folder))
        change = f'; {1000 * (gap - found[-1][0]):+.0f} meV' if found else ''
        parts = ', '.join(f'{step} {value:.1f}' for step, value in seconds.items())
        total = sum(seconds.values())
        print(f'{name:4} {method:26} {level!s:9} gap {gap:.3f} eV {total:6.1f} s ({parts}){change}', flush=True)
        found.append((gap, seconds))
        if len(found) > 1 and abs(found[-1][0] - found[-2][0]) < LIMIT:
            break
    else:
        if len(found) > 1:
            print('     not converged: its cost at convergence is higher')
    return found[-2 if len(found) > 1 else 0][1]


def compare(name: str, solid: Solid, quick: bool) -> dict[str, float]:
    """Run a solid, print its rows, return the ratios of cost to that of aiida-foundry-ki."""
    bands, screening = solid.converged
    own = converge(name, 'KI, aiida-foundry-ki', koopmans, solid, [bands] if quick else solid.bands)
    other = converge(name, 'G0W0 plasmon pole, ABINIT', g0w0, solid, [screening] if quick else solid.screening)
    with tempfile.TemporaryDirectory() as folder:
        epsilon, seconds = dielectric(solid, Path(folder))
    print(f'{name:4} {"ε∞ by ph.x, 4×4×4 shifted":26} {"":9} ε∞  {epsilon:.2f}     {seconds:6.1f} s')
    print(f'{name:4} {"KI, kcw.x (recorded)":26} {"":9} {"":12} {solid.kcw:6.1f} s (screening and energies alone)')
    ratios = {
        'G0W0': sum(other.values()) / sum(own.values()),
        'G0W0, with ph.x': sum(other.values()) / (sum(own.values()) + seconds),
        'G0W0, step alone': list(other.values())[-1] / list(own.values())[-1],
        'kcw.x': solid.kcw / own['ki'],
    }
    print(
        '     cost as a multiple of ours: ' + ', '.join(f'{key} {value:.1f}' for key, value in ratios.items()),
        flush=True,
    )
    return ratios


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--quick', action='store_true', help='silicon alone, without the better settings')
    parser.add_argument('--only', choices=SOLIDS, help='one solid')
    arguments = parser.parse_args()
    names = [arguments.only] if arguments.only else ['Si'] if arguments.quick else list(SOLIDS)
    ratios = {name: compare(name, SOLIDS[name], arguments.quick) for name in names}
    smallest = {key: min(found[key] for found in ratios.values()) for key in TARGETS}
    holds = all(smallest[key] >= target for key, target in TARGETS.items())
    print(json.dumps({'name': 'koopmans', 'ratio': smallest, 'target': TARGETS, 'holds': holds}))


if __name__ == '__main__':
    main()
