"""The parser with a shared schema gives what the parser of aiida-quantumespresso gives."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.plugins import ParserFactory, WorkflowFactory
from aiida_quantumespresso.calculations.pw import PwCalculation
from aiida_quantumespresso.parsers.parse_xml import parse
from xmlschema import XMLSchema

from aiida_foundry.engines.pw.options import checked_options
from aiida_foundry.engines.pw.parser import SharedSchemaPwParser, read_schema

FIXTURES = Path(__file__).parents[2] / 'fixtures' / 'pw'


def contents(node):
    """Return what a data node holds."""
    if isinstance(node, orm.Dict):
        return node.get_dict()
    return {name: node.get_array(name).tolist() for name in node.get_arraynames()} | node.base.attributes.all


@pytest.mark.parametrize('case', ['si', 'al'])
def test_same_outputs_as_upstream(make_calculation, case):
    node = make_calculation(case)
    ours, our_run = SharedSchemaPwParser.parse_from_node(node, store_provenance=False)
    theirs, their_run = ParserFactory('quantumespresso.pw').parse_from_node(node, store_provenance=False)
    assert our_run.exit_status == their_run.exit_status == 0
    assert sorted(ours) == sorted(theirs) == ['output_band', 'output_parameters', 'output_trajectory']
    for label in ours:
        assert contents(ours[label]) == contents(theirs[label]), label


def test_values_are_those_of_the_output(make_calculation):
    results, _ = SharedSchemaPwParser.parse_from_node(make_calculation('si'), store_provenance=False)
    # `!    total energy              =     -15.83359512 Ry` in tests/fixtures/pw/si/aiida.out; 1 Ry of CODATA 2018
    assert results['output_parameters']['energy'] == pytest.approx(-15.83359512 * 13.605693123, abs=1e-4)
    assert np.shape(results['output_band'].get_bands()) == (8, 4)


def test_schema_is_built_once(make_calculation):
    read_schema.cache_clear()
    for case in ('si', 'al', 'si'):
        SharedSchemaPwParser.parse_from_node(make_calculation(case), store_provenance=False)
    assert read_schema.cache_info().misses == 1
    assert read_schema.cache_info().hits == 2
    assert parse.XMLSchema is XMLSchema


@pytest.mark.parametrize(
    ('xml', 'label'),
    [(b'<espresso', 'ERROR_OUTPUT_XML_PARSE'), (b'<espresso a="1"/>', 'ERROR_OUTPUT_XML_PARSE')],
)
def test_broken_xml_is_an_error(make_calculation, xml, label):
    node = make_calculation('si', {'data-file-schema.xml': xml})
    _, run = SharedSchemaPwParser.parse_from_node(node, store_provenance=False)
    assert run.exit_status == node.process_class.exit_codes[label].status
    assert parse.XMLSchema is XMLSchema


def test_entry_point():
    assert ParserFactory('foundry.pw') is SharedSchemaPwParser


@pytest.mark.engine
def test_silicon_with_fixed_occupations_runs_once(engine_codes, make_calculation, pbe_family):
    """The base work chain of aiida-quantumespresso with our parser: no second run for the band occupations."""
    given = make_calculation('si').inputs
    builder = WorkflowFactory('quantumespresso.pw.base').get_builder()
    builder.kpoints = given.kpoints
    builder.pw.code = engine_codes['pw']
    builder.pw.structure = given.structure
    builder.pw.pseudos = pbe_family.get_pseudos(structure=given.structure)
    builder.pw.parameters = orm.Dict(
        {
            'CONTROL': {'calculation': 'scf'},
            'SYSTEM': {'ecutwfc': 16.0, 'ecutrho': 64.0, 'occupations': 'fixed'},
            'ELECTRONS': {'conv_thr': 1e-8},
        }
    )
    builder.pw.metadata.options = {
        'resources': {'num_machines': 1, 'num_mpiprocs_per_machine': 1},
        'withmpi': False,
        'parser_name': 'foundry.pw',
    }
    results, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    assert len(node.called) == 1
    text = node.called[0].outputs.retrieved.base.repository.get_object_content('aiida.out')
    printed = float(re.search(r'^!\s+total energy\s+=\s+(\S+) Ry', text, re.MULTILINE)[1])
    assert results['output_parameters']['energy'] == pytest.approx(printed * 13.605693123, abs=1e-4)


@pytest.mark.parametrize(
    ('name', 'old', 'new', 'reason'),
    [
        ('data-file-schema.xml', b'<etot>-7.9', b'<etot>-7.8', 'differ in total energy'),
        ('data-file-schema.xml', b'<nelec>8', b'<nelec>6', 'differ in number of electrons'),
        ('data-file-schema.xml', b'evel>2.24', b'evel>2.25', 'differ in Fermi energy'),
        ('aiida.out', b'-5.8494', b'-5.8594', 'differ in eigenvalues'),
        ('aiida.out', b'total energy', b'total \xb0nergy', None),
    ],
)
def test_contradictions_and_strange_bytes(make_calculation, name, old, new, reason):
    content = (FIXTURES / 'si' / name).read_bytes()
    assert old in content
    _, run = SharedSchemaPwParser.parse_from_node(
        make_calculation('si', {name: content.replace(old, new)}), store_provenance=False
    )
    assert run.exit_status == PwCalculation.exit_codes.ERROR_UNEXPECTED_PARSER_EXCEPTION.status
    assert (reason or 'UnicodeDecodeError') in run.exit_message


def test_nan_is_no_result(make_calculation):
    """aiida-quantumespresso attaches it, and AiiDA then fails to store the node."""
    content = (FIXTURES / 'si' / 'aiida.out').read_bytes()
    damaged = content.replace(b'contribution =       4.65619451', b'contribution =              NaN')
    assert damaged != content
    outputs, run = SharedSchemaPwParser.parse_from_node(
        make_calculation('si', {'aiida.out': damaged}), store_provenance=False
    )
    assert run.exit_status == PwCalculation.exit_codes.ERROR_UNEXPECTED_PARSER_EXCEPTION.status
    assert 'output_parameters' not in outputs


@pytest.mark.parametrize(
    ('name', 'old', 'new', 'reason'),
    [
        ('data-file-schema.xml', b'ks_energies', b'seigrene_sk', 'invalid: /'),
        ('data-file-schema.xml', b'>fixed<', b'>dexif<', 'invalid: occupations'),
        ('aiida.out', b'one-electron', b'norutcele', 'invalid: energy_one_electron'),
    ],
)
def test_what_is_left_out_is_an_error(make_calculation, name, old, new, reason):
    """aiida-quantumespresso leaves it out and calls that a success."""
    content = (FIXTURES / 'si' / name).read_bytes()
    assert old in content
    node = make_calculation('si', {name: content.replace(old, new)})
    _, run = SharedSchemaPwParser.parse_from_node(node, store_provenance=False)
    assert run.exit_status == PwCalculation.exit_codes.ERROR_UNEXPECTED_PARSER_EXCEPTION.status
    assert reason in run.exit_message


def test_checksums_are_those_of_a_real_shell(make_calculation, tmp_path):
    options = checked_options({'append_text': 'echo mine > mine.txt', 'withmpi': False})
    assert (options['parser_name'], options['withmpi']) == ('foundry.pw', False)
    files = {name: (FIXTURES / 'si' / name).read_bytes() for name in ('aiida.out', 'data-file-schema.xml')}
    (tmp_path / 'out/aiida.save').mkdir(parents=True)
    (tmp_path / 'aiida.out').write_bytes(files['aiida.out'])
    (tmp_path / 'out/aiida.save/data-file-schema.xml').write_bytes(files['data-file-schema.xml'])
    subprocess.run(['bash', '-e', '-c', options['append_text']], cwd=tmp_path, check=True)
    assert (tmp_path / 'mine.txt').exists()
    sums = {'checksums.sha256': (tmp_path / 'checksums.sha256').read_bytes()}
    _, run = SharedSchemaPwParser.parse_from_node(make_calculation('si', sums), store_provenance=False)
    assert run.exit_status == 0
    for name, content in files.items():
        node = make_calculation('si', {**sums, name: content + b'\n'})
        _, run = SharedSchemaPwParser.parse_from_node(node, store_provenance=False)
        assert run.exit_status == PwCalculation.exit_codes.ERROR_UNEXPECTED_PARSER_EXCEPTION.status
        assert f'{name}: not what the job wrote' in run.exit_message
