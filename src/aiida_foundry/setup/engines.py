"""The engines of the design: their executables, what each enables, where it comes from and how it tells its version."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Executable:
    """A program of an engine.

    Args:
        name: name on PATH, e.g. ``pw.x``.
        enables: what it is used for.
        plugin: entry point of the CalcJob that runs it by default, if there is one.
        version: arguments that make it print its version; ``None``: it does so when its standard input is empty.
        pattern: regular expression with the version as its first group.
    """

    name: str
    enables: str
    plugin: str | None = None
    version: str | None = '--version'
    pattern: str = r'(\d+\.\d[\w.-]*)'

    @property
    def label(self) -> str:
        """Label of the code: the name without ``.x``."""
        return self.name.removesuffix('.x')


@dataclass(frozen=True)
class Engine:
    """A group of programs, or a Python package, from one source.

    Args:
        name: name of the engine.
        enables: what it is used for.
        kind: ``code`` (registered in AiiDA), ``tool`` (used by ourselves or by AiiDA) or ``package`` (Python).
        executables: its programs, or the importable packages.
        sources: how to get it, by kind of source.
        note: what to know before that.
    """

    name: str
    enables: str
    kind: Literal['code', 'tool', 'package']
    executables: tuple[Executable, ...]
    sources: dict[str, str]
    note: str = ''


def _qe(name: str, enables: str, plugin: str | None = None) -> Executable:
    """A Quantum ESPRESSO program: each prints `Program NAME v.6.7MaX starts` before it reads its input."""
    return Executable(f'{name}.x', enables, plugin and f'quantumespresso.{plugin}', None, r'Program \S+ v\.(\S+)')


def _yambo(name: str, enables: str, plugin: str | None = None) -> Executable:
    """A Yambo program: its help begins with the version."""
    return Executable(name, enables, plugin, version='-h', pattern=r'[Vv]ersion\s*:?\s*(\d[\w.-]*)')


_QUANTUM_ESPRESSO = (
    _qe('pw', 'DFT: scf, bands, relaxation, Berry phase', 'pw'),
    _qe('ph', 'phonons, dielectric constant, Born charges', 'ph'),
    _qe('pp', 'charge density and potentials on grids', 'pp'),
    _qe('neb', 'minimum energy paths', 'neb'),
    _qe('projwfc', 'projected densities of states', 'projwfc'),
    _qe('dos', 'densities of states', 'dos'),
    _qe('bands', 'band structures along paths', 'bands'),
    _qe('average', 'planar averages of potentials', 'namelists'),
    _qe('epsilon', 'dielectric function of independent particles'),
    _qe('pw2wannier90', 'overlaps for Wannier functions', 'pw2wannier90'),
    _qe('open_grid', 'full k-point grids for Wannier functions', 'open_grid'),
    _qe('hp', 'Hubbard parameters'),
    _qe('simple', 'optimal basis for optical spectra'),
    _qe('simple_ip', 'dielectric function with Drude term'),
    _qe('simple_bse', 'Bethe-Salpeter equation in the optimal basis'),
    _qe('head', 'head of the dielectric matrix (GWL)'),
    _qe('pw4gww', 'preparation of GW without empty states (GWL)'),
    _qe('gww', 'GW without empty states (GWL)'),
    _qe('bse_main', 'Bethe-Salpeter equation (GWL)'),
)

_ABINIT = (
    Executable('abinit', 'DFT, GW variants, Bethe-Salpeter equation, hybrids and meta-GGAs, DFPT', 'foundry.abinit'),
    Executable('optic', 'optical response of independent particles'),
    Executable('mrgscr', 'merging of screening files'),
    Executable('mrgddb', 'merging of derivative databases'),
    Executable('anaddb', 'phonons and response tensors from derivative databases'),
    Executable('cut3d', 'densities and potentials on grids'),
)

ENGINES: tuple[Engine, ...] = (
    Engine(
        'Quantum ESPRESSO',
        'DFT, DFPT, NEB, Berry phase, Drude and independent-particle spectra',
        'code',
        _QUANTUM_ESPRESSO,
        {'apt': 'quantum-espresso', 'conda-forge': 'qe'},
    ),
    Engine(
        'Koopmans (Quantum ESPRESSO 7.1 or later)',
        'Koopmans functionals with kcw.x',
        'code',
        (_qe('kcw', 'Koopmans screening and Hamiltonian'),),
        {'conda-forge': 'qe'},
    ),
    Engine(
        'Koopmans (part of this package)',
        'Koopmans functionals from the states of pw.x and the functions of Wannier90',
        'code',
        (Executable('aiida-foundry-ki', 'Koopmans screening and energies', 'foundry.ki'),),
        {'PyPI': 'aiida-foundry'},
    ),
    Engine(
        'ABINIT',
        'GW gaps, Bethe-Salpeter equation, hybrids and meta-GGAs, DFPT',
        'code',
        _ABINIT,
        {'apt': 'abinit', 'conda-forge': 'abinit'},
    ),
    Engine(
        'Wannier90',
        'Wannier functions',
        'code',
        (
            Executable('wannier90.x', 'maximally localised Wannier functions', 'foundry.wannier90', '-v'),
            Executable('postw90.x', 'Berry curvature and transport from Wannier functions', version='-v'),
        ),
        {'apt': 'wannier90', 'conda-forge': 'wannier90'},
    ),
    Engine(
        'Yambo',
        'GW and Bethe-Salpeter equation at scale',
        'code',
        (
            _yambo('yambo', 'GW and Bethe-Salpeter equation', 'foundry.yambo'),
            _yambo('p2y', 'import from Quantum ESPRESSO', 'foundry.p2y'),
            _yambo('ypp', 'post-processing'),
        ),
        {'conda-forge': 'yambo'},
    ),
    Engine(
        'GPAW',
        'full self-energy matrices, LCAO',
        'package',
        (Executable('gpaw', 'GW self-energies and Bethe-Salpeter equation in Python'),),
        {'PyPI': 'gpaw gpaw-data', 'conda-forge': 'gpaw'},
        'from PyPI it is built: first `apt install libxc-dev libopenblas-dev libfftw3-dev`',
    ),
    Engine(
        'SevenNet',
        'machine-learned interatomic potential',
        'package',
        (Executable('sevenn', 'energies and forces of large sets of structures'),),
        {'PyPI': 'sevenn'},
    ),
    Engine(
        'CHGNet',
        'machine-learned interatomic potential',
        'package',
        (Executable('chgnet', 'energies and forces of large sets of structures'),),
        {'PyPI': 'chgnet'},
    ),
    Engine(
        'HyperQueue',
        'many small jobs inside one allocation',
        'tool',
        (Executable('hq', 'task queue'),),
        {'release': 'https://github.com/It4innovations/hyperqueue/releases'},
        'it is needed on the cluster; here its AiiDA plugin: `pip install aiida-foundry[hyperqueue]`',
    ),
    Engine(
        'Graphviz',
        'drawings of provenance graphs',
        'tool',
        (Executable('dot', 'layout of graphs', version='-V'),),
        {'apt': 'graphviz', 'conda-forge': 'graphviz'},
    ),
)

REQUIRED = ('abinit',)
"""Programs without which the main job, the GW gap, cannot run."""


def programs() -> Iterator[tuple[Engine, Executable]]:
    """Every program with its engine; Python packages are left out."""
    for engine in ENGINES:
        if engine.kind != 'package':
            for executable in engine.executables:
                yield engine, executable


def by_name() -> dict[str, Executable]:
    """The programs that are registered in AiiDA as codes, by name on PATH."""
    return {executable.name: executable for engine, executable in programs() if engine.kind == 'code'}
