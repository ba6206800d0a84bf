"""Damaged netCDF files end in one kind of error."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_foundry.engines.abinit.parse_raw import gsr, mdf, response, sigres
from aiida_foundry.engines.abinit.parse_raw.netcdf import UnreadableNetcdfError

READERS = [
    ('scf', 'out_GSR.nc', gsr.parse_gsr),
    ('sigma_ppm', 'out_SIGRES.nc', sigres.parse_sigres),
    ('bse', 'out_MDF.nc', mdf.parse_mdf),
    ('response', 'out_DDB.nc', response.parse_force_constants),
]


@pytest.mark.parametrize(('case', 'name', 'read'), READERS)
def test_every_truncation_is_refused(case_folder, case, name, read):
    content = (case_folder(case) / name).read_bytes()
    for length in [0, 1, 100, *range(1000, len(content), 1009), len(content) - 1]:
        with pytest.raises(UnreadableNetcdfError):
            read(content[:length])


@pytest.mark.parametrize(('case', 'name', 'read'), READERS)
def test_overwritten_head_is_refused_or_read(case_folder, case, name, read):
    """A damaged file either raises the one error or still holds what the reader needs; nothing else may happen."""
    content = (case_folder(case) / name).read_bytes()
    generator = np.random.default_rng(1)
    refused = 0
    for _ in range(40):
        damaged = bytearray(content)
        for _ in range(200):
            damaged[generator.integers(20000)] = generator.integers(256)
        try:
            read(bytes(damaged))
        except UnreadableNetcdfError:
            refused += 1
    assert refused > 20


def test_another_file_is_refused(case_folder):
    content = (case_folder('bse') / 'out_MDF.nc').read_bytes()
    with pytest.raises(UnreadableNetcdfError):
        sigres.parse_sigres(content)
