"""Variables of Yambo's databases, which hold integers as real numbers."""

from __future__ import annotations

from collections.abc import Iterable

import netCDF4
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def read_variables(content: bytes, file: str, names: Iterable[str], error: type[ValueError]) -> dict[str, FloatArray]:
    """Return variables in the bytes of a database, whose name the error has.

    Raises:
        ValueError: of the type ``error``: truncated, no database, or without one of the variables.
    """
    try:
        with netCDF4.Dataset(file, memory=content) as dataset:
            return {name: np.asarray(dataset[name][...], dtype=float) for name in names}
    except (OSError, KeyError, IndexError, RuntimeError, ValueError) as reason:
        raise error(f'`{file}`: {type(reason).__name__}: {reason}') from reason


def whole_numbers(values: FloatArray) -> NDArray[np.int_] | None:
    """Return integers that are stored as real numbers, None if they are none."""
    whole = np.isfinite(values) & (values == np.rint(values)) & (np.abs(values) < np.iinfo(np.int32).max)
    return values.astype(int) if values.size and whole.all() else None
