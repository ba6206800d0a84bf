"""What a heterostructure is made of: two faces, how thick, where they are cut, how they lie on each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aiida_foundry.common.errors import InputError

Kind = Literal['superlattice', 'slab', 'symmetric-slab']
Row = tuple[int, int]


class Vacancies(BaseModel):
    """Atoms left out of the plane of a side that touches the other crystal.

    Args:
        element: of the atoms that are left out.
        count: how many, per superlattice cell.
        choice: which of the arrangements that `vacancies.arrangements` enumerates.
    """

    model_config = ConfigDict(extra='forbid', frozen=True)

    element: str
    count: Annotated[int, Field(ge=1)] = 1
    choice: Annotated[int, Field(ge=0)] = 0


class Side(BaseModel):
    """One crystal of a heterostructure.

    Args:
        miller: indices of the face on the conventional cell; the direction that lies along z.
        transformation: superlattice vectors on the primitive surface vectors of the face, by rows.
        layers: repeats of the crystal along z.
        termination: index of the lowest plane, see `planes.terminations`.
        symmetric: one more plane, so that both ends are cut alike; then the side is not stoichiometric.
        vacancies: what is left out of the plane at the interface.
    """

    model_config = ConfigDict(extra='forbid', frozen=True)

    miller: tuple[int, int, int]
    transformation: tuple[Row, Row]
    layers: Annotated[int, Field(ge=1)]
    termination: Annotated[int, Field(ge=0)]
    symmetric: bool = False
    vacancies: Vacancies | None = None


class InterfaceSpec(BaseModel):
    """A heterostructure of a film on a substrate, z pointing from substrate to film.

    Args:
        kind: ``superlattice``: periodic along z, two interfaces; ``slab``: one interface and vacuum;
            ``symmetric-slab``: film on both sides of the substrate and vacuum, two equivalent interfaces.
        film: the crystal that is strained.
        substrate: the crystal below.
        film_share: fraction of the strain that the film takes.
        gap: Å added to the distance across each interface, which is the mean of the two crystals' own.
        shift: in-plane shift of the film in fractions of the superlattice vectors, added to the position in which it
            best continues the substrate.
        vacuum: Å between the surfaces of a slab.
    """

    model_config = ConfigDict(extra='forbid', frozen=True, allow_inf_nan=False)

    kind: Kind
    film: Side
    substrate: Side
    film_share: Annotated[float, Field(ge=0, le=1)] = 1.0
    gap: Annotated[float, Field(ge=-1, le=3)] = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    vacuum: Annotated[float, Field(ge=5, le=100)] = 15.0


def parse_spec(values: Mapping[str, Any]) -> InterfaceSpec:
    """Return a specification.

    Raises:
        InputError: names the first value that makes no sense.
    """
    try:
        return InterfaceSpec(**values)
    except ValidationError as error:
        first = error.errors()[0]
        subject = f'interface `{".".join(map(str, first["loc"]))}`'
        raise InputError(subject, f'{first["msg"]} (given: {first["input"]!r})', 'See `InterfaceSpec`') from None
