"""Calculations that failed, for the tests of restart wrappers."""

from __future__ import annotations

import pytest
from aiida import orm
from aiida.common import LinkType
from aiida.plugins.entry_point import get_entry_point_from_class


@pytest.fixture
def failed_as(aiida_localhost):
    """Return a function: a calculation of a class that failed with an exit code, by its label."""

    def build(calculation, label):
        entry_point = get_entry_point_from_class(calculation.__module__, calculation.__name__)[1].name
        node = orm.CalcJobNode(computer=aiida_localhost, process_type=f'aiida.calculations:{entry_point}').store()
        folder = orm.RemoteData(remote_path='/scratch/child', computer=aiida_localhost)
        folder.base.links.add_incoming(node, LinkType.CREATE, 'remote_folder')
        folder.store()
        code = calculation.exit_codes[label]
        node.set_process_state('finished')
        node.set_exit_status(code.status)
        node.set_exit_message(code.message)
        return node

    return build
