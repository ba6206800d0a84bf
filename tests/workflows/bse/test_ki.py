"""`foundry.bse.ki`: its builder, and what each step does with what the step before left."""

from __future__ import annotations

import numpy as np
import pytest
from aiida import orm
from aiida.common.links import LinkType

from aiida_foundry.common.errors import InputError
from aiida_foundry.workflows.bse.ki import BseKiWorkChain

CODES = BseKiWorkChain.exit_codes
PLUGINS = {
    'pw': 'quantumespresso.pw',
    'ph': 'quantumespresso.ph',
    'projwfc': 'quantumespresso.projwfc',
    'pw2wannier90': 'quantumespresso.pw2wannier90',
    'wannier90': 'foundry.wannier90',
    'ki': 'foundry.ki',
    'abinit': 'foundry.abinit',
}


@pytest.fixture(scope='session')
def codes(code_that_never_runs):
    """Return codes of all steps; they are never run."""
    computer = code_that_never_runs.computer
    made = {
        key: orm.InstalledCode(computer, filepath_executable='/bin/true', label=key, default_calc_job_plugin=plugin)
        for key, plugin in PLUGINS.items()
        if key != 'abinit'
    }
    return {**{key: code.store() for key, code in made.items()}, 'abinit': code_that_never_runs}


@pytest.fixture
def builder_of(codes, silicon, pbe_family):
    """Return a function that makes the builder of silicon."""

    def _builder_of(protocol='fast', **kwargs):
        kwargs.setdefault('pseudo_family', pbe_family.label)
        return BseKiWorkChain.get_builder_from_protocol(codes, silicon, protocol=protocol, **kwargs)

    return _builder_of


def test_cost_before_submission(builder_of):
    """Others than KI share its ground state and screening."""
    from aiida_foundry.workflows.bse.cost import estimate

    steps = [step['step'] for step in estimate(builder_of(g0w0=True, scissor=0.7))]
    assert steps[:3] == ['koopmans scf', 'koopmans states on the mesh', 'koopmans screening, at most']
    ki = [step.removeprefix('ki ') for step in steps if step.startswith('ki ')]
    assert ki == ['scf', 'states on the mesh', 'screening', 'Bethe-Salpeter equation', 'RPA']
    assert [step for step in steps if step.startswith('gw ')] == [
        'gw self-energy',
        'gw Bethe-Salpeter equation',
        'gw RPA',
    ]
    assert steps[-1] == 'scissor RPA'


@pytest.mark.parametrize('protocol', ['fast', 'balanced', 'stringent'])
def test_protocols(builder_of, serialise, protocol):
    """One mesh and one cutoff for all steps, whatever the protocols of the workflows say."""
    inputs = serialise(builder_of(protocol, g0w0=True))
    mesh = {'fast': [2, 2, 2], 'balanced': [6, 6, 6], 'stringent': [10, 10, 10]}[protocol]
    assert inputs['kpoints'] == mesh
    cutoffs = {
        inputs['bse']['parameters']['wavefunction_cutoff'],
        inputs['gw']['parameters']['wavefunction_cutoff'],
        inputs['koopmans']['wannierize']['parameters']['wavefunction_cutoff'],
    }
    assert len(cutoffs) == 1
    assert inputs['bse']['parameters']['transfer']['extrapolation'] == 'scissor'
    for name in ('bands', 'screening_cutoff', 'starting_functional'):
        assert inputs['gw']['parameters'][name] == inputs['bse']['parameters'][name]
    for name in ('koopmans', 'gw', 'bse'):
        assert not {'structure', 'kpoints', 'pseudos', 'scissor'} & inputs[name].keys()
    assert inputs['engines'] == {
        'bse': 'foundry.bse.abinit', 'gw': 'foundry.gw.abinit', 'koopmans': 'foundry.koopmans.native'
    }  # fmt: skip


def test_overrides_reach_the_steps(builder_of, serialise):
    overrides = {
        'kpoints_mesh': [3, 3, 3],
        'wavefunction_cutoff': 7.0,
        'bse': {'parameters': {'conduction_bands': 6}},
        'koopmans': {'parameters': {'dielectric_constant': 12.0}},
    }
    inputs = serialise(builder_of(overrides=overrides, scissor=0.5))
    assert inputs['bse']['parameters']['conduction_bands'] == 6
    assert inputs['bse']['parameters']['wavefunction_cutoff'] == 7.0
    assert inputs['koopmans']['parameters']['dielectric_constant'] == 12.0
    assert inputs['scissor'] == 0.5
    assert 'gw' not in inputs
    assert 'relax' not in inputs


def test_relaxation_has_the_cutoff_and_pseudopotentials_of_the_rest(builder_of, serialise):
    inputs = serialise(builder_of(overrides={'wavefunction_cutoff': 7.0}, relax=True))
    pw = inputs['relax']['base_relax']['pw']
    assert pw['parameters']['SYSTEM']['ecutwfc'] == 14.0
    assert pw['parameters']['SYSTEM']['occupations'] == 'fixed'
    assert pw['pseudos'] == inputs['pseudos']


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'overrides': {'cutoff': 3}}, 'override `cutoff`: it is unknown'),
        ({'overrides': {'bse': {'parameters': {'zcut': 3}}}}, 'override `parameters.zcut`: it is unknown'),
        ({'koopmans_engine': 'magic'}, 'engine `magic`: it is unknown'),
        ({'engine': 'vasp'}, 'code `vasp`: it is missing'),
    ],
)
def test_refused(builder_of, arguments, message):
    with pytest.raises(InputError, match=message):
        builder_of(**arguments)


def summary(gap, lowest):
    return {
        'direct_gap': {'quasiparticle': gap},
        'static': {'excitonic': 12.0},
        'peaks': {'excitonic': {'energies': [lowest], 'heights': [1.0]}},
        'lowest': {'energy': lowest, 'binding_energy': gap - lowest},
    }


@pytest.fixture
def child(code_that_never_runs):
    """Return a function that makes a finished workflow with some outputs."""

    def _child(outputs=(), exit_status=0):
        node = orm.WorkChainNode(label='step').store()
        node.set_exit_message('' if exit_status == 0 else 'it broke')
        folder = orm.RemoteData(computer=code_that_never_runs.computer, remote_path='/nowhere')
        bands = orm.BandsData()
        bands.set_kpoints([[0.0, 0.0, 0.0]])
        bands.set_bands(np.zeros((1, 2)))
        array = orm.ArrayData({'qp_energies': np.zeros((1, 1, 2))})
        known = {
            'quasiparticles': array,
            'cost': orm.Dict({'steps': {'run': {'core_seconds': 2.0}}}),
            'excitons': orm.Dict(summary(3.0, 2.5)),
            'screening': folder,
            'ground_state__wavefunctions': folder.clone(),
            'ground_state__mesh_bands': bands,
            'spectra': array.clone(),
            'quasiparticle_bands': bands.clone(),
            'transfer': orm.Dict({}),
        }
        maker = orm.CalcJobNode().store()
        for label in outputs:
            data = known[label]
            data.base.links.add_incoming(maker, LinkType.CREATE, label)
            data.store()
            data.base.links.add_incoming(node, LinkType.RETURN, label)
        node.set_process_state('finished')
        node.set_exit_status(exit_status)
        return node.seal()

    return _child


SPECTRUM = (
    'spectra', 'excitons', 'quasiparticle_bands', 'transfer', 'cost', 'screening', 'ground_state__wavefunctions',
    'ground_state__mesh_bands',
)  # fmt: skip


@pytest.fixture
def process(builder_of, process_of, child):
    """Return a function that makes a process whose Koopmans energies are done."""

    def _process(**arguments):
        made = process_of(builder_of(**arguments))
        made.setup()
        made.ctx.koopmans = child(('quasiparticles', 'cost'))
        return made

    return _process


def test_failed_relaxation(process, child):
    made = process()
    made.ctx.relax = child(exit_status=401)
    code = made.inspect_relax()
    assert code.status == CODES.ERROR_SUB_PROCESS_FAILED_RELAX.status
    assert 'it broke' in code.message


def test_failed_koopmans(process, child):
    made = process()
    made.ctx.koopmans = child(exit_status=401)
    assert made.inspect_corrections().status == CODES.ERROR_SUB_PROCESS_FAILED_KOOPMANS.status


def test_failed_spectrum(process, child):
    made = process()
    assert made.inspect_corrections() is None
    made.ctx.ki = child(exit_status=404)
    assert made.inspect_ki_spectrum().status == CODES.ERROR_SUB_PROCESS_FAILED_SPECTRUM.status


def test_results_and_what_others_share(process, child):
    made = process(scissor=0.7)
    assert made.inspect_corrections() is None
    assert list(made.ctx.corrections) == ['ki', 'scissor']
    made.ctx.ki = child(SPECTRUM)
    assert made.inspect_ki_spectrum() is None
    assert set(made.ctx.shared['ground_state']) == {'wavefunctions', 'mesh_bands'}
    assert made.should_run_others()
    made.ctx.scissor = child(SPECTRUM)
    assert made.results() is None
    comparison = made.outputs['comparison'].get_dict()
    assert comparison['methods']['ki']['lowest'] == {'energy': 2.5, 'binding_energy': 0.5}
    assert comparison['core_seconds']['corrections'] == {'ki': 2.0}
    assert set(made.outputs) >= {'ki', 'scissor', 'quasiparticles', 'comparison'}


def test_others_may_fail(process, child):
    made = process(scissor=0.7)
    made.inspect_corrections()
    made.ctx.ki = child(SPECTRUM)
    made.inspect_ki_spectrum()
    made.ctx.scissor = child(exit_status=404)
    code = made.results()
    assert code.status == CODES.ERROR_SUB_PROCESS_FAILED_OTHERS.status
    assert 'it broke' in code.message
    assert 'ki' in made.outputs
    assert 'scissor' not in made.outputs
