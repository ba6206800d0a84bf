"""The structures of a campaign that are in the profile already."""

from __future__ import annotations

import pytest
from aiida.orm import Group, StructureData
from ase.build import bulk

from aiida_foundry.common.errors import InputError
from aiida_foundry.screening.campaign_file import Structures
from aiida_foundry.screening.sources import iterate_structures


def names_of(group):
    return [structure.uuid for _, structure in iterate_structures(Structures(group=group), lambda *_: None)]


@pytest.mark.parametrize('label', ['solids', 'cafe', '2026'])
def test_group(label, aiida_profile_clean):
    """AiiDA takes what could be the beginning of a UUID, or a number, for that unless it is told that it is a label."""
    silicon = StructureData(ase=bulk('Si')).store()
    Group(label=label).store().add_nodes(silicon)
    assert names_of(label) == [silicon.uuid]


def test_no_group(aiida_profile_clean):
    with pytest.raises(InputError, match='the profile has none'):
        names_of('solids')
