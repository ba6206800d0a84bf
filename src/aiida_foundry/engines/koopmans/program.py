"""The executable ``aiida-foundry-ki``: Koopmans energies from a ``.save`` folder and Wannier functions.

It imports no aiida, so that it runs on any computer with this package. Each wave vector is written
to a file of its own when it is done: a run that was killed loses one.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import aiida_foundry
from aiida_foundry.analysis.koopmans import ki
from aiida_foundry.analysis.koopmans.checkpoint import Checkpoint
from aiida_foundry.analysis.koopmans.energies import koopmans_energies
from aiida_foundry.common.errors import InputError
from aiida_foundry.common.units import RYDBERG_TO_EV
from aiida_foundry.engines.koopmans.system import System, digest, load_manifold, load_system

OUT_OF_TIME = 3
REFUSED = 2
_MANIFOLDS = ('occupied', 'empty')


@dataclass(frozen=True)
class Job:
    """What the input file says.

    Attributes:
        save: folder of the ground state.
        dielectric_constant: ε∞ of the head correction; None for none.
        coverage_tolerance: eV; see `koopmans_energies`.
        settings: further fields of `ki.Settings`.
        max_seconds: after which no wave vector is begun; None for no limit.
    """

    save: str
    dielectric_constant: float | None
    coverage_tolerance: float
    settings: dict[str, Any]
    max_seconds: float | None = None


def execute(path: Path) -> int:
    """Run the job of an input file and write the report beside it; returns 0, `REFUSED` or `OUT_OF_TIME`."""
    report: dict[str, Any] = {'version': aiida_foundry.__version__, 'completed': False}
    start = time.monotonic()
    try:
        job = Job(**json.loads(path.read_text('utf-8')))
        finished = run(job, path.parent, report)
        status = 0 if finished else OUT_OF_TIME
    except InputError as error:
        report['error'] = str(error)
        print(f'ERROR: {error}')
        status = REFUSED
    usage = resource.getrusage(resource.RUSAGE_SELF)
    report |= {
        'wall_time_seconds': time.monotonic() - start,
        'cpu_time_seconds': usage.ru_utime + usage.ru_stime,
        'peak_memory_mb': usage.ru_maxrss / 1024,
        'threads': _threads(),
    }
    _write(path.parent / 'aiida.ki.json', json.dumps(report, indent=1).encode())
    print('JOB DONE.' if status == 0 else 'JOB NOT DONE.', flush=True)
    return status


def run(job: Job, folder: Path, report: dict[str, Any]) -> bool:
    """Compute what is missing and write the results; returns False if time ran out before."""
    start = time.monotonic()
    screening, system = _prepare(job, folder, report)
    checkpoint = Checkpoint(folder / 'checkpoint', _key(job, system, folder))
    tasks = list(screening.tasks())
    report['wave_vectors'] = {'total': len(tasks), 'computed': 0}
    print(f'{len(tasks)} wave vectors, {len(screening.representatives)} of {len(screening.functions)} functions')
    for number, (q, positions) in enumerate(tasks, start=1):
        if checkpoint.holds(q, positions):
            continue
        if job.max_seconds is not None and time.monotonic() - start > job.max_seconds:
            print(f'stopped before wave vector {number}: the time is over', flush=True)
            return False
        checkpoint.write(q, positions, screening.compute(q, positions))
        report['wave_vectors']['computed'] += 1
        print(f'wave vector {number}/{len(tasks)} at {time.monotonic() - start:.1f} s', flush=True)
    _write_results(job, system, screening, checkpoint, folder, report)
    report['completed'] = True
    return True


def _prepare(job: Job, folder: Path, report: dict[str, Any]) -> tuple[ki.KoopmansScreening, System]:
    """Read everything, and group functions and wave vectors."""
    system = load_system(folder / job.save)
    states = system.states
    first_bands = (0, states.occupied)
    manifolds = [
        load_manifold(folder / name, name, states, first) for name, first in zip(_MANIFOLDS, first_bands, strict=True)
    ]
    if manifolds[0].gauge.shape[1:] != (states.occupied, states.occupied):
        raise InputError(
            'occupied Wannier functions',
            f'{manifolds[0].functions} of {manifolds[0].gauge.shape[1]} bands for {states.occupied} occupied bands',
            'Wannierise all occupied bands, and nothing else, together or in blocks',
        )
    settings = ki.Settings(system.functional, job.dielectric_constant, workers=_threads(), **job.settings)
    report |= {
        'functional': system.functional,
        'settings': {**asdict(settings), 'coverage_tolerance_ev': job.coverage_tolerance},
        'occupied_bands': states.occupied,
        'bands': int(states.energies.shape[1]),
        'mesh': list(states.mesh.divisions),
    }
    return ki.KoopmansScreening(states, system.cell, system.density, manifolds, settings), system


def _threads() -> int:
    return int(os.environ.get('OMP_NUM_THREADS') or 1)


def _key(job: Job, system: System, folder: Path) -> str:
    """Return the hash of everything that the integrals depend on."""
    files = [path for name in _MANIFOLDS for path in sorted((folder / name).glob('aiida_u*.mat'))]
    parts = [ki.VERSION, system.digest, digest(files), job.dielectric_constant, job.settings]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _write_results(
    job: Job,
    system: System,
    screening: ki.KoopmansScreening,
    checkpoint: Checkpoint,
    folder: Path,
    report: dict[str, Any],
) -> None:
    """Write ``aiida.ki.npz`` and complete the report."""
    states = system.states
    integrals = screening.integrals(checkpoint.value)
    totals = ki.total_integrals(integrals, states, job.dielectric_constant)
    occupied = np.array([function.manifold.name == 'occupied' for function in screening.functions])
    corrections = RYDBERG_TO_EV * np.where(occupied, -0.5, 0.5) * totals.screened
    manifolds = list({function.manifold.name: function.manifold for function in screening.functions}.values())
    energies = koopmans_energies(
        RYDBERG_TO_EV * states.energies,
        manifolds,
        [corrections[occupied], corrections[~occupied]],
        job.coverage_tolerance,
    )
    arrays: dict[str, Any] = {
        'kpoints': system.kpoints,
        **energies.as_arrays(),
        'alpha': totals.alpha,
        'occupied': occupied,
        'self_hartree': RYDBERG_TO_EV * totals.self_hartree,
        'bare': RYDBERG_TO_EV * totals.bare,
        'screened': RYDBERG_TO_EV * totals.screened,
        'self_hartree_q': RYDBERG_TO_EV * integrals.self_hartree,
        'bare_q': RYDBERG_TO_EV * integrals.bare,
        'screened_q': RYDBERG_TO_EV * integrals.screened,
        'representative': np.array([function.representative + 1 for function in screening.functions]),
    }
    report |= {
        'alpha': totals.alpha.tolist(),
        'head_correction_ev': RYDBERG_TO_EV * totals.head,
        'disentangled_states_left_out': energies.left_out,
    }
    temporary = folder / 'aiida.ki.npz.tmp'
    with temporary.open('wb') as handle:
        np.savez(handle, **arrays)
    temporary.replace(folder / 'aiida.ki.npz')


def _write(path: Path, content: bytes) -> None:
    """Write a file at once or not at all."""
    temporary = path.with_name(path.name + '.tmp')
    temporary.write_bytes(content)
    temporary.replace(path)
