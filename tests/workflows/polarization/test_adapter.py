"""Steps of the adapters: what each does with what the step before left, and with failures."""

from __future__ import annotations

import math

import numpy as np
import pytest
from aiida import orm

from aiida_foundry.common.errors import InputError
from aiida_foundry.workflows.polarization.pw import PwBerryPolarizationWorkChain, check_ground_state

CODES = PwBerryPolarizationWorkChain.exit_codes

KPOINTS = [[0.0, 0.0, 0.0], [0.5, 0.0, 0.0]]
#: Four filled bands and an empty one of BN, eV.
BANDS = np.array([[-20.0, 0.0, 1.0, 2.0, 7.0], [-19.0, -1.0, 0.0, 1.0, 8.0]])


@pytest.fixture
def scf(finished, idle_codes):
    """Return a function that makes a finished ground state."""

    def make(bands=BANDS, converged=True, exit_status=0):
        node = orm.BandsData()
        node.set_kpoints(KPOINTS)
        node.set_bands(bands, units='eV')
        parameters = {
            'wall_time_seconds': 3.0,
            'convergence_info': {'scf_conv': {'convergence_achieved': converged}},
        }
        folder = orm.RemoteData(computer=idle_codes['quantumespresso'].computer, remote_path='/nowhere')
        outputs = {'output_parameters': orm.Dict(parameters), 'output_band': node, 'remote_folder': folder}
        return finished(outputs, exit_status)

    return make


@pytest.fixture
def strings(finished):
    """Return a function that makes a finished run of strings with one electronic phase per spin."""

    def make(*phases, exit_status=0, filled=BANDS):
        record = {'weights': [[1.0]] * len(phases), 'phases': [[phase] for phase in phases]}
        bands = orm.BandsData()
        bands.set_kpoints(KPOINTS)
        bands.set_bands(filled, units='eV')
        parameters = orm.Dict({'wall_time_seconds': 5.0, 'berry_phase': record})
        return finished({'output_parameters': parameters, 'output_band': bands}, exit_status)

    return make


@pytest.fixture
def process(berry_builder, process_of, scf):
    """Return a function that makes a process whose ground state is there."""

    def make(structure=None, overrides=None, **arguments):
        made = process_of(berry_builder(structure, overrides=overrides, **arguments))
        made.setup()
        made.ctx.scf = scf()
        return made

    return make


def run_strings(process, strings, **phases):
    """Let the strings along the named directions end with these phases."""
    for label, phase in phases.items():
        process.ctx[label] = strings(phase)
        direction = int(label.split('_')[1]) - 1
        process.ctx.points[direction] = 7
    return process.inspect_strings()


def test_failed_scf(process, scf):
    made = process()
    made.ctx.scf = scf(exit_status=410)
    assert made.inspect_scf() == CODES.ERROR_SUB_PROCESS_FAILED_SCF


def test_scf_that_is_not_converged_does_not_pass(process, scf):
    """As with `scf_must_converge = .false.`, where pw.x and its WorkChain end well."""
    made = process()
    made.ctx.scf = scf(converged=False)
    assert made.inspect_scf() == CODES.ERROR_SUB_PROCESS_FAILED_SCF


def test_metal_ends_before_the_strings(process, scf):
    made = process()
    made.ctx.scf = scf(BANDS - np.array([0, 0, 0, 0, 6.0]))
    assert made.inspect_scf() is None
    code = made.check_insulator()
    assert code.status == CODES.ERROR_METALLIC.status
    assert 'conduction minimum at 1.000 eV' in code.message


def test_metal_that_only_the_strings_show(process, strings):
    made = process()
    made.inspect_scf()
    assert made.check_insulator() is None
    made.ctx.strings_1_0 = strings(0.0, filled=BANDS + 6.0)
    made.ctx.points[0] = 7
    assert made.inspect_strings() is None
    assert made.check_insulator().status == CODES.ERROR_METALLIC.status


def test_symmetric_phases_are_converged_by_symmetry(process, strings):
    """Electronic phase 0 and ionic ¼ along each vector of BN: one run of one direction."""
    made = process()
    made.inspect_scf()
    assert made.ctx.open == [0]
    assert run_strings(made, strings, strings_1_0=0.001) is None
    assert made.ctx.errors[0] == pytest.approx(0.002)
    assert not made.should_run_strings()
    assert made.results() is None
    record = made.outputs['polarization'].get_dict()
    assert record['phases'] == pytest.approx([0.252] * 3)
    assert record['modulus'] == 1
    assert record['gap'] == {'direct': 5.0, 'indirect': 5.0}
    assert record['strings'] == {'points': {'1': 7}, 'errors': {'1': pytest.approx(0.002)}}
    # wall time of two calculations on two processes
    assert made.outputs['cost']['core_seconds'] == pytest.approx(2 * (3.0 + 5.0))


def test_phases_far_from_what_symmetry_allows_need_denser_strings(process, strings):
    made = process()
    made.inspect_scf()
    run_strings(made, strings, strings_1_0=0.02)
    assert made.ctx.open == [0]
    assert made.should_run_strings()


def test_polar_phases_are_converged_by_denser_strings(process, strings, aluminium_nitride):
    made = process(aluminium_nitride)
    made.inspect_scf()
    assert made.ctx.open == [0, 2]
    run_strings(made, strings, strings_1_0=0.0, strings_3_0=0.19)
    assert made.ctx.open == [2]
    run_strings(made, strings, strings_3_1=0.194)
    assert made.ctx.errors == {0: pytest.approx(0, abs=1e-9), 2: pytest.approx(0.008)}
    assert made.ctx.open == []


def test_asked_for_directions_only(berry_builder, process_of, aluminium_nitride):
    builder = berry_builder(aluminium_nitride)
    builder.directions = orm.List([3])
    made = process_of(builder)
    made.setup()
    assert made.ctx.open == [2]


def test_phases_that_do_not_converge_come_with_an_exit_code(process, strings, aluminium_nitride):
    made = process(aluminium_nitride, {'parameters': {'max_iterations': 2}})
    made.inspect_scf()
    made.ctx.scf = None
    run_strings(made, strings, strings_1_0=0.0, strings_3_0=0.19)
    run_strings(made, strings, strings_3_1=0.22)
    assert not made.should_run_strings()
    made.ctx.ground_state.bands = wide_bands()
    code = made.results()
    assert code.status == CODES.ERROR_PHASES_NOT_CONVERGED.status
    assert 'lattice vector 3 is off by 0.0600 e with 7 points' in code.message
    assert 'polarization' in made.outputs


def wide_bands() -> orm.BandsData:
    """Return bands of an insulator with eight filled ones."""
    node = orm.BandsData()
    node.set_kpoints(KPOINTS)
    node.set_bands(np.array([[*range(8), 12.0]] * 2), units='eV')
    return node.store()


def test_one_run_of_a_polar_phase_has_no_known_error(process, strings, aluminium_nitride):
    made = process(aluminium_nitride, {'parameters': {'max_iterations': 1}})
    made.inspect_scf()
    run_strings(made, strings, strings_1_0=0.0, strings_3_0=0.19)
    made.ctx.ground_state.bands = wide_bands()
    assert 'is off by an unknown amount' in made.results().message


def test_failed_strings(process, strings):
    made = process()
    made.inspect_scf()
    made.ctx.strings_1_0 = strings(0.0, exit_status=300)
    assert made.inspect_strings() == CODES.ERROR_SUB_PROCESS_FAILED_STRINGS


def test_strings_without_a_mean(process, finished):
    made = process()
    made.inspect_scf()
    phases = [[step / 8 for step in range(8)]]
    record = {'weights': [[1.0] * 8], 'phases': phases}
    bands = orm.BandsData()
    bands.set_kpoints(KPOINTS)
    bands.set_bands(BANDS, units='eV')
    outputs = {'output_parameters': orm.Dict({'berry_phase': record}), 'output_band': bands}
    made.ctx.strings_1_0 = finished(outputs)
    code = made.inspect_strings()
    assert code.status == CODES.ERROR_PHASES_AMBIGUOUS.status
    assert 'spread over the circle' in code.message


def test_spin_channels_have_phases_of_their_own(process, strings, scf):
    made = process(magnetic_moments={'B': 0, 'N': 0})
    made.ctx.scf = scf(np.array([BANDS, BANDS]))
    made.inspect_scf()
    assert made.ctx.occupied == (4, 4)
    assert made.check_insulator() is None
    made.ctx.strings_1_0 = strings(0.1, -0.098)
    made.ctx.points[0] = 7
    assert made.inspect_strings() is None
    assert made.ctx.phases[0] % 1 == pytest.approx(0.002)


def test_ground_state_is_that_of_the_inputs(berry_builder, boron_nitride, idle_codes):
    """What is handed on was made with other parameters."""
    builder = berry_builder()
    run = orm.CalcJobNode(computer=idle_codes['quantumespresso'].computer)
    from aiida.common.links import LinkType

    other = orm.Dict({'SYSTEM': {'ecutwfc': 30.0, 'ecutrho': 120.0, 'occupations': 'fixed', 'nbnd': 8}})
    mesh = builder.kpoints.clone()
    inputs = {'structure': boron_nitride, 'parameters': other, 'kpoints': mesh}
    inputs |= {f'pseudos__{kind}': pseudo for kind, pseudo in builder.pseudos.items()}
    for label, node in inputs.items():
        run.base.links.add_incoming(node if node.is_stored else node.store(), LinkType.INPUT_CALC, label)
    run.store()
    folder = orm.RemoteData(computer=idle_codes['quantumespresso'].computer, remote_path='/nowhere')
    bands = orm.BandsData()
    bands.set_kpoints(KPOINTS)
    bands.set_bands(BANDS, units='eV')
    for label, node in {'remote_folder': folder, 'output_band': bands}.items():
        node.base.links.add_incoming(run, LinkType.CREATE, label)
        node.store()
    given = {**builder._inputs(prune=True), 'ground_state': {'density': folder, 'bands': bands}}
    with pytest.raises(InputError, match='ecutrho, ecutwfc differ'):
        check_ground_state(given)


def test_strings_get_denser(process, strings, aluminium_nitride, monkeypatch):
    made = process(aluminium_nitride)
    made.inspect_scf()
    asked = []

    def submit(direction, points, label):
        asked.append((direction, points, label))
        return strings(0.0)

    monkeypatch.setattr(made, 'submit_strings', submit)
    made.run_strings()
    made.ctx.strings_1_0, made.ctx.strings_3_0 = strings(0.0), strings(0.19)
    made.inspect_strings()
    made.run_strings()
    assert asked == [(1, 7, 'strings_1_0'), (3, 7, 'strings_3_0'), (3, 1 + math.ceil(1.5 * 6), 'strings_3_1')]
