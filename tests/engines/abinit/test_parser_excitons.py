"""Excitons and injected corrections: the parser on stored outputs of real runs."""

from __future__ import annotations

import numpy as np
import pytest

from aiida_foundry.analysis.spectra import dielectric_function
from aiida_foundry.common.errors import InputError
from aiida_foundry.engines.abinit.calculation import AbinitCalculation
from aiida_foundry.engines.abinit.parse_raw import excitons
from aiida_foundry.engines.abinit.parser import AbinitParser
from aiida_foundry.engines.abinit.quasiparticle_file import render
from aiida_foundry.engines.abinit.validation import check_parameters, check_quasiparticle_file

CODES = AbinitCalculation.exit_codes
CASE = 'bse_diagonalised'


@pytest.fixture
def parse(calcjob_node, case_folder):
    """Parse a stored run with its folder as that of temporary files; return the outputs and the node of the parsing."""

    def run(case, temporary=CASE, **kwargs):
        folder = None if temporary is None else str(case_folder(temporary))
        node = calcjob_node(case, **kwargs)
        return AbinitParser.parse_from_node(node, store_provenance=False, retrieved_temporary_folder=folder)

    return run


def test_excitons(parse):
    outputs, process = parse(CASE)
    assert process.is_finished_ok
    found = outputs['output_excitons']
    energies, weights = found.get_array('energies'), found.get_array('weights')
    # 8 k-points, 3 of them irreducible, 3 valence and 3 conduction bands
    assert len(energies) == 72
    assert (np.diff(energies) >= 0).all()
    assert weights.shape == (24, 3, 6)
    assert weights[:, :, :3].sum(axis=(1, 2)) == pytest.approx(np.ones(24))
    assert weights[:, :, 3:].sum(axis=(1, 2)) == pytest.approx(np.ones(24))
    assert found.get_array('bands').tolist() == [2, 3, 4, 5, 6, 7]
    assert found.get_array('kpoints').tolist() == [[0, 0, 0], [0.5, 0, 0], [0.5, 0.5, 0]]
    results = outputs['output_parameters'].get_dict()
    assert results['quasiparticle_direct_gap'] == pytest.approx(3.2, abs=0.05)
    assert results['head_factor'] == pytest.approx(7.6087)


def test_spectrum_follows_from_the_excitons(parse):
    """The broadened sum over excitons is the spectrum that ABINIT wrote, to the five digits of its strengths."""
    outputs, _ = parse(CASE)
    optical, states = outputs['output_optical'], outputs['output_excitons']
    energies, strengths = states.get_array('energies'), states.get_array('strengths')
    found = dielectric_function(energies, strengths.T, optical.get_array('frequencies'), 0.15)
    expected = optical.get_array('excitonic')
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()


# line of `EXC_OST` for one state along seven directions, of which the fourth repeats the first
LARGE = """  1.5790  2.6170E+04  0.0000E+00  2.9079E+03  0.0000E+00  2.0125E+03  0.0000E+00
********  0.0000E+00  3.7417E+02  0.0000E+00  3.0354E+03  0.0000E+00  1.4092E+03
  0.0000
"""


def test_strength_too_large_for_its_format():
    """GaAs: the first number of a line has the format of an energy."""
    directions = np.array([[1, 1, 2], [1, 2, 1], [2, 1, 1], [1, 1, 2], [0, 1, 1], [1, 0, 1], [1, 1, 0]]) * 0.6
    found = excitons.parse_strengths(LARGE, directions)
    assert found.tolist() == [[26170, 2907.9, 2012.5, 26170, 374.17, 3035.4, 1409.2]]
    directions[3] = [3, 0, 0]
    with pytest.raises(excitons.UnreadableExcitonsError, match='direction 4 is too large for its format'):
        excitons.parse_strengths(LARGE, directions)


def test_missing_corrections(parse):
    _, process = parse('bse_missing_corrections')
    assert process.exit_status == CODES.ERROR_CORRECTIONS_INCOMPLETE.status


def test_haydock_that_does_not_converge(parse):
    outputs, process = parse('bse_haydock_not_converged')
    assert process.exit_status == CODES.ERROR_HAYDOCK_NOT_CONVERGED.status
    assert 'after 3 iterations' in process.exit_message
    assert 'output_optical' in outputs


@pytest.mark.parametrize(
    ('files', 'temporary'),
    [({'out_EXC_OST': b'# no values\n'}, CASE), ({'out_EXC_OST': b'1.0 2.0\n'}, CASE), ({}, None)],
)
def test_unreadable_excitons(parse, files, temporary):
    _, process = parse(CASE, temporary, files=files)
    assert process.exit_status == CODES.ERROR_EXCITONS_UNREADABLE.status


@pytest.mark.parametrize('length', [0, 3, 100, 50000])
def test_truncated_eigenstates(case_folder, length):
    content = (case_folder(CASE) / 'out_BSEIG').read_bytes()
    with pytest.raises(excitons.UnreadableExcitonsError):
        excitons.parse_eigenstates(content[:length])


def test_eigenvectors_are_orthonormal(case_folder):
    states = excitons.parse_eigenstates((case_folder(CASE) / 'out_BSEIG').read_bytes())
    overlaps = states.amplitudes.conj() @ states.amplitudes.T
    assert overlaps == pytest.approx(np.eye(72), abs=1e-12)


def test_corrections_file():
    text = render([[0, 0, 0.5]], [[1.0, 2.0]], [[-0.1, 0.2]], first_band=3)
    rows = [line.split() for line in text.splitlines()]
    assert rows[0] == ['1', '1']
    assert [float(value) for value in rows[1]] == [0, 0, 0.5]
    assert rows[2] == ['2']
    assert [[float(value) for value in row] for row in rows[3:]] == [[3, 0.9, -0.1, 0], [4, 2.2, 0.2, 0]]


@pytest.mark.parametrize('shift', [np.nan, np.inf])
def test_corrections_that_are_no_numbers(shift):
    with pytest.raises(ValueError, match='not finite'):
        render([[0, 0, 0]], [[1.0]], [[shift]])


def test_corrections_and_the_variable_that_reads_them():
    check_quasiparticle_file({'BS_CALCTYPE': 2}, given=True)
    check_quasiparticle_file({'bs_calctype': 1}, given=False)
    with pytest.raises(InputError, match='which is missing'):
        check_quasiparticle_file({'bs_calctype': 2}, given=False)
    with pytest.raises(InputError, match='ABINIT would not read it'):
        check_quasiparticle_file({}, given=True)


def test_a_mesh_without_symmetry_is_refused():
    check_parameters({'ecut': 4, 'optdriver': 4, 'chksymbreak': 0})
    with pytest.raises(InputError, match='splits degenerate excitons'):
        check_parameters({'ecut': 4, 'optdriver': 99, 'chksymbreak': 0})
