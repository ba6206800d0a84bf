"""The superlattices of ``workchains/interfaces/oxide-gas`` can be submitted as they are."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / 'workchains/interfaces/oxide-gas'


@pytest.mark.parametrize('name', ['SMALL', 'STRINGENT'])
def test_builder(aiida_code_installed, pbe_family, name):
    """Half a charge at each interface (Nakagawa et al., Nature Mater. 5, 204 (2006)); the cost is as estimated."""
    script = runpy.run_path(str(FOLDER / 'submit.py'))
    codes = [
        aiida_code_installed(
            label=code, default_calc_job_plugin=f'quantumespresso.{code}', filepath_executable='/bin/true'
        )
        for code in ('pw', 'pp')
    ]
    builder = script['builder_of'](*codes, script[name])
    assert abs(builder.parameters['polar_charge']) == pytest.approx(0.5)
    steps = {step['step']: step['core_seconds'] for step in script['estimate'](builder)}
    assert ('relaxation' in steps) == (name == 'STRINGENT')
    if name == 'SMALL':
        assert 231 / 2 < steps['heterostructure'] < 231 * 2
