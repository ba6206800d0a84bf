"""The solids of ``workchains/bse/solids`` can be submitted as they are."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import yaml

FOLDER = Path(__file__).parents[2] / 'workchains/bse/solids'
SOLIDS = yaml.safe_load((FOLDER / 'solids.yaml').read_text())['solids']


@pytest.fixture(scope='module')
def script(engine_codes, pbe_family):
    """Return what the script defines, for the codes and the pseudopotentials of the tests."""
    names = runpy.run_path(str(FOLDER / 'submit.py'))
    names['PLAN']['computer'] = 'engines'
    names['PLAN']['overrides']['pseudo_family'] = pbe_family.label
    return names


@pytest.mark.engine
@pytest.mark.parametrize('name', ['MgO', 'GaAs'])
def test_builder(script, name):
    """Koopmans, G0W0 and scissor on one mesh, with the bands that the plan asks for."""
    builder = script['builder_of'](name)
    assert builder.scissor.value == SOLIDS[name]['scissor']
    assert builder.kpoints.get_kpoints_mesh()[0] == [4, 4, 4]
    assert builder.engines.gw.value == 'foundry.gw.abinit'
    assert builder.bse['parameters']['wavefunction_cutoff'] == SOLIDS[name]['overrides']['wavefunction_cutoff']
    assert builder.bse['parameters']['valence_bands'] == 3
    steps = [step['step'] for step in script['estimate'](builder)]
    assert {'ki Bethe-Salpeter equation', 'gw self-energy', 'scissor Bethe-Salpeter equation'} <= set(steps)


def keys(values, path=''):
    """Return the paths of all keys of nested dictionaries."""
    if not isinstance(values, dict):
        return {path}
    return set().union(*(keys(value, f'{path}/{key}') for key, value in values.items()))


@pytest.mark.parametrize('name', SOLIDS)
def test_solids_set_what_the_one_that_is_built_sets(name):
    assert keys(SOLIDS[name]) <= keys(SOLIDS['MgO']) | {
        '/overrides/bse/parameters/screening_cutoff',
        '/overrides/pseudo_family',
    }


def test_folder():
    assert (FOLDER / 'README.md').read_text().startswith('# ')
    assert len((FOLDER / 'submit.py').read_text().splitlines()) <= 60
