"""What is known of crystals beforehand, and what a screening is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aiida_foundry.common.errors import InputError


class KnownProperties(BaseModel):
    """What a user knows of a crystal; whatever is left out is counted, guessed with a statement, or stays unknown.

    Args:
        gap: fundamental gap, eV; 0 for a metal.
        dielectric_constant: along the normals of interest, no unit; static for the estimate of a relaxed interface.
        electron_affinity: from the vacuum level down to the conduction band, eV.
        oxidation_states: by element.
        moments: collinear magnetic moment of each site, μ_B, in the order of the structure.
        polarization: formal polarization, C/m², Cartesian in the axes of the structure as given; electrons and ions,
            on the convention of Berry-phase codes, any branch. Polar crystals need it.
        source: where all this comes from.
    """

    model_config = ConfigDict(extra='forbid', frozen=True, allow_inf_nan=False)

    gap: Annotated[float, Field(ge=0)] | None = None
    dielectric_constant: Annotated[float, Field(ge=1)] | None = None
    electron_affinity: float | None = None
    oxidation_states: dict[str, int] | None = None
    moments: tuple[float, ...] | None = None
    polarization: tuple[float, float, float] | None = None
    source: str = ''


class ScreenParameters(BaseModel):
    """Limits of a screening.

    Args:
        max_miller: largest Miller index of the faces, on the conventional cells.
        max_area: largest area of the superlattice cell, Å².
        max_strain: largest principal logarithmic strain between the two crystals.
        min_thickness: each layer is at least so thick, Å; 0 is one lattice plane. Decides the number of atoms.
        max_atoms: largest number of atoms of a superlattice with two such layers.
        min_charge_density: smallest charge of an interface that is kept, e/Å². LaAlO3/SrTiO3(001) has 0.033.
        sureness: how sure it must be that a crystal is an insulator, see `insulators.insulator`.
        best: number of pairs of crystals that go on.
    """

    model_config = ConfigDict(extra='forbid', frozen=True, allow_inf_nan=False)

    max_miller: Annotated[int, Field(ge=1, le=4)] = 1
    max_area: Annotated[float, Field(gt=0, le=2000)] = 100.0
    max_strain: Annotated[float, Field(gt=0, le=0.25)] = 0.03
    min_thickness: Annotated[float, Field(ge=0)] = 0.0
    max_atoms: Annotated[int, Field(ge=2)] = 200
    min_charge_density: Annotated[float, Field(gt=0)] = 1e-3
    sureness: Literal['known', 'likely', 'unsure'] = 'likely'
    best: Annotated[int, Field(ge=0, le=1000)] = 20


def parse_known(values: Mapping[str, Mapping[str, Any]]) -> dict[str, KnownProperties]:
    """Return what is known by name of the crystal or reduced formula.

    Raises:
        InputError: names the first value that makes no sense.
    """
    if not isinstance(values, Mapping) or not all(isinstance(value, Mapping) for value in values.values()):
        raise InputError('properties', 'they are not mappings by crystal', 'Write e.g. `SrTiO3: {gap: 3.2}`')
    known = {}
    for name, value in values.items():
        known[name] = _parse(KnownProperties, value, f'properties of `{name}`')
    return known


def parse_parameters(values: Mapping[str, Any]) -> ScreenParameters:
    """Return the limits of a screening.

    Raises:
        InputError: names the first value that makes no sense.
    """
    return _parse(ScreenParameters, values, 'parameters of the screening')


def _parse(model: type[Any], values: Mapping[str, Any], subject: str) -> Any:
    try:
        return model(**values)
    except ValidationError as error:
        first = error.errors()[0]
        place = '.'.join(map(str, first['loc']))
        known = ', '.join(model.model_fields)
        raise InputError(
            subject, f'{place}: {first["msg"]} (given: {first["input"]!r})', f'Known are {known}'
        ) from None
