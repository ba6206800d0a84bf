"""``aiida-foundry plot`` draws what the outputs hold."""

from __future__ import annotations

import pytest

from aiida_foundry.cli.figures import plot_gaps
from aiida_foundry.cli.results import gap_records, material_of


@pytest.mark.parametrize(('suffix', 'magic'), [('png', b'\x89PNG'), ('pdf', b'%PDF'), ('svg', b'<?xml')])
def test_files(invoke, variants_node, tmp_path, suffix, magic):
    path = tmp_path / f'gaps.{suffix}'
    result = invoke('plot', variants_node.pk, '-o', path)
    assert result.exit_code == 0, result.output
    assert path.read_bytes().startswith(magic)


def test_several_files_at_once(invoke, gap_node, tmp_path):
    paths = [tmp_path / 'a.png', tmp_path / 'a.pdf']
    result = invoke('plot', gap_node.pk, '-o', paths[0], '-o', paths[1])
    assert result.output.split() == ['wrote', str(paths[0]), 'wrote', str(paths[1])]
    assert all(path.stat().st_size > 1000 for path in paths)


def test_name_of_the_file_by_default(invoke, gap_node, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert invoke('plot', gap_node.pk).exit_code == 0
    assert (tmp_path / f'gaps-{gap_node.pk}.png').is_file()


def test_figure_shows_every_number(variants_node):
    axes = plot_gaps(gap_records(variants_node), material_of(variants_node)).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ['Kohn–Sham', '$G_0W_0$\nplasmon pole', 'QS$GW$']
    direct, indirect, experiment = axes.get_lines()
    assert list(direct.get_ydata()) == [2.443, 3.058, 3.172]
    assert list(indirect.get_ydata()) == pytest.approx([0.743, 1.358, 1.472])
    assert list(experiment.get_ydata()) == [1.17, 1.17]
    assert {text.get_text() for text in axes.texts} >= {'3.06', '3.17', '1.36'}


def test_indirect_gap_off_the_mesh_is_labelled_so(gap_node):
    figure = plot_gaps(gap_records(gap_node), material_of(gap_node))
    assert 'indirect,\non the mesh' in [text.get_text() for text in figure.legends[0].get_texts()]


def test_process_without_gaps(invoke, failed_node, tmp_path):
    result = invoke('plot', failed_node.pk, '-o', tmp_path / 'x.png')
    assert result.exit_code == 2
    assert 'has no gaps among its outputs' in result.output


def test_unknown_format(invoke, gap_node, tmp_path):
    result = invoke('plot', gap_node.pk, '-o', tmp_path / 'gaps.gif')
    assert result.exit_code == 2
    assert 'Use one of .png, .pdf, .svg' in result.output


def test_different_materials(invoke, gap_node, diamond_gap_node, tmp_path):
    result = invoke('plot', gap_node.pk, diamond_gap_node.pk, '-o', tmp_path / 'x.png')
    assert result.exit_code == 2
    assert 'C (Fd-3m), Si (Fd-3m)' in result.output
