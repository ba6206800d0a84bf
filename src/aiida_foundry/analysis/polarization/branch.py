"""Follow one branch of the Berry-phase polarization along a path of structures.

A Berry-phase calculation yields P = (e/V) Σ phases[i] a_i with each phase known modulo the quantum (1, or 2 for paired
electrons and even ions). Only changes along an insulating path have a branch-free meaning (King-Smith and Vanderbilt,
PRB 47, 1651 (1993)), so the phases of neighbouring images are joined where the step between them is small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
import numpy.typing as npt

from aiida_foundry.analysis.polarization.formal import Quantum
from aiida_foundry.common.errors import InputError

#: Largest step between neighbouring images, in quanta. The branch is ambiguous from ½ on; below ¼ every second image
#: alone leads to the same branch, which is the proof that there are enough images.
LARGEST_STEP = 0.25
#: Largest ratio of Born to nominal charges in ferroelectric perovskites: O along the bond in BaTiO3, −5.7 against −2
#: (Ghosez, Michenaud and Gonze, PRB 58, 6224 (1998)).
CHARGE_ANOMALY = 3.0


@dataclass(frozen=True, eq=False)
class Branch:
    """One branch of the polarization along a path.

    Args:
        phases: (n, 3) continuous phases along the lattice vectors of each image, in e; the first image as given.
        steps: (n − 1, 3) steps between neighbours that the branch was chosen by: what the prediction leaves, in e.
        quanta: (3, 3) quanta of polarization of the last image by rows, e/Å².
        quantum: modulus of the phases, in e.
    """

    phases: npt.NDArray[np.float64]
    steps: npt.NDArray[np.float64]
    quanta: npt.NDArray[np.float64]
    quantum: Quantum

    @property
    def change(self) -> npt.NDArray[np.float64]:
        """Polarization of the last image relative to the first, Cartesian, shape (3,), e/Å².

        The change of phase counts in quanta of the last cell: the proper change, which is half the difference between
        the two orientations of a ferroelectric whatever formal polarization its centrosymmetric reference has.
        """
        return (self.phases[-1] - self.phases[0]) @ self.quanta / self.quantum

    @property
    def largest_step(self) -> float:
        """Largest step between neighbours in quanta; the branch would be ambiguous at ½."""
        return float(np.abs(self.steps).max() / self.quantum)


def follow_branch(
    phases: npt.ArrayLike, lattice: npt.ArrayLike, quantum: Quantum = 1, predicted: npt.ArrayLike | None = None
) -> Branch:
    """Join the phases of neighbouring images into one branch.

    Args:
        phases: (n, 3) total phases, electronic and ionic, of n ≥ 2 images in the order of the path, in e, each modulo
            the quantum.
        lattice: (3, 3) vectors by rows of the last image, Å.
        quantum: modulus of the phases, see ``phase_modulus``.
        predicted: (n, 3) continuous estimate of the phases, such as ``point_charge_phases``, in e; only its changes
            matter. The better it is, the fewer images are needed.

    Raises:
        InputError: a phase is missing, or a step leaves the branch ambiguous; names the images.
    """
    values, steps, expected_steps = _joined(phases, quantum, predicted)
    _check_continuous(steps / quantum)
    vectors = np.asarray(lattice, dtype=float)
    return Branch(
        phases=values[0] + np.concatenate([np.zeros((1, 3)), np.cumsum(steps + expected_steps, axis=0)]),
        steps=steps,
        quanta=quantum * vectors / abs(np.linalg.det(vectors)),
        quantum=quantum,
    )


def point_charge_phases(positions: npt.ArrayLike, charges: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the phases of moving point charges relative to the first image, shape (n, 3), in e.

    Args:
        positions: (n, atoms, 3) fractional positions; an atom moves less than half a lattice vector between images.
        charges: (atoms,) nominal or Born charges, in e.
    """
    steps = np.diff(np.asarray(positions, dtype=float), axis=0)
    steps -= np.rint(steps)
    dipoles = np.einsum('a,iak->ik', np.asarray(charges, dtype=float), steps)
    return np.concatenate([np.zeros((1, 3)), np.cumsum(dipoles, axis=0)])


def images_to_start(change: npt.ArrayLike, quantum: Quantum = 1) -> int:
    """Return how many images, both ends included, make a wrong branch show as a step above the limit.

    What the prediction leaves may be (``CHARGE_ANOMALY`` − 1) times the prediction. A step of less than 1 − the limit,
    in quanta, cannot be mistaken for a small one after a jump by a quantum; where it is larger than the limit, images
    are added. Two steps at least show the course.

    Args:
        change: (3,) predicted change of the phases along the path, as from ``point_charge_phases``, in e.
        quantum: modulus of the phases.
    """
    largest = (CHARGE_ANOMALY - 1) * float(np.abs(change).max())
    return 1 + max(2, ceil(largest / ((1 - LARGEST_STEP) * quantum)))


def steps_to_divide(
    phases: npt.ArrayLike, quantum: Quantum = 1, predicted: npt.ArrayLike | None = None
) -> tuple[int, ...]:
    """Return the steps of a path, by their first image, that leave the branch open: they need an image between.

    Args:
        phases: see ``follow_branch``.
        quantum: modulus of the phases.
        predicted: see ``follow_branch``.
    """
    _, steps, _ = _joined(phases, quantum, predicted)
    return tuple(np.flatnonzero(np.abs(steps / quantum).max(axis=1) >= LARGEST_STEP).tolist())


def phase_modulus(valences: Sequence[float], spin_polarized: bool) -> Quantum:
    """Return the modulus of the total phase of a calculation with pseudopotentials, in e.

    Moving an electron pair or an even ion by a lattice vector changes the phase by an even number; a single electron
    (spin polarized) or an odd ion by an odd one.

    Args:
        valences: charges of the pseudo-ions in e, one per atom or species.
        spin_polarized: whether the two spins have phases of their own.
    """
    return 1 if spin_polarized or any(round(valence) % 2 for valence in valences) else 2


def _joined(
    phases: npt.ArrayLike, quantum: Quantum, predicted: npt.ArrayLike | None
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return checked phases, their steps nearest to the predicted ones, less these, and the predicted steps."""
    values = _checked(phases)
    expected = np.zeros_like(values) if predicted is None else _checked(predicted)
    if expected.shape != values.shape:
        reason = f'there are {len(values)} images with phases'
        raise InputError(f'prediction for {len(expected)} images', reason, 'Predict every image.')
    expected_steps = np.diff(expected, axis=0)
    steps = np.diff(values, axis=0) - expected_steps
    steps -= quantum * np.rint(steps / quantum)
    return values, steps, expected_steps


def _checked(phases: npt.ArrayLike) -> npt.NDArray[np.float64]:
    values = np.asarray(phases, dtype=float)
    if values.ndim != 2 or values.shape[1] != 3 or len(values) < 2:
        reason = 'a path has at least two images with three phases each'
        raise InputError(f'phases of shape {values.shape}', reason, 'Give an array of shape (images, 3).')
    missing = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(missing):
        subject = f'image {missing[0]} of the path'
        raise InputError(subject, 'it has no polarization', 'Find out whether it is a metal, and choose another path.')
    return values


def _check_continuous(steps: npt.NDArray[np.float64]) -> None:
    """Refuse steps, in quanta, that leave the branch open."""
    image, direction = np.unravel_index(np.abs(steps).argmax(), steps.shape)
    step = abs(float(steps[image, direction]))
    if step >= LARGEST_STEP:
        raise InputError(
            f'path between images {image} and {image + 1}',
            f'the phase along lattice vector {direction + 1} changes by {step:.3f} quanta, and from {LARGEST_STEP} on '
            'its branch is not sure',
            f'Insert {max(1, ceil(step / LARGEST_STEP) - 1)} images or more between the two.',
        )
