"""Numerical parameters of a heterostructure, and the inputs of pw.x and pp.x that follow from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aiida_foundry.common.errors import InputError
from aiida_foundry.common.units import BOHR_TO_ANGSTROM, RYDBERG_TO_EV

Positive = Annotated[float, Field(gt=0)]

LAST_STEP = 0.1
"""bohr. The energy per atom may change by so much times the force threshold in the last step of a relaxation, as in the
protocols of aiida-quantumespresso 5; the default of pw.x is one number for cells of any size."""


class _Model(BaseModel):
    model_config = ConfigDict(extra='forbid', frozen=True, allow_inf_nan=False)


class Relax(_Model):
    """Relaxation of the ions: planes that move on either side of an interface or surface (None: all); eV/Å."""

    enabled: bool
    free_planes: Annotated[int, Field(ge=1)] | None
    force_threshold: Positive


class Ldos(_Model):
    """Local densities of states: range on both sides of the Fermi energy, step and broadening, eV.

    Occupations cannot be sharper than the states: a broadening of 1.5 times the smearing loses 3 % of the electrons of
    LaAlO3/SrTiO3(001), steps larger than the broadening another 1 %.
    """

    range: Positive
    step: Positive
    broadening: Positive


class Constants(_Model):
    """Dielectric constants along the normal, of clamped ions where these do not relax; None: not known."""

    film: Annotated[float, Field(ge=1)] | None
    substrate: Annotated[float, Field(ge=1)] | None


class Parameters(_Model):
    """All numerical parameters.

    Args:
        wavefunction_cutoff: kinetic energy of the plane waves, Ry.
        density_cutoff: that of the density, Ry.
        smearing: width of the Gaussian smearing, Ry.
        threshold_per_atom: of the estimated scf accuracy, Ry.
        mixing_beta: at the start.
        mixing_mode: at the start.
        extra_bands: bands beyond the filled ones, as a fraction of them.
        relax: see `Relax`.
        ldos: see `Ldos`.
        window: half width about the Fermi energy in which the local density of states is compared, eV.
        dielectric_constants: see `Constants`.
        polar_charge: of the ideal interface, e per superlattice cell; None: not known.
    """

    wavefunction_cutoff: Positive
    density_cutoff: Positive
    smearing: Positive
    threshold_per_atom: Positive
    mixing_beta: Annotated[float, Field(gt=0, le=1)]
    mixing_mode: Literal['plain', 'TF', 'local-TF']
    extra_bands: Positive
    relax: Relax
    ldos: Ldos
    window: Positive
    dielectric_constants: Constants
    polar_charge: float | None


def parse_parameters(values: Mapping[str, Any]) -> Parameters:
    """Return the parameters.

    Raises:
        InputError: names the first that makes no sense.
    """
    try:
        parameters = Parameters(**values)
    except ValidationError as error:
        first = error.errors()[0]
        subject = f'parameters.{".".join(map(str, first["loc"]))}'
        raise InputError(subject, f'{first["msg"]} (given: {first["input"]!r})', 'Correct it') from None
    if parameters.density_cutoff < 4 * parameters.wavefunction_cutoff:
        raise InputError(
            'parameters.density_cutoff',
            f'{parameters.density_cutoff} Ry is less than four times the cutoff of the wavefunctions',
            'Norm-conserving pseudopotentials need four times, others more',
        )
    if parameters.window > parameters.ldos.range or parameters.ldos.step > parameters.window:
        raise InputError('parameters.ldos', 'it does not resolve the window', 'Enlarge `range`, or lessen `step`')
    smearing = parameters.smearing * RYDBERG_TO_EV
    for name, width, of in (('broadening', smearing, 'smearing'), ('step', parameters.ldos.broadening, 'broadening')):
        value = getattr(parameters.ldos, name)
        if value > width * (1 + 1e-6):
            reason = f'{value:.3g} eV is more than the {of} of {width:.3g} eV, so that carriers would be miscounted'
            raise InputError(f'parameters.ldos.{name}', reason, 'Lessen it, or leave it out')
    return parameters


def bands_of(electrons: int, parameters: Parameters) -> int:
    """Return the number of bands of a cell: those filled, a fraction more, at least four."""
    filled = (electrons + 1) // 2
    return filled + max(4, round(filled * parameters.extra_bands))


def scf(parameters: Parameters, electrons: int, atoms: int) -> dict[str, Any]:
    """Return the parameters of pw.x for a self-consistent calculation with Gaussian smearing.

    The smearing is Gaussian because pp.x broadens local densities of states by that of pw.x, and only a Gaussian is
    nowhere negative.
    """
    return {
        'CONTROL': {'calculation': 'scf', 'tprnfor': True},
        'SYSTEM': {
            'ecutwfc': parameters.wavefunction_cutoff,
            'ecutrho': parameters.density_cutoff,
            'occupations': 'smearing',
            'smearing': 'gaussian',
            'degauss': parameters.smearing,
            'nbnd': bands_of(electrons, parameters),
        },
        'ELECTRONS': {
            'conv_thr': parameters.threshold_per_atom * atoms,
            'mixing_beta': parameters.mixing_beta,
            'mixing_mode': parameters.mixing_mode,
            'electron_maxstep': 60,
        },
    }


def relax(parameters: Parameters, electrons: int, atoms: int) -> dict[str, Any]:
    """Return the parameters of pw.x for a relaxation of the ions in a fixed cell."""
    inputs = scf(parameters, electrons, atoms)
    force = parameters.relax.force_threshold / RYDBERG_TO_EV * BOHR_TO_ANGSTROM
    inputs['CONTROL'] |= {
        'calculation': 'relax',
        'forc_conv_thr': force,
        'etot_conv_thr': LAST_STEP * force * atoms,
    }
    return inputs


def add_dipole_correction(inputs: dict[str, Any], layout: Mapping[str, Any], height: float) -> None:
    """Let a sawtooth potential in the vacuum cancel the dipole of a slab (L. Bengtsson, PRB 59, 12301 (1999)).

    Args:
        inputs: parameters of pw.x, changed in place.
        layout: of the heterostructure.
        height: of the cell, Å.
    """
    width = 0.05
    top = layout['slabs'][-1]['top']
    inputs['CONTROL'] |= {'tefield': True, 'dipfield': True}
    inputs['SYSTEM'] |= {'edir': 3, 'emaxpos': (top + height) / 2 / height - width / 2, 'eopreg': width, 'eamp': 0.0}


def potential() -> dict[str, Any]:
    """Return the parameters of pp.x for the potential of the ions and of Hartree."""
    return {'INPUTPP': {'plot_num': 11}, 'PLOT': {'iflag': 3}}


def density() -> dict[str, Any]:
    """Return the parameters of pp.x for the electron density."""
    return {'INPUTPP': {'plot_num': 0}, 'PLOT': {'iflag': 3}}


def local_density_of_states(parameters: Parameters, fermi: float) -> dict[str, Any]:
    """Return the parameters of pp.x for local densities of states about the Fermi energy in eV."""
    ldos = parameters.ldos
    # pp.x counts the steps itself; half a step keeps its rounding from dropping the last
    return {
        'INPUTPP': {
            'plot_num': 3,
            'emin': fermi - ldos.range,
            'emax': fermi + ldos.range + ldos.step / 2,
            'delta_e': ldos.step,
            'degauss_ldos': ldos.broadening,
        },
        'PLOT': {'iflag': 3},
    }


def fixed_coordinates(layout: Mapping[str, Any], heights: list[float], free_planes: int | None) -> list[list[bool]]:
    """Return which atoms are held, as pw.x wants it: those far from every interface and surface.

    Args:
        layout: of the heterostructure.
        heights: of the atoms, Å.
        free_planes: atomic planes that move on either side; None: all.
    """
    from aiida_foundry.structures.interfaces.planes import PLANE_TOLERANCE

    held = [[False] * 3 for _ in heights]
    if free_planes is None:
        return held
    for slab in layout['slabs']:
        levels: list[float] = []
        for height in sorted(heights[atom] for atom in slab['atoms']):
            if not levels or height - levels[-1] > PLANE_TOLERANCE:
                levels.append(height)
        inner = levels[free_planes : len(levels) - free_planes]
        for atom in slab['atoms']:
            if inner and inner[0] - PLANE_TOLERANCE < heights[atom] < inner[-1] + PLANE_TOLERANCE:
                held[atom] = [True] * 3
    return held
