"""Berry phase in the main output of a real run, and its parser."""

from __future__ import annotations

import pytest

from aiida_foundry.engines.abinit.calculation import AbinitCalculation
from aiida_foundry.engines.abinit.parse_raw.berry import parse_berry_phase
from aiida_foundry.engines.abinit.parser import AbinitParser


def test_phase_of_silicon(case_folder):
    """Silicon has an inversion centre: the electronic phase is zero; `Electronic Berry phase -6.040755582E-06`."""
    found = parse_berry_phase((case_folder('berry') / 'aiida.abo').read_text())
    assert found['phases'] == [[pytest.approx(-6.040755582e-06 / 2)]]
    assert found['ionic_phase'] == -1.0
    assert found['step'] == [0.0, 0.0, 0.25]


def test_output_without_phase(case_folder):
    assert parse_berry_phase((case_folder('nscf') / 'aiida.abo').read_text()) is None


def test_phase_is_among_the_output_parameters(calcjob_node):
    results, run = AbinitParser.parse_from_node(calcjob_node('berry'), store_provenance=False)
    assert run.exit_status == 0
    assert results['output_parameters']['berry_phase']['weights'] == [[1.0]]


def test_run_that_lacks_its_phase(calcjob_node, case_folder):
    text = (case_folder('berry') / 'aiida.abo').read_text().replace('Electronic Berry phase', '')
    node = calcjob_node('berry', files={'aiida.abo': text.encode()})
    _, run = AbinitParser.parse_from_node(node, store_provenance=False)
    assert run.exit_status == AbinitCalculation.exit_codes.ERROR_OUTPUT_INCOMPLETE.status
