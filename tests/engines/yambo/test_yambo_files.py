"""Files of jobs of `foundry.yambo` and `foundry.p2y`: what is damaged or of another run is no result."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from aiida_foundry.engines.yambo.exit_codes import EXIT_CODES
from aiida_foundry.engines.yambo.parse_raw.consistency import energy_in_hartree
from aiida_foundry.engines.yambo.parser import P2yParser, YamboParser

FIXTURES = Path(__file__).parents[2] / 'fixtures' / 'yambo'


def read_case(case):
    """Return the files of a run by name."""
    folder = FIXTURES / case / 'results'
    return {path.name.removesuffix('.gz'): gzip.decompress(path.read_bytes()) for path in folder.iterdir()}


@pytest.fixture
def parse(calculation):
    """Return a function that parses files as those of a run, and returns outputs and label of the exit code."""

    def _parse(case, files):
        crystal = case.partition('_')[0]
        parser, plugin, parameters = P2yParser, 'foundry.p2y', {}
        if not case.endswith('p2y'):
            parser, plugin = YamboParser, 'foundry.yambo'
            parameters = json.loads((FIXTURES / case / 'parameters.json').read_text())
        setup, given = read_case(f'{crystal}_p2y')['ns.db1'], FIXTURES / case / 'ndb.QP.gz'
        database = gzip.decompress(given.read_bytes()) if given.is_file() else None
        node, folder = calculation(files, parameters, database, setup=setup, plugin=plugin)
        results, process = parser.parse_from_node(node, store_provenance=False, retrieved_temporary_folder=folder)
        labels = {status: label for label, (status, _) in EXIT_CODES.items()}
        return results, labels.get(process.exit_status)

    return _parse


def test_import(parse):
    """Γ, four L and three X of the mesh 2×2×2; the gap in the report is that of the energies."""
    results, _ = parse('silicon_p2y', read_case('silicon_p2y'))
    _, weights = results['output_bands'].get_kpoints(also_weights=True)
    assert weights == pytest.approx([1 / 8, 4 / 8, 3 / 8])
    energies, summary = results['output_bands'].get_bands(), results['output_parameters'].get_dict()
    assert summary['filled_bands'] == 4
    gap = np.min(energies[:, 4] - energies[:, 3])
    assert summary['kohn_sham']['direct_gap'] == pytest.approx(gap, abs=1e-5)


def test_dielectric_constant_is_that_of_the_spectrum(parse):
    """The Hartree kernel on the energies of the screening would have this ε(0): a scissor of 0.7 eV lowers it."""
    results, _ = parse('silicon_screening', read_case('silicon_screening'))
    constant = results['output_parameters']['dielectric_constant_with_local_fields']
    spectrum = parse('silicon_rpa', read_case('silicon_rpa'))[0]['output_spectrum']
    assert 1 < spectrum.get_array('excitonic')[0].real < constant


@pytest.mark.parametrize(
    ('case', 'damaged'),
    [('silicon_p2y', 'ns.db1'), ('silicon_gw', 'o-run.qp'), ('silicon_bse', 'ndb.BS_diago_Q1')],
)
def test_checksums(parse, case, damaged):
    files = read_case(case)
    names = [f'run/{name}' if name.startswith('ndb') else name for name in files]
    lines = [f'{hashlib.sha256(files[Path(name).name]).hexdigest()}  {name}\n' for name in names]
    files['checksums.sha256'] = ''.join(lines).encode()
    assert parse(case, files)[1] is None
    assert parse(case, files | {damaged: files[damaged][:-1] + b'?'})[1] == 'ERROR_FILES_DAMAGED'


@pytest.mark.parametrize(
    ('run', 'name', 'label'),
    [
        ('p2y', 'ns.db1', 'ERROR_OUTPUT_INCONSISTENT'),
        ('p2y', 'r_setup', 'ERROR_OUTPUT_INCONSISTENT'),
        ('screening', 'ndb.pp_fragment_1', 'ERROR_RESULTS_UNREADABLE'),
        ('gw', 'ndb.QP', 'ERROR_OUTPUT_INCONSISTENT'),
        ('gw', 'o-run.qp', 'ERROR_OUTPUT_INCONSISTENT'),
        ('bse', 'ndb.BS_diago_Q1', 'ERROR_OUTPUT_INCONSISTENT'),
        ('haydock', 'o-run.eps_q1_haydock_bse', 'ERROR_OUTPUT_INCONSISTENT'),
        ('bse', 'r-run_optics_dipoles_bss_bse_em1d_ppa', 'ERROR_QUASIPARTICLE_GAP'),
    ],
)
def test_files_of_another_run(parse, run, name, label):
    """Of aluminium phosphide, by an engine that wrote checksums that fit."""
    files = read_case(f'silicon_{run}')
    assert parse(f'silicon_{run}', files | {name: read_case(f'AlP_{run}')[name]})[1] == label


def test_haydock_whose_log_is_cut(parse):
    files = read_case('silicon_haydock')
    name = next(name for name in files if name.startswith('l-'))
    for content in (b'', files[name][: files[name].index(b'Game Over')]):
        assert parse('silicon_haydock', files | {name: content})[1] == 'ERROR_RESULTS_UNREADABLE'


@pytest.mark.parametrize(
    ('value', 'unit'), [(1.0, 'Ha'), (2.0, 'Ry'), (27.211386, 'eV'), (27211.386, 'meV'), (1e3, 'mHa')]
)
def test_energy_in_hartree(value, unit):
    assert energy_in_hartree({'value': value, 'unit': unit}) == pytest.approx(1.0, rel=1e-7)
