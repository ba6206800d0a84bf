"""Parser of Berry-phase runs: the phases, and runs that pw.x calls done but that are not."""

from __future__ import annotations

import pytest
from aiida_quantumespresso.calculations.pw import PwCalculation

from aiida_foundry.engines.pw.berry.parser import BerryPwParser

CODES = PwCalculation.exit_codes


def test_phases_are_among_the_output_parameters(make_berry):
    results, run = BerryPwParser.parse_from_node(make_berry('berry_lih'), store_provenance=False)
    assert run.exit_status == 0
    assert len(results['output_parameters']['berry_phase']['phases'][0]) == 9


def test_unconverged_bands_are_an_error(make_berry):
    """pw.x only warns where fewer bands are left than it allows itself."""
    text = make_berry('berry_lih').outputs.retrieved.base.repository.get_object_content('aiida.out')
    marked = text.replace('     End of band', '     c_bands:  1 eigenvalues not converged\n     End of band')
    assert marked != text
    node = make_berry('berry_lih', {'aiida.out': marked.encode()})
    _, run = BerryPwParser.parse_from_node(node, store_provenance=False)
    assert run.exit_status == CODES.ERROR_DIAGONALIZATION_TOO_MANY_BANDS_NOT_CONVERGED.status


def test_run_without_berry_phase(make_berry):
    xml = make_berry('berry_lih').outputs.retrieved.base.repository.get_object_content('data-file-schema.xml')
    start, end = xml.rindex('<electric_field>'), xml.rindex('</electric_field>') + 17
    node = make_berry('berry_lih', {'data-file-schema.xml': (xml[:start] + xml[end:]).encode()})
    _, run = BerryPwParser.parse_from_node(node, store_provenance=False)
    assert run.exit_status == CODES.ERROR_OUTPUT_XML_PARSE.status


@pytest.mark.parametrize(
    ('case', 'old', 'new', 'message'),
    [
        ('berry_lih', b'0.0000     0.92712', b'0.0000     0.92812', 'phases of strings'),
        ('berry_lih_spin', b'0.5000     0.41435', b'0.5000         NaN', 'phases of strings'),
        ('berry_lih', b'Ionic Phase: -0.44000', b'Ionic Phase: -0.43000', 'ionic phase'),
    ],
)
def test_contradictions(make_berry, case, old, new, message):
    """Strings and phases stand in standard output too, with fewer digits."""
    content = make_berry(case).outputs.retrieved.base.repository.get_object_content('aiida.out', 'rb')
    assert old in content
    node = make_berry(case, {'aiida.out': content.replace(old, new)})
    _, run = BerryPwParser.parse_from_node(node, store_provenance=False)
    assert run.exit_status == CODES.ERROR_UNEXPECTED_PARSER_EXCEPTION.status
    assert message in run.exit_message


@pytest.mark.parametrize(
    ('files', 'label'),
    [
        ({'data-file-schema.xml': b'<espresso'}, 'ERROR_OUTPUT_XML_PARSE'),
        ({'aiida.out': b''}, 'ERROR_OUTPUT_STDOUT_INCOMPLETE'),
    ],
)
def test_damaged_output(make_berry, files, label):
    _, run = BerryPwParser.parse_from_node(make_berry('berry_lih', files), store_provenance=False)
    assert run.exit_status == CODES[label].status
