"""Outputs and exit codes of the planar parser on files of real runs."""

from __future__ import annotations

import gzip
import subprocess
from pathlib import Path

import pytest
from aiida import orm
from aiida.common import LinkType
from aiida.plugins import ParserFactory
from aiida_quantumespresso.calculations.pp import PpCalculation

from aiida_foundry.engines.pp.parser import planar_options

FIXTURES = Path(__file__).parents[2] / 'fixtures' / 'pp'
PLOTS = {'potential': 11, 'ldos': 3}


def cube(number: int) -> bytes:
    return gzip.decompress((FIXTURES / f'ldos/aiida.filplot{number:03d}aiida.fileout.gz').read_bytes())


@pytest.fixture
def parse(aiida_localhost, tmp_path):
    """Return a function that parses a fixture, some of its files changed or left out (None)."""

    def _parse(case, changes=None):
        node = orm.CalcJobNode(computer=aiida_localhost, process_type='aiida.calculations:quantumespresso.pp')
        node.set_option('resources', {'num_machines': 1, 'num_mpiprocs_per_machine': 1})
        node.set_option('output_filename', 'aiida.out')
        parameters = orm.Dict({'INPUTPP': {'plot_num': PLOTS[case]}, 'PLOT': {'iflag': 3}}).store()
        node.base.links.add_incoming(parameters, LinkType.INPUT_CALC, 'parameters')
        node.store()
        contents = {'aiida.out': (FIXTURES / case / 'aiida.out').read_bytes()}
        for path in (FIXTURES / case).glob('*.gz'):
            contents[path.stem] = gzip.decompress(path.read_bytes())
        contents |= changes or {}
        retrieved = orm.FolderData()
        for name, content in contents.items():
            if content is not None and not name.endswith('fileout'):
                retrieved.base.repository.put_object_from_bytes(content, name)
            elif content is not None:
                (tmp_path / name).write_bytes(content)
        retrieved.base.links.add_incoming(node, LinkType.CREATE, 'retrieved')
        retrieved.store()
        return ParserFactory('foundry.pp.planar').parse_from_node(
            node, store_provenance=False, retrieved_temporary_folder=str(tmp_path)
        )

    return _parse


def test_potential(parse):
    outputs, calculation = parse('potential')
    assert calculation.exit_status == 0
    data = outputs['output_data']
    assert data.get_array('profiles').shape == (1, 16)
    assert data.base.attributes.get('units') == 'Ry'
    assert 'energies' not in data.get_arraynames()


def test_local_densities_of_states(parse):
    data = parse('ldos')[0]['output_data']
    assert data.get_array('profiles').shape == (3, 16)
    assert data.get_array('energies').tolist() == [5.0, 6.0, 7.0]
    assert data.get_array('broadenings').tolist() == [0.3] * 3


def test_checksums_are_those_of_a_real_shell(parse, tmp_path):
    """The options make the job write checksums of all its results; the user's own commands stay."""
    options = planar_options({'append_text': 'echo mine > mine.txt'})
    assert options['additional_retrieve_list'] == ['checksums.sha256']
    job = tmp_path / 'job'
    job.mkdir()
    (job / 'aiida.out').write_bytes((FIXTURES / 'ldos/aiida.out').read_bytes())
    for number in (1, 2, 3):
        (job / f'aiida.filplot{number:03d}aiida.fileout').write_bytes(cube(number))
    subprocess.run(['bash', '-e', '-c', options['append_text']], cwd=job, check=True)
    assert (job / 'mine.txt').exists()
    listing = {'checksums.sha256': (job / 'checksums.sha256').read_bytes()}
    assert len(listing['checksums.sha256'].splitlines()) == 4
    assert parse('ldos', listing)[1].exit_status == 0
    changed = {'aiida.filplot002aiida.fileout': cube(2).replace(b'E-02', b'E-01', 1)}
    assert parse('ldos', listing | changed)[1].exit_status == CODES.ERROR_OUTPUT_DATAFILE_READ.status


CODES = PpCalculation.exit_codes


@pytest.mark.parametrize(
    ('case', 'changes', 'expected'),
    [
        ('potential', {'aiida.out': None}, CODES.ERROR_OUTPUT_STDOUT_MISSING),
        ('potential', {'aiida.out': b'     Program POST-PROC v.6.7MaX starts'}, CODES.ERROR_OUTPUT_STDOUT_INCOMPLETE),
        ('potential', {'aiida.fileout': None}, CODES.ERROR_OUTPUT_DATAFILE_MISSING),
        ('potential', {'aiida.fileout': b''}, CODES.ERROR_OUTPUT_DATAFILE_PARSE),
        ('ldos', {'aiida.filplot003aiida.fileout': None}, CODES.ERROR_OUTPUT_DATAFILE_MISSING),
        ('ldos', {'aiida.filplot003aiida.fileout': cube(2)}, CODES.ERROR_OUTPUT_DATAFILE_PARSE),
        ('ldos', {'aiida.filplot003aiida.fileout': cube(3)[:-1]}, CODES.ERROR_OUTPUT_DATAFILE_PARSE),
        ('ldos', {'aiida.out': (FIXTURES / 'potential/aiida.out').read_bytes()}, CODES.ERROR_OUTPUT_STDOUT_PARSE),
        ('ldos', {'checksums.sha256': b'0' * 64 + b'  aiida.out\n'}, CODES.ERROR_OUTPUT_DATAFILE_READ),
    ],
)
def test_exit_codes(parse, case, changes, expected):
    assert parse(case, changes)[1].exit_status == expected.status
