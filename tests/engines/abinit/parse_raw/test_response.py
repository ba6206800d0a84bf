"""Second derivatives against the main output and against exact symmetries."""

from __future__ import annotations

import re

import numpy as np
import pytest

from aiida_foundry.common.units import BOHR_TO_ANGSTROM, HARTREE_TO_EV
from aiida_foundry.engines.abinit.parse_raw.response import (
    parse_born_charges,
    parse_dielectric_tensor,
    parse_force_constants,
)


@pytest.fixture
def text(case_folder):
    return (case_folder('response') / 'aiida.abo').read_text()


def test_dielectric_tensor_is_isotropic(text):
    tensor = parse_dielectric_tensor(text)
    assert tensor == pytest.approx(np.eye(3) * tensor[0, 0], abs=1e-8)
    assert tensor[0, 0] > 1


def test_born_charges_from_both_responses(text):
    """Field response and displacement response are the same mixed derivative, in transposed tables."""
    from_field = parse_born_charges(text, 2)
    from_displacement = parse_born_charges(text[text.index('(from electric field response)') :], 2)
    assert from_field.shape == (2, 3, 3)
    assert np.isfinite(from_displacement).all()
    assert from_displacement == pytest.approx(from_field, abs=1e-5)


def test_force_constants_as_printed(text, case_folder):
    wavevector, constants = parse_force_constants((case_folder('response') / 'out_DDB.nc').read_bytes())
    assert wavevector == pytest.approx([0, 0, 0])
    table = text.partition('Dynamical matrix, in cartesian coordinates')[2]
    printed = re.search(r'^ +1 +1 +1 +1 +(\S+)', table, re.MULTILINE).group(1)
    unit = HARTREE_TO_EV / BOHR_TO_ANGSTROM**2
    assert constants[0, 0, 0, 0] / unit == pytest.approx(float(printed), abs=1e-9)


def test_force_constants_are_hermitian(case_folder):
    _, constants = parse_force_constants((case_folder('response') / 'out_DDB.nc').read_bytes())
    matrix = constants.reshape(6, 6)
    assert matrix == pytest.approx(matrix.conj().T, abs=1e-3)


def test_absent_tables(case_folder):
    text = (case_folder('ddk') / 'aiida.abo').read_text()
    assert parse_dielectric_tensor(text) is None
    assert parse_born_charges(text, 2) is None
