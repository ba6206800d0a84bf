"""What workflows with Yambo share."""

from __future__ import annotations

import pytest
from aiida import orm

from aiida_foundry.common.errors import InputError
from aiida_foundry.structures.importers import load_structure
from aiida_foundry.workflows.shared import yambo


@pytest.mark.parametrize(('cutoff', 'number'), [(0.1, 1), (0.57, 9), (0.76, 15), (1.51, 27), (2.07, 51), (3.0, 65)])
def test_plane_waves(aiida_profile, cutoff, number):
    """Shells of silicon as Yambo and ABINIT list them: 562, 750, 1499, 2061, 2249, 2998 mHa at 10.263 bohr."""
    assert yambo.plane_waves_within(load_structure('Si').cell, cutoff) == number


def test_codes(aiida_code_installed):
    code = aiida_code_installed(default_calc_job_plugin='foundry.yambo', filepath_executable='/bin/true')
    codes = {'pw': code, 'p2y': code, 'yambo': code}
    assert yambo.choose_codes({**codes, 'ph': code}) == codes
    with pytest.raises(InputError, match='code `p2y`: it is missing'):
        yambo.choose_codes({'pw': code, 'yambo': code})
    with pytest.raises(InputError, match='Yambo needs three'):
        yambo.choose_codes(code)


def test_states_of_another_code(aiida_profile, aiida_localhost):
    folder = orm.RemoteData(computer=aiida_localhost, remote_path='/nowhere')
    state = {'wavefunctions': folder, 'mesh_bands': orm.BandsData()}
    with pytest.raises(InputError, match='not imported by p2y'):
        yambo.check_states({'ground_state': state}, orm.KpointsData())
