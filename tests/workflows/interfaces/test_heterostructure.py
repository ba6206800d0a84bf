"""Builders of `foundry.interfaces.heterostructure`: what the protocols set, what is refused, steps and exit codes."""

from __future__ import annotations

import numpy as np
import pytest
from aiida import orm
from aiida.common import LinkType
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from pymatgen.core import Lattice, Structure

from aiida_foundry.common.errors import InputError
from aiida_foundry.workflows.interfaces import heterostructure_parameters as parameters
from aiida_foundry.workflows.interfaces.cost import estimate
from aiida_foundry.workflows.interfaces.heterostructure import HeterostructureWorkChain

DIAMOND = [[0, 0, 0], [1 / 4, 1 / 4, 1 / 4]]
PEROVSKITE = [[0, 0, 0], [1 / 2, 1 / 2, 1 / 2], [1 / 2, 1 / 2, 0]]
CRYSTALS = {
    'diamond': (227, 3.567, ['C'], DIAMOND[:1]),
    'cBN': (216, 3.615, ['B', 'N'], DIAMOND),
    'Al': (225, 4.05, ['Al'], DIAMOND[:1]),
    'NiO': (225, 4.18, ['Ni', 'O'], [[0, 0, 0], [1 / 2, 1 / 2, 1 / 2]]),
    'LaAlO3': (221, 3.79, ['La', 'Al', 'O'], PEROVSKITE),
    'SrTiO3': (221, 3.905, ['Sr', 'Ti', 'O'], PEROVSKITE),
}


def crystal(name: str) -> orm.StructureData:
    group, constant, elements, positions = CRYSTALS[name]
    structure = Structure.from_spacegroup(group, Lattice.cubic(constant), elements, positions)
    return orm.StructureData(pymatgen=structure.get_primitive_structure())


@pytest.fixture
def builder_of(aiida_code_installed, pbe_family):
    """Return a function that makes the builder of two crystals."""
    codes = [
        aiida_code_installed(
            label=name, default_calc_job_plugin=f'quantumespresso.{name}', filepath_executable='/bin/true'
        )
        for name in ('pw', 'pp')
    ]

    def _builder_of(film='cBN', substrate='diamond', miller=(1, 1, 1), protocol='fast', overrides=None, **arguments):
        return HeterostructureWorkChain.get_builder_from_protocol(
            *codes,
            crystal(film),
            crystal(substrate),
            **{'film_miller': miller, 'substrate_miller': miller, **arguments},
            protocol=protocol,
            overrides=overrides,
        )

    return _builder_of


@pytest.fixture
def process_of(builder_of):
    """Return a function that makes a process after its setup."""

    def _process_of(**arguments):
        process = instantiate_process(get_manager().get_runner(), builder_of(**arguments))
        process.setup()
        return process

    return _process_of


@pytest.mark.parametrize('protocol', ['fast', 'balanced', 'stringent'])
def test_protocols(builder_of, data_regression, protocol):
    builder = builder_of(protocol=protocol)
    values = {name: builder[name].get_dict() for name in ('interface', 'parameters')}
    values['kpoints'] = builder.kpoints.get_kpoints_mesh()[0]
    values['bulk_kpoints'] = {name: mesh.get_kpoints_mesh()[0] for name, mesh in builder.bulk_kpoints.items()}
    data_regression.check(values)


def test_cuts_are_between_bilayers_and_charge_is_a_quarter(builder_of):
    """Cutting a bilayer breaks three bonds per atom, cutting between two breaks one."""
    builder = builder_of()
    process = instantiate_process(get_manager().get_runner(), builder)
    process.setup()
    heights = sorted(site.position[2] for site in process.ctx.structure.sites)
    assert heights[0] == pytest.approx(3.567 * np.sqrt(3) / 8, abs=1e-6)
    assert abs(builder.parameters['polar_charge']) == pytest.approx(0.25)


def test_perovskites_have_half_a_charge(builder_of):
    """LaAlO3/SrTiO3(001): ½ e per cell (Ohtomo and Hwang, Nature 427, 423 (2004))."""
    builder = builder_of('LaAlO3', 'SrTiO3', (0, 0, 1), overrides={'matching': {'max_strain': 0.05}})
    assert abs(builder.parameters['polar_charge']) == pytest.approx(0.5)


def test_scan_leaves_out_equivalent_shifts(builder_of):
    scan = builder_of(overrides={'scan': {'shifts': [3, 3], 'gaps': [0.0, 0.2]}}).scan.get_list()
    # of nine shifts on a threefold face: on top, the two hollows, and six that symmetry makes the same
    assert len(scan) == 4 * 2
    assert scan[0]['shift'] == [0.0, 0.0]
    assert {values['gap'] for values in scan} == {0.0, 0.2}
    assert 'scan' not in builder_of()._inputs(prune=True)


def test_low_spin_is_taken_where_the_user_says_so(builder_of):
    known = {'gap': 4.0, 'moments': [0.0, 0.0]}
    overrides = {'matching': {'max_strain': 0.2}, 'properties': {'substrate': known}}
    assert builder_of(substrate='NiO', overrides=overrides).parameters['polar_charge'] is not None


def test_cost_of_twelve_atoms(builder_of):
    """The run of `test_heterostructure_engine`: 11 to 25 CPU s of pw.x 6.7 for the heterostructure."""
    overrides = {
        'kpoints_mesh': [6, 6],
        'parameters': {'wavefunction_cutoff': 35.0, 'density_cutoff': 280.0, 'extra_bands': 0.1},
    }
    seconds = {step['step']: step['core_seconds'] for step in estimate(builder_of(overrides=overrides))}
    assert list(seconds) == ['bulk of the film', 'bulk of the substrate', 'heterostructure']
    assert 11 / 2 < seconds['heterostructure'] < 25 * 2
    relaxed = {**overrides['parameters'], 'relax': {'enabled': True}}
    overrides = {**overrides, 'parameters': relaxed, 'scan': {'gaps': [0.0, 0.1]}}
    more = {step['step']: step['core_seconds'] for step in estimate(builder_of(overrides=overrides))}
    # every run of the scan pays once for reading the pseudopotentials
    assert more['scan of 2'] == pytest.approx(2 * seconds['heterostructure'])
    assert more['relaxation'] > 2 * seconds['heterostructure']


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'film': 'Al'}, 'film `Al`: .*metal'),
        ({'substrate': 'NiO'}, r'substrate `NiO`: open shells of Ni\+2 \(d8\) make it a magnet'),
        ({'substrate': 'NiO', 'overrides': {'properties': {'substrate': {'gap': 4.0}}}}, 'make it a magnet'),
        ({'film': 'cBN', 'overrides': {'properties': {'film': {'moments': [1.0, -1.0]}}}}, 'moments are not zero'),
        ({'film': 'diamond'}, 'the same material'),
        ({'overrides': {'max_atoms': 11}}, 'heterostructure of 12 atoms: the limit is 11'),
        ({'overrides': {'matching': {'max_strain': 0.001}}}, 'have 0 matches'),
        ({'overrides': {'matching': {'choice': 50}}}, 'matches up to'),
        ({'miller': (2, 2, 2)}, 'not coprime'),
        ({'protocol': 'quick'}, 'protocol `quick`'),
        ({'overrides': {'interface': {'kind': 'wire'}}}, 'interface `kind`'),
        ({'overrides': {'interface': {'film': {'layers': 0}}}}, 'interface `film.layers`'),
        ({'overrides': {'interface': {'thickness': 3}}}, 'override `interface.thickness`'),
        ({'overrides': {'kpoints_mesh': [6, 6, 1]}}, 'not two divisions'),
        ({'overrides': {'scan': {'shifts': [0, 2]}}}, 'asks for nothing'),
        ({'overrides': {'parameters': {'density_cutoff': 50.0}}}, 'less than four times'),
        ({'overrides': {'parameters': {'window': 5.0}}}, 'does not resolve'),
        ({'overrides': {'parameters': {'ldos': {'broadening': 0.2}}}}, 'more than the smearing of 0.136 eV'),
        ({'overrides': {'parameters': {'ldos': {'step': 0.15}}}}, 'more than the broadening of 0.136 eV'),
        ({'overrides': {'parameters': {'mixing_mode': 'best'}}}, 'parameters.mixing_mode'),
        ({'overrides': {'properties': {'film': {'gap': -1}}}}, 'properties of `film`'),
        ({'pseudo_family': 'none'}, 'the profile does not have it'),
        ({'pseudos': {'B': None}}, 'there is none of C, N'),
    ],
)
def test_refused(builder_of, arguments, message):
    with pytest.raises(InputError, match=message):
        builder_of(**arguments)


def finished(label: str, status: int = 0, outputs: dict | None = None) -> orm.WorkChainNode:
    """Return a stored child with outputs."""
    node = orm.WorkChainNode()
    node.set_process_label(label)
    node.store()
    for name, data in (outputs or {}).items():
        data.store().base.links.add_incoming(node, LinkType.RETURN, name)
    node.set_process_state('finished')
    node.set_exit_status(status)
    return node


CODES = HeterostructureWorkChain.exit_codes


@pytest.mark.parametrize(
    ('step', 'children', 'expected'),
    [
        ('inspect_bulk', ['bulk_film', 'bulk_substrate'], CODES.ERROR_SUB_PROCESS_FAILED_BULK),
        ('inspect_bulk_potential', ['potential_film', 'potential_substrate'], CODES.ERROR_SUB_PROCESS_FAILED_AVERAGES),
        ('inspect_relax', ['relax'], CODES.ERROR_SUB_PROCESS_FAILED_RELAX),
        ('inspect_scf', ['scf'], CODES.ERROR_SUB_PROCESS_FAILED_SCF),
        ('inspect_averages', ['potential', 'density', 'ldos'], CODES.ERROR_SUB_PROCESS_FAILED_AVERAGES),
    ],
)
def test_failed_children(process_of, step, children, expected):
    process = process_of()
    for label in children:
        process.ctx[label] = finished(label, 300)
    process.ctx.bulk_film = process.ctx.bulk_substrate = finished('bulk', 300)
    assert getattr(process, step)().status == expected.status


def test_failed_scan(process_of):
    process = process_of(overrides={'scan': {'gaps': [0.0, 0.1]}})
    process.ctx.scan = [finished('scan', 300), finished('scan', 300)]
    assert process.inspect_scan() == CODES.ERROR_SUB_PROCESS_FAILED_SCAN


def test_scan_goes_on_with_the_lowest_energy(process_of):
    process = process_of(overrides={'scan': {'gaps': [0.0, 0.1, 0.2]}})
    energies = [-1.0, -3.0]
    process.ctx.scan = [
        *(finished('scan', 0, {'output_parameters': orm.Dict({'energy': energy})}) for energy in energies),
        finished('scan', 300),
    ]
    assert process.inspect_scan() is None
    assert process.ctx.layout['gap'] == pytest.approx(0.1)
    assert process.ctx.failed == 1


@pytest.mark.parametrize('overlap', [-1.0, 0.5])
def test_metallic_crystal_ends_the_workflow(process_of, overlap):
    process = process_of()
    bands = orm.BandsData()
    bands.set_kpoints([[0, 0, 0], [0.5, 0, 0]])
    bands.set_bands(np.array([[-1.0, 0.0, 3.0], [-1.0, -1.0, -overlap]]), units='eV')
    potential = orm.ArrayData({'profiles': np.array([[0.2, 0.4]])})
    for name in ('film', 'substrate'):
        outputs = {'output_band': bands.clone(), 'output_parameters': orm.Dict({'number_of_electrons': 4.0})}
        process.ctx[f'bulk_{name}'] = finished('bulk', 0, outputs)
        process.ctx[f'potential_{name}'] = finished('potential', 0, {'output_data': potential.clone()})
    code = process.inspect_bulk_potential()
    if overlap < 0:
        assert code is None
        assert process.ctx.edges['film']['gap'] == pytest.approx(1.0)
        assert process.ctx.edges['film']['potential'] == pytest.approx(0.3 * 13.605693, rel=1e-6)
    else:
        assert code.status == CODES.ERROR_METALLIC_CRYSTAL.status
        assert 'film is a metal by itself (its bands overlap by 0.500 eV' in code.message


def test_relaxed_structure_is_taken_instead(builder_of):
    builder = builder_of(protocol='balanced')
    plain = instantiate_process(get_manager().get_runner(), builder)
    plain.setup()
    assert plain.should_relax()
    builder.relaxed_structure = plain.ctx.structure.clone()
    process = instantiate_process(get_manager().get_runner(), builder)
    process.setup()
    assert not process.should_relax()
    assert process.ctx.structure.uuid == builder.relaxed_structure.uuid


def test_atoms_far_from_interfaces_are_held(process_of):
    process = process_of(overrides={'interface': {'film': {'layers': 4}, 'substrate': {'layers': 4}}})
    heights = [site.position[2] for site in process.ctx.structure.sites]
    layout = process.ctx.layout.get_dict()
    held = np.array(parameters.fixed_coordinates(layout, heights, 3))
    for slab in layout['slabs']:
        order = sorted(slab['atoms'], key=lambda atom: heights[atom])
        assert [bool(held[atom].all()) for atom in order] == [False] * 3 + [True] * 2 + [False] * 3
    assert not np.array(parameters.fixed_coordinates(layout, heights, None)).any()


def test_dipole_correction_lies_in_the_vacuum(process_of):
    process = process_of(overrides={'interface': {'kind': 'slab', 'vacuum': 12.0}})
    height = process.ctx.structure.cell[2][2]
    inputs = {'CONTROL': {}, 'SYSTEM': {}}
    parameters.add_dipole_correction(inputs, process.ctx.layout.get_dict(), height)
    start = inputs['SYSTEM']['emaxpos'] * height
    end = start + inputs['SYSTEM']['eopreg'] * height
    top = process.ctx.layout['slabs'][-1]['top']
    assert top < start < end < height
    assert (start + end) / 2 == pytest.approx((top + height) / 2)
    assert inputs['CONTROL'] == {'tefield': True, 'dipfield': True}


def test_local_densities_of_states_surround_the_fermi_energy(builder_of):
    values = parameters.parse_parameters(builder_of().parameters.get_dict())
    inputs = parameters.local_density_of_states(values, 7.0)['INPUTPP']
    # 0.01 Ry of smearing, the broadening and the step; half a step more
    assert values.ldos.step == values.ldos.broadening == inputs['delta_e'] == pytest.approx(0.136057)
    assert (inputs['emin'], inputs['emax']) == pytest.approx((5.0, 9.068028))
    assert parameters.bands_of(48, values) == 24 + 5


def test_thresholds_of_a_relaxation(builder_of):
    """0.02 eV/Å is 7.8e-4 Ry/bohr; aiida-quantumespresso has 1e-5 Ry per atom for 1e-4 Ry/bohr."""
    values = parameters.parse_parameters(builder_of(protocol='balanced').parameters.get_dict())
    control = parameters.relax(values, 48, 12)['CONTROL']
    assert control['forc_conv_thr'] == pytest.approx(7.78e-4, rel=1e-3)
    assert control['etot_conv_thr'] == pytest.approx(12 * 7.78e-5, rel=1e-3)
