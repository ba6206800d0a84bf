from __future__ import annotations

from importlib.metadata import entry_points

import pytest

from aiida_foundry.setup.engines import ENGINES, REQUIRED, by_name, programs


def test_names_and_labels_are_unique():
    names = [executable.name for engine in ENGINES for executable in engine.executables]
    labels = [executable.label for executable in by_name().values()]
    assert len(set(names)) == len(names)
    assert len(set(labels)) == len(labels)


def test_default_plugins_exist():
    plugins = {entry_point.name for entry_point in entry_points(group='aiida.calculations')}
    assert {executable.plugin for _, executable in programs()} - {None} <= plugins


def test_required_programs_are_codes_with_a_plugin():
    assert all(by_name()[name].plugin for name in REQUIRED)


def test_every_engine_says_where_it_comes_from():
    assert all(engine.sources for engine in ENGINES)


@pytest.mark.parametrize('name', ['pw.x', 'kcw.x', 'abinit', 'optic', 'mrgscr', 'wannier90.x', 'postw90.x', 'yambo'])
def test_label(name):
    assert by_name()[name].label == name.removesuffix('.x')
