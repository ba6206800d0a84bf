"""Handlers of the base work chain, on children that failed in each known way."""

from __future__ import annotations

import pytest
from aiida import orm
from aiida.common import LinkType
from aiida.engine import ProcessHandlerReport
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager

from aiida_foundry.engines.abinit.base import AbinitBaseWorkChain
from aiida_foundry.engines.abinit.calculation import AbinitCalculation
from aiida_foundry.engines.abinit.exit_codes import EXIT_CODES

CHILD = AbinitCalculation.exit_codes
CODES = AbinitBaseWorkChain.exit_codes


@pytest.fixture
def failed_chain(abinit_inputs, aiida_localhost, remote, silicon):
    """Return a work chain whose child has failed, as it is when it inspects the child."""

    def build(label, message=None, outputs=None, **changes):
        runner = get_manager().create_runner(communicator=None, broker_submit=False)
        chain = instantiate_process(runner, AbinitBaseWorkChain, abinit=abinit_inputs(**changes))
        chain.setup()
        fail(chain, label, message, outputs)
        return chain

    def fail(chain, label, message=None, outputs=None):
        node = orm.CalcJobNode(computer=aiida_localhost, process_type='aiida.calculations:foundry.abinit')
        node.base.links.add_incoming(chain.ctx.inputs.parameters.store(), LinkType.INPUT_CALC, 'parameters')
        node.store()
        folder = orm.RemoteData(remote_path='/scratch/child', computer=aiida_localhost)
        for name, output in {'remote_folder': folder, **(outputs or {})}.items():
            output.base.links.add_incoming(node, LinkType.CREATE, name)
            output.store()
        node.set_process_state('finished')
        node.set_exit_status(CHILD[label].status)
        node.set_exit_message(message or CHILD[label].message)
        chain.ctx.children = [*chain.ctx.get('children', []), node]
        chain.ctx.iteration = len(chain.ctx.children)

    build.fail = fail
    return build


def parameters(chain) -> dict:
    return chain.ctx.inputs.parameters.get_dict()


def is_restart(chain) -> bool:
    """Let the chain inspect its child; return whether it goes on."""
    result = chain.inspect_process()
    return (result is None or result.status == 0) and not chain.ctx.is_finished


@pytest.mark.parametrize(
    'label',
    [
        'ERROR_CRASHED',
        'ERROR_UNREADABLE_INPUT',
        'ERROR_INCONSISTENT_INPUT',
        'ERROR_PSEUDOPOTENTIAL',
        'ERROR_MISSING_PARENT_FILE',
        'ERROR_INCOMPATIBLE_PARENT_FILE',
        'ERROR_NOT_A_NUMBER',
        'ERROR_ABINIT',
        'ERROR_ABINIT_BUG',
    ],
)
def test_unrecoverable(failed_chain, label):
    result = failed_chain(label, 'what ABINIT said').inspect_process()
    assert result.status == CODES.ERROR_UNRECOVERABLE.status
    assert 'what ABINIT said' in result.message


@pytest.mark.parametrize(
    'label',
    ['ERROR_OUTPUT_LOG_MISSING', 'ERROR_OUTPUT_INCOMPLETE', 'ERROR_NETCDF_MISSING', 'ERROR_NETCDF_UNREADABLE'],
)
def test_output_lost(failed_chain, label):
    chain = failed_chain(label)
    before = parameters(chain)
    assert is_restart(chain)
    assert parameters(chain) == before
    assert 'parents' not in chain.ctx.inputs or not chain.ctx.inputs.parents
    failed_chain.fail(chain, label)
    assert chain.inspect_process().status == CODES.ERROR_OUTPUT_LOST.status


def test_out_of_walltime(failed_chain):
    chain = failed_chain('ERROR_OUT_OF_WALLTIME')
    for _ in range(chain.defaults.maximum_walltime_restarts):
        assert is_restart(chain)
        folder = chain.ctx.children[-1].outputs.remote_folder
        assert chain.ctx.inputs.parents.wavefunctions.uuid == folder.uuid
        failed_chain.fail(chain, 'ERROR_OUT_OF_WALLTIME')
    assert chain.inspect_process().status == CODES.ERROR_WALLTIME.status


def test_out_of_walltime_while_relaxing(failed_chain, silicon):
    structure = silicon()
    chain = failed_chain('ERROR_OUT_OF_WALLTIME', outputs={'output_structure': structure})
    assert is_restart(chain)
    assert chain.ctx.inputs.structure.uuid == structure.uuid


def test_out_of_walltime_interrupted(failed_chain):
    result = failed_chain('ERROR_OUT_OF_WALLTIME_INTERRUPTED').inspect_process()
    assert result.status == CODES.ERROR_WALLTIME.status


def test_out_of_memory_in_screening(failed_chain):
    resources = {'num_machines': 1, 'num_mpiprocs_per_machine': 4}
    chain = failed_chain(
        'ERROR_OUT_OF_MEMORY', parameters={'ecut': 4, 'optdriver': 3}, metadata={'options': {'resources': resources}}
    )
    assert is_restart(chain)
    assert parameters(chain)['gwmem'] == 0
    for processes in (2, 1):
        failed_chain.fail(chain, 'ERROR_OUT_OF_MEMORY')
        assert is_restart(chain)
        assert chain.ctx.inputs.metadata.options.resources['num_mpiprocs_per_machine'] == processes
    failed_chain.fail(chain, 'ERROR_OUT_OF_MEMORY')
    assert chain.inspect_process().status == CODES.ERROR_MEMORY.status


def test_out_of_memory_in_ground_state(failed_chain):
    result = failed_chain('ERROR_OUT_OF_MEMORY').inspect_process()
    assert result.status == CODES.ERROR_MEMORY.status


def test_symmetry_breaking_mesh(failed_chain, mesh):
    chain = failed_chain('ERROR_SYMMETRY_BREAKING_KMESH', kpoints=mesh((4, 4, 4), (0.5, 0.5, 0.5)).store())
    assert is_restart(chain)
    assert chain.ctx.inputs.kpoints.get_kpoints_mesh() == ([4, 4, 4], [0, 0, 0])
    assert chain.ctx.inputs.kpoints.creator.process_label == 'centre_mesh'
    assert 'chksymbreak' not in parameters(chain)


@pytest.mark.parametrize('reason', ['divisions', 'parents'])
def test_symmetry_breaking_mesh_without_remedy(failed_chain, mesh, remote, reason):
    changes = {'kpoints': mesh((4, 4, 3))}
    if reason == 'parents':
        changes = {'kpoints': mesh(offset=(0.5, 0.5, 0.5)), 'parents': {'density': remote()}}
    result = failed_chain('ERROR_SYMMETRY_BREAKING_KMESH', **changes).inspect_process()
    assert result.status == CODES.ERROR_KMESH.status


def test_too_few_bands_for_the_electrons(failed_chain):
    results = orm.Dict({'number_of_electrons': 8.0})
    chain = failed_chain(
        'ERROR_WRONG_NUMBER_OF_BANDS',
        outputs={'output_parameters': results},
        parameters={'ecut': 4, 'nband': 3, 'toldfe': 1e-8},
    )
    assert is_restart(chain)
    assert parameters(chain)['nband'] == 8


def test_occupied_highest_band(failed_chain):
    def results():
        return {'output_parameters': orm.Dict({'number_of_electrons': 100.0, 'number_of_bands': 100})}

    chain = failed_chain(
        'ERROR_WRONG_NUMBER_OF_BANDS', outputs=results(), parameters={'ecut': 4, 'occopt': 3, 'toldfe': 1e-8}
    )
    for nband in (105, 111, 117):
        assert is_restart(chain)
        assert parameters(chain)['nband'] == nband
        failed_chain.fail(chain, 'ERROR_WRONG_NUMBER_OF_BANDS', outputs=results())
    assert chain.inspect_process().status == CODES.ERROR_BANDS.status


@pytest.mark.parametrize(
    'variables',
    [{'optdriver': 3, 'nband': 40}, {'nband': [3, 3], 'toldfe': 1e-8}, {'nband': 700, 'toldfe': 1e-8}],
)
def test_wrong_number_of_bands_without_remedy(failed_chain, variables):
    electrons = {'number_of_electrons': 8.0} if isinstance(variables['nband'], list) else {}
    chain = failed_chain(
        'ERROR_WRONG_NUMBER_OF_BANDS',
        outputs={'output_parameters': orm.Dict(electrons)},
        parameters={'ecut': 4, **variables},
    )
    assert chain.inspect_process().status == CODES.ERROR_BANDS.status


def test_scf_not_converged(failed_chain):
    chain = failed_chain('ERROR_SCF_NOT_CONVERGED', parameters={'ecut': 4, 'toldfe': 1e-8, 'nstep': 10})
    assert is_restart(chain)
    assert parameters(chain) == {'ecut': 4, 'toldfe': 1e-8, 'nstep': 20}
    assert chain.ctx.inputs.parents.wavefunctions.uuid == chain.ctx.children[-1].outputs.remote_folder.uuid
    failed_chain.fail(chain, 'ERROR_SCF_NOT_CONVERGED')
    assert is_restart(chain)
    assert parameters(chain) == {'ecut': 4, 'toldfe': 1e-8, 'nstep': 40, 'diemix': 0.5, 'npulayit': 15}
    failed_chain.fail(chain, 'ERROR_SCF_NOT_CONVERGED')
    assert is_restart(chain)
    failed_chain.fail(chain, 'ERROR_SCF_NOT_CONVERGED')
    assert chain.inspect_process().status == CODES.ERROR_CONVERGENCE.status


def test_scf_without_wavefunctions_starts_from_scratch(failed_chain):
    chain = failed_chain('ERROR_SCF_NOT_CONVERGED', parameters={'ecut': 4, 'toldfe': 1e-8, 'prtwf': 0})
    assert is_restart(chain)
    assert not chain.ctx.inputs.get('parents')
    assert parameters(chain)['nstep'] == 60


def test_nscf_keeps_the_density(failed_chain, remote):
    density = remote()
    chain = failed_chain(
        'ERROR_NSCF_NOT_CONVERGED', parameters={'ecut': 4, 'tolwfr': 1e-8, 'iscf': -2}, parents={'density': density}
    )
    for _ in range(2):
        assert is_restart(chain)
        assert chain.ctx.inputs.parents.density.uuid == density.uuid
        assert chain.ctx.inputs.parents.wavefunctions.uuid == chain.ctx.children[-1].outputs.remote_folder.uuid
        failed_chain.fail(chain, 'ERROR_NSCF_NOT_CONVERGED')
    assert 'diemix' not in parameters(chain)


def test_relaxation_not_converged(failed_chain, silicon):
    chain = failed_chain('ERROR_RELAXATION_NOT_CONVERGED', outputs={'output_structure': silicon()})
    for _ in range(chain.defaults.maximum_relaxation_restarts):
        assert is_restart(chain)
        assert chain.ctx.inputs.structure.uuid == chain.ctx.children[-1].outputs.output_structure.uuid
        failed_chain.fail(chain, 'ERROR_RELAXATION_NOT_CONVERGED', outputs={'output_structure': silicon()})
    assert chain.inspect_process().status == CODES.ERROR_CONVERGENCE.status


@pytest.mark.parametrize('label', EXIT_CODES)
def test_every_failure_has_a_handler(failed_chain, silicon, label):
    """A new exit code of the calculation must get a handler that says what is done about it."""
    chain = failed_chain(label, outputs={'output_structure': silicon()})
    result = chain.inspect_process()
    assert not chain.ctx.unhandled_failure
    assert result is None or result.status != CODES.ERROR_UNHANDLED_FAILURE.status


def test_handlers_say_when_they_give_up():
    for handler in AbinitBaseWorkChain.get_process_handlers():
        for word in ('Cause:', 'Remedy:', 'Gives up:'):
            assert word in handler.__doc__, handler.__name__


def test_repeated_run_is_no_cached_failure():
    """The remedy of running again must run again when caching is on."""
    for label in ('ERROR_OUTPUT_LOG_MISSING', 'ERROR_OUTPUT_INCOMPLETE', 'ERROR_NETCDF_MISSING'):
        assert CHILD[label].invalidates_cache
    assert not CHILD.ERROR_UNREADABLE_INPUT.invalidates_cache


def test_report_breaks_the_loop(failed_chain):
    chain = failed_chain('ERROR_OUTPUT_INCOMPLETE')
    report = chain.handle_output_lost(chain.ctx.children[-1])
    assert isinstance(report, ProcessHandlerReport)
    assert report.do_break
