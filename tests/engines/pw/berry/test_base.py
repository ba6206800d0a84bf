"""Remedies for a diagonalisation that fails."""

from __future__ import annotations

import pytest
from aiida import orm
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager

from aiida_foundry.engines.pw.berry.base import BerryPwBaseWorkChain


@pytest.fixture
def process(aiida_code_installed, pbe_family):
    """Return a process that is set up."""
    structure = orm.StructureData(cell=[[0, 2.7, 2.7], [2.7, 0, 2.7], [2.7, 2.7, 0]])
    for shift in (0, 1.35):
        structure.append_atom(position=(shift,) * 3, symbols='Si')
    kpoints = orm.KpointsData()
    kpoints.set_kpoints_mesh([2, 2, 2])
    pw = {
        'code': aiida_code_installed(default_calc_job_plugin='quantumespresso.pw', filepath_executable='/bin/true'),
        'structure': structure,
        'pseudos': pbe_family.get_pseudos(structure=structure),
        'parameters': orm.Dict({'CONTROL': {'calculation': 'nscf'}, 'SYSTEM': {'ecutwfc': 20.0}}),
        'metadata': {'options': {'resources': {'num_machines': 1}}},
    }
    made = instantiate_process(get_manager().get_runner(), BerryPwBaseWorkChain, pw=pw, kpoints=kpoints)
    made.setup()
    return made


@pytest.fixture
def failed(aiida_localhost):
    """Return a calculation in which the diagonalisation failed."""
    node = orm.CalcJobNode(computer=aiida_localhost, process_type='aiida.calculations:quantumespresso.pw')
    node.store()
    node.set_exit_status(463)
    return node


def test_algorithms_are_tried_in_turn(process, failed):
    for expected in ('cg', 'ppcg'):
        report = process.handle_diagonalization_errors(failed)
        assert report.do_break
        assert report.exit_code.status == 0
        assert process.ctx.inputs.parameters['ELECTRONS']['diagonalization'] == expected
    report = process.handle_diagonalization_errors(failed)
    assert report.exit_code == process.exit_codes.ERROR_KNOWN_UNRECOVERABLE_FAILURE


def test_what_the_user_chose_is_not_tried_again(process, failed):
    process.ctx.inputs.parameters['ELECTRONS']['diagonalization'] = 'cg'
    for expected in ('david', 'ppcg'):
        process.handle_diagonalization_errors(failed)
        assert process.ctx.inputs.parameters['ELECTRONS']['diagonalization'] == expected


def test_handlers_of_the_base_are_there(process):
    names = {handler.__name__ for handler in process.get_process_handlers()}
    assert {
        'handle_diagonalization_errors',
        'handle_electronic_convergence_not_reached',
        'handle_out_of_walltime',
    } <= names
