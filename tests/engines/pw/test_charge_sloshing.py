"""Remedies against charge sloshing, on the stdout of a run that did not converge."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from aiida import orm
from aiida.common import LinkType
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager

from aiida_foundry.engines.pw.charge_sloshing import REMEDIES, PwSloshingBaseWorkChain, scf_accuracies

FIXTURE = Path(__file__).parents[2] / 'fixtures' / 'pw_sloshing' / 'aiida.out.gz'


def stdout() -> str:
    return gzip.decompress(FIXTURE.read_bytes()).decode()


@pytest.fixture
def process_of(aiida_code_installed, pbe_family):
    """Return a function: a process that is set up, with parameters of its own."""

    def _process(electrons=None, system=None):
        structure = orm.StructureData(cell=[[0, 2.7, 2.7], [2.7, 0, 2.7], [2.7, 2.7, 0]])
        structure.append_atom(position=(0, 0, 0), symbols='Si')
        structure.append_atom(position=(1.35, 1.35, 1.35), symbols='Si')
        kpoints = orm.KpointsData()
        kpoints.set_kpoints_mesh([2, 2, 1])
        parameters = {
            'CONTROL': {'calculation': 'scf'},
            'SYSTEM': {'ecutwfc': 20.0, **(system or {})},
            'ELECTRONS': electrons or {},
        }
        pw = {
            'code': aiida_code_installed(default_calc_job_plugin='quantumespresso.pw', filepath_executable='/bin/true'),
            'structure': structure,
            'pseudos': pbe_family.get_pseudos(structure=structure),
            'parameters': orm.Dict(parameters),
            'metadata': {'options': {'resources': {'num_machines': 1}}},
        }
        process = instantiate_process(get_manager().get_runner(), PwSloshingBaseWorkChain, pw=pw, kpoints=kpoints)
        process.setup()
        return process

    return _process


@pytest.fixture
def failed_with(aiida_localhost, tmp_path):
    """Return a function: a calculation that ended with this stdout without convergence."""

    def _failed(text):
        node = orm.CalcJobNode(computer=aiida_localhost, process_type='aiida.calculations:quantumespresso.pw').store()
        retrieved = orm.FolderData()
        retrieved.base.repository.put_object_from_bytes(text.encode(), 'aiida.out')
        remote = orm.RemoteData(computer=aiida_localhost, remote_path=str(tmp_path))
        parameters = orm.Dict({'number_of_bands': 50})
        for label, data in (('retrieved', retrieved), ('remote_folder', remote), ('output_parameters', parameters)):
            data.base.links.add_incoming(node, LinkType.CREATE, label)
            data.store()
        node.set_exit_status(410)
        return node

    return _failed


def test_accuracies_of_a_real_run():
    """Diamond/cBN(111) of 24 atoms, plain mixing: the accuracy grows a hundredfold before it falls."""
    accuracies = scf_accuracies(stdout())
    assert accuracies[:5] == [2.03852818, 1.47183672, 31.94411975, 42.89058772, 195.49699141]
    assert accuracies[-1] == 0.44837777


def test_remedies_in_turn_and_then_it_gives_up(process_of, failed_with):
    process, failed = process_of(system={'occupations': 'smearing'}), failed_with(stdout())
    for remedy in REMEDIES:
        report = process.handle_charge_sloshing(failed)
        assert report.do_break
        assert report.exit_code.status == 0
        assert remedy.items() <= process.ctx.inputs.parameters['ELECTRONS'].items()
        assert process.ctx.inputs.parameters['SYSTEM']['nbnd'] == 60
    report = process.handle_charge_sloshing(failed)
    assert report.exit_code.status == process.exit_codes.ERROR_CHARGE_SLOSHING.status
    assert '3 remedies' in report.exit_code.message


def test_a_smaller_beta_is_kept(process_of, failed_with):
    process = process_of(electrons={'mixing_beta': 0.03})
    process.handle_charge_sloshing(failed_with(stdout()))
    assert process.ctx.inputs.parameters['ELECTRONS']['mixing_beta'] == 0.03


def test_bands_of_fixed_occupations_are_kept(process_of, failed_with):
    process = process_of(system={'occupations': 'fixed'})
    process.handle_charge_sloshing(failed_with(stdout()))
    assert 'nbnd' not in process.ctx.inputs.parameters['SYSTEM']


def test_density_is_kept_only_where_it_became_better(process_of, failed_with):
    process, text = process_of(), stdout()
    process.handle_charge_sloshing(failed_with(text))
    assert process.ctx.inputs.parameters['ELECTRONS']['startingpot'] == 'file'
    assert 'parent_folder' in process.ctx.inputs
    diverged = text[: text.index('0.44837777')].rsplit('estimated scf accuracy', 25)[0]
    assert scf_accuracies(diverged)[-1] > scf_accuracies(diverged)[0]
    process.handle_charge_sloshing(failed_with(diverged))
    assert 'startingpot' not in process.ctx.inputs.parameters['ELECTRONS']
    assert 'parent_folder' not in process.ctx.inputs


def test_it_goes_before_the_handler_of_the_base():
    handlers = {handler.__name__: handler for handler in PwSloshingBaseWorkChain.get_process_handlers()}
    mine, base = (handlers[name] for name in ('handle_charge_sloshing', 'handle_electronic_convergence_not_reached'))
    assert mine.priority > base.priority
