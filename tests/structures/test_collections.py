"""Folders of structure files, OPTIMADE files, and an OPTIMADE server on the loopback interface."""

from __future__ import annotations

import json
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from pymatgen.core import Lattice, Species, Structure

from aiida_foundry.common.errors import InputError
from aiida_foundry.structures.collections import (
    Entry,
    archive_resources,
    fetch_optimade,
    read_archive,
    read_folder,
    resource_formula,
    write_archive,
)

ROCKSALT = [[0, 0, 0], [1 / 2, 1 / 2, 1 / 2]]


def magnesia() -> Structure:
    return Structure(Lattice(2.1055 * np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])), ['Mg', 'O'], ROCKSALT)


def test_folder(tmp_path):
    (tmp_path / 'oxides').mkdir()
    decorated = magnesia().add_oxidation_state_by_element({'Mg': 2, 'O': -2})
    decorated.to(filename=str(tmp_path / 'oxides' / 'MgO.cif'))
    magnesia().to(filename=str(tmp_path / 'POSCAR'), fmt='poscar')
    (tmp_path / 'broken.cif').write_text('data_nothing\n')
    (tmp_path / 'notes.txt').write_text('no structure')
    found = list(read_folder(tmp_path))
    assert [entry.name for entry in found] == ['POSCAR', 'broken.cif', 'oxides/MgO.cif']
    assert found[0].structure.composition.reduced_formula == 'MgO'
    assert 'not a readable CIF' in found[1].reason
    assert {site.specie for site in found[2].structure} == {Species('Mg', 2), Species('O', -2)}


def test_no_folder_and_empty_folder(tmp_path):
    with pytest.raises(InputError, match='does not exist'):
        list(read_folder(tmp_path / 'nowhere'))
    with pytest.raises(InputError, match='no structure files'):
        list(read_folder(tmp_path))


def test_archive_keeps_everything():
    structure = magnesia().add_oxidation_state_by_element({'Mg': 2, 'O': -2})
    structure.add_site_property('magmom', [1.5, -1.5])
    text = write_archive([Entry('one', structure), Entry('bad', None, 'it is broken'), Entry('two', magnesia())])
    one, bad, two = read_archive(text)
    assert one.structure.matches(structure, anonymous=False)
    assert [site.specie.oxi_state for site in one.structure] == [2, -2]
    assert one.structure.site_properties['magmom'] == [1.5, -1.5]
    np.testing.assert_allclose(one.structure.frac_coords, structure.frac_coords, atol=1e-12)
    assert (bad.structure, bad.reason) == (None, 'it is broken')
    assert getattr(two.structure[0].specie, 'oxi_state', None) is None
    assert write_archive([one, bad, two]) == text


def test_archive_of_nothing_or_of_one_name_twice():
    with pytest.raises(InputError, match='none'):
        write_archive([])
    with pytest.raises(InputError, match='two crystals'):
        write_archive([Entry('one', magnesia()), Entry('one', magnesia())])
    with pytest.raises(InputError, match='no structures'):
        list(read_archive('{"x-optimade": {}}\n'))
    with pytest.raises(InputError, match='line 2'):
        list(read_archive('{"x-optimade": {}}\nno json\n'))


def resource(name: str, **changes: object) -> dict:
    """Return a resource object as in the OPTIMADE specification 1.2, section 5.2."""
    attributes = {
        'lattice_vectors': magnesia().lattice.matrix.tolist(),
        'cartesian_site_positions': magnesia().cart_coords.tolist(),
        'species': [
            {'name': 'Mg1', 'chemical_symbols': ['Mg'], 'concentration': [1.0]},
            {'name': 'O1', 'chemical_symbols': ['O'], 'concentration': [1.0]},
        ],
        'species_at_sites': ['Mg1', 'O1'],
        'structure_features': [],
        'dimension_types': [1, 1, 1],
    }
    return {'type': 'structures', 'id': name, 'attributes': {**attributes, **changes}}


OXYGEN = {'name': 'O1', 'chemical_symbols': ['O'], 'concentration': [1.0]}
MIXED = {'name': 'Mg1', 'chemical_symbols': ['Mg', 'Ca'], 'concentration': [0.5, 0.5]}
UNKNOWN = {'name': 'Mg1', 'chemical_symbols': ['X'], 'concentration': [1.0]}


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'dimension_types': [1, 1, 0]}, 'periodic along 2'),
        ({'structure_features': ['disorder']}, 'disorder'),
        ({'structure_features': ['implicit_atoms']}, 'implicit_atoms'),
        ({'species': [MIXED, OXYGEN]}, 'Mg, Ca'),
        ({'species': [UNKNOWN, OXYGEN]}, 'with X'),
        ({'lattice_vectors': None}, 'incomplete'),
        ({'cartesian_site_positions': [[0, 0, 0], [0, 0, 0.3]]}, 'overlap'),
    ],
)
def test_entries_that_cannot_be_used(changes, words):
    (entry,) = read_archive(json.dumps(resource('it', **changes)))
    assert entry.structure is None
    assert words in entry.reason


def test_formula_of_a_resource():
    (found,) = archive_resources(json.dumps(resource('it')))
    assert resource_formula(found) == 'MgO'


class Provider(BaseHTTPRequestHandler):
    """Five structures in pages of two; refuses every filter but one."""

    def do_GET(self):
        address = urllib.parse.urlsplit(self.path)
        asked = urllib.parse.parse_qs(address.query)
        if address.path != '/optimade/v1/structures':
            return self.answer(404, {'errors': [{'detail': 'no such endpoint'}]})
        if asked.get('filter', ['']) not in ([''], ['elements HAS "O"']):
            return self.answer(400, {'errors': [{'detail': 'cannot parse the filter'}]})
        assert 'lattice_vectors' in asked['response_fields'][0]
        start = int(asked.get('page_offset', ['0'])[0])
        data = [resource(f'mg-{number}') for number in range(start, min(start + 2, 5))]
        following = None
        if start + 2 < 5:
            same = {key: value[0] for key, value in asked.items()}
            query = urllib.parse.urlencode({**same, 'page_offset': start + 2})
            following = f'http://{self.headers["Host"]}{address.path}?{query}'
        # both forms of a link that the specification allows
        return self.answer(200, {'data': data, 'links': {'next': {'href': following} if start else following}})

    def answer(self, status, content):
        self.send_response(status)
        self.send_header('Content-Type', 'application/vnd.api+json')
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *_):
        pass


@pytest.fixture(scope='module')
def server():
    """Return the address of a provider."""
    with ThreadingHTTPServer(('127.0.0.1', 0), Provider) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{running.server_address[1]}/optimade'
        running.shutdown()


@pytest.mark.parametrize('ending', ['', '/', '/v1', '/v1/structures'])
def test_all_pages_of_a_server(server, ending):
    found = list(fetch_optimade(f'{server}{ending}', 'elements HAS "O"'))
    assert [entry.name for entry in found] == [f'mg-{number}' for number in range(5)]
    assert found[0].structure.composition.reduced_formula == 'MgO'


def test_limit(server):
    assert len(list(fetch_optimade(server, limit=3))) == 3


@pytest.mark.parametrize(
    ('address', 'query', 'words'),
    [
        ('{server}', 'nonsense', 'answers 400: cannot parse the filter'),
        ('{server}/other', '', 'answers 404: no such endpoint'),
        ('ftp://example.org', '', 'no address of the web'),
        ('http://127.0.0.1:1', '', 'no usable answer'),
    ],
)
def test_server_that_refuses(server, address, query, words):
    with pytest.raises(InputError, match=words):
        list(fetch_optimade(address.format(server=server), query))
