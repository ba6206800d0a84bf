"""Reading of netCDF files from memory, safe against truncated ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import netCDF4
import numpy as np
from numpy.typing import NDArray


class UnreadableNetcdfError(Exception):
    """The file is truncated, no netCDF, or lacks a variable."""


@contextmanager
def open_netcdf(content: bytes) -> Iterator[netCDF4.Dataset]:
    """Open a netCDF file from its bytes.

    The HDF5 library compares the length with the one it wrote and refuses truncated files.

    Raises:
        UnreadableNetcdfError: while opening or reading.
    """
    try:
        with netCDF4.Dataset('memory', memory=content) as dataset:
            yield dataset
    except (OSError, RuntimeError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableNetcdfError(str(error)) from error


def read_array(dataset: netCDF4.Dataset, name: str) -> NDArray[np.float64]:
    """Return a variable as floating-point numbers, NaN where the file holds no value."""
    return np.ma.filled(np.ma.asarray(dataset[name][...], dtype=np.float64), np.nan)


def read_scalar(dataset: netCDF4.Dataset, name: str) -> float:
    """Return a scalar variable."""
    return float(read_array(dataset, name))
