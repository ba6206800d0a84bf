"""``aiida-foundry provenance`` draws the graph that the profile holds."""

from __future__ import annotations

import re

import pytest


def test_graph_reaches_structure_and_results(invoke, gap_node, silicon, tmp_path):
    path = tmp_path / 'graph.svg'
    result = invoke('provenance', gap_node.pk, '-o', path)
    assert result.exit_code == 0, result.output
    names = set(re.findall(r'<title>N(\d+)</title>', path.read_text()))
    gaps = gap_node.outputs.gaps
    assert {str(node.pk) for node in (gap_node, silicon, gaps, gaps.creator)} <= names


def test_ancestors_only(invoke, gap_node, silicon, tmp_path):
    path = tmp_path / 'graph.svg'
    invoke('provenance', gap_node.pk, '--ancestors', '-o', path)
    names = set(re.findall(r'<title>N(\d+)</title>', path.read_text()))
    assert names == {str(gap_node.pk), str(silicon.pk)}


def test_name_of_the_file_by_default(invoke, gap_node, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert invoke('provenance', gap_node.uuid).exit_code == 0
    assert (tmp_path / f'provenance-{gap_node.pk}.svg').is_file()


def test_missing_dot(invoke, gap_node, tmp_path, monkeypatch):
    monkeypatch.setenv('PATH', str(tmp_path))
    result = invoke('provenance', gap_node.pk, '-o', tmp_path / 'graph.svg')
    assert result.exit_code == 2
    assert 'executable `dot`' in result.output
    assert 'graphviz' in result.output


@pytest.mark.parametrize('name', ['graph.txt', 'graph'])
def test_unknown_format(invoke, gap_node, tmp_path, name):
    assert invoke('provenance', gap_node.pk, '-o', tmp_path / name).exit_code == 2


def test_account_in_words(invoke, gap_node, silicon, tmp_path):
    path = tmp_path / 'graph.svg'
    result = invoke('provenance', gap_node.outputs.gaps.uuid, '-o', path)
    assert result.output == f'wrote {path} and {path.with_suffix(".md")}\n'
    text = path.with_suffix('.md').read_text()
    assert f'Made by AbinitGwGapWorkChain {gap_node.uuid}.' in text
    assert f'Si2, 2 atoms, structure {silicon.uuid}' in text
    assert '- gaps.quasiparticle.direct: 3.058' in text


def test_account_of_data_that_no_process_made(invoke, silicon, tmp_path):
    path = tmp_path / 'graph.svg'
    invoke('provenance', silicon.pk, '-o', path)
    assert 'no process made it' in path.with_suffix('.md').read_text()
