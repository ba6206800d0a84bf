"""Berry phases of the profile in a screening: a polar crystal takes part with all its faces, and the graph says why."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.plugins import WorkflowFactory
from click.testing import CliRunner
from scipy.constants import e

from aiida_foundry.cli import cli
from aiida_foundry.common.errors import InputError

pytestmark = pytest.mark.engine

CONSTANT, SHIFT = 4.084, 0.04
FCC = CONSTANT / 2 * (1 - np.eye(3))
LIMITS = {'parameters': {'min_thickness': 0.0, 'max_area': 20.0, 'sureness': 'unsure'}}


def rock_salt(anion: str, shift: float = 0.0) -> orm.StructureData:
    """Return a primitive cell of rock salt, the anion displaced along z by a fraction of the cubic cell."""
    structure = orm.StructureData(cell=FCC.tolist())
    structure.append_atom(position=(0, 0, 0), symbols='Li')
    structure.append_atom(position=(CONSTANT / 2, CONSTANT / 2, CONSTANT * (0.5 + shift)), symbols=anion)
    return structure


@pytest.fixture(scope='module')
def crystals(aiida_profile):
    return {'polar': rock_salt('H', SHIFT).store(), 'cubic': rock_salt('F').store()}


@pytest.fixture(scope='module')
def polarization(engine_codes, pbe_family, crystals):
    """Return the output of a coarse Berry-phase run of LiH with a displaced anion: four electrons."""
    overrides = {
        'kpoints_mesh': [2, 2, 2],
        'parameters': {'wavefunction_cutoff': 15.0, 'density_cutoff': 60.0, 'phase_tolerance': 0.05},
    }
    builder = WorkflowFactory('foundry.polarization.berry').get_builder_from_protocol(
        engine_codes['pw'], crystals['polar'], protocol='fast', overrides=overrides, options={'withmpi': False}
    )
    outputs, node = run_get_node(builder)
    assert node.is_finished_ok, node.exit_message
    return outputs['polarization']


@pytest.fixture(scope='module')
def workflow(aiida_profile):
    return WorkflowFactory('foundry.interfaces.screen')


@pytest.fixture(scope='module')
def screened(workflow, crystals, polarization):
    builder = workflow.get_builder_from_protocol(
        crystals, known={'LiH': {'gap': 5.0}}, polarizations=[polarization], protocol='fast', overrides=LIMITS
    )
    node = run_get_node(builder).node
    assert node.is_finished_ok, node.exit_message
    return node


def table(node: orm.ProcessNode, name: str) -> pd.DataFrame:
    return pd.read_parquet(io.BytesIO(node.outputs.records.get_object_content(name, mode='rb')))


def test_polar_crystal_takes_part_with_its_polar_face(screened, polarization):
    """σ of (001) is P_z times the area of the cell, P_z that of the Berry phase; LiF has none there."""
    rows = table(screened, 'crystals.parquet').set_index('name')
    assert rows.polarization.to_dict() == {'polar': 'given', 'cubic': 'fixed'}
    pairs = table(screened, 'pairs.parquet')
    row = pairs[(pairs.film_miller == '1 0 0') & (pairs.substrate_miller == '0 0 1')].iloc[0]
    assert (row.film, row.substrate, row.film_multiple, row.substrate_multiple) == ('cubic', 'polar', 1, 1)
    charge = polarization['cartesian'][2] * CONSTANT**2 / 2 * 1e-20 / e
    assert abs(row.charge_e) == pytest.approx(abs(charge - round(charge)), abs=1e-4)
    assert abs(row.charge_e) > 0.03


def test_graph_links_the_berry_phase_to_the_tables(screened, polarization):
    step = next(one for one in screened.called if one.process_label == 'add_polarizations')
    assert step.inputs.crystal_1.uuid == polarization.uuid
    known = step.outputs.result
    assert known['polar'] == {
        'gap': 5.0,
        'polarization': polarization['cartesian'],
        'source': f'polarization: node {polarization.uuid}',
    }
    assert screened.outputs.records.creator.inputs.known.uuid == known.uuid


def test_without_it_only_non_polar_faces_take_part(workflow, crystals):
    builder = workflow.get_builder_from_protocol(crystals, protocol='fast', overrides=LIMITS)
    node = run_get_node(builder).node
    rows = table(node, 'crystals.parquet').set_index('name')
    assert rows.polarization['polar'] == 'polar'
    assert '0 0 1' not in set(table(node, 'pairs.parquet').substrate_miller)


def test_refused(workflow, crystals, polarization):
    def build(structures=crystals, nodes=(polarization,), **arguments):
        return workflow.get_builder_from_protocol(structures, polarizations=nodes, protocol='fast', **arguments)

    with pytest.raises(InputError, match='no crystal is the HLi'):
        build({'cubic': crystals['cubic'], 'more polar': rock_salt('H', 2 * SHIFT)})
    with pytest.raises(InputError, match='crystal polar: it has several'):
        build(nodes=[polarization, polarization])
    with pytest.raises(InputError, match='properties of `polar`: a polarization is given'):
        build(known={'LiH': {'polarization': [0, 0, 0.1]}})
    with pytest.raises(InputError, match='does not come from'):
        build(nodes=[orm.Dict(polarization.get_dict()).store()])
    builder = build()
    builder.polarizations = {'crystal_0': polarization}
    with pytest.raises(ValueError, match=r'polarizations.crystal_0: polarization .* is not that of this crystal'):
        run_get_node(builder)


def test_command_line_finds_it(screened, crystals, polarization):
    group, _ = orm.Group.collection.get_or_create('polar and cubic')
    group.add_nodes(list(crystals.values()))
    arguments = ['interfaces', 'screen', '--group', 'polar and cubic', '--protocol', 'fast', '--dry-run']
    done = CliRunner().invoke(cli, [*arguments, '--polarizations', 'functional=PBE,wavefunction_cutoff=15'])
    assert done.exit_code == 0, done.output
    assert 'Berry phases of the profile that are used: 1' in done.output
    done = CliRunner().invoke(cli, [*arguments, '--polarizations', 'functional=LDA'])
    assert done.exit_code == 2
    assert '0 in the profile satisfy them' in done.output
