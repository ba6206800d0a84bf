"""The screening in the provenance graph: builder, refusals, exit codes, one record set, nodes of the best pairs."""

from __future__ import annotations

import io
import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida.plugins import WorkflowFactory
from pymatgen.core import Lattice, Structure

from aiida_foundry.analysis.interfaces.crystals import matching_crystal
from aiida_foundry.analysis.interfaces.exact import match_of
from aiida_foundry.analysis.matching import StrainLimit, crystal_face, match_faces
from aiida_foundry.common.errors import InputError
from aiida_foundry.screening.runner import run_blocking
from aiida_foundry.structures.collections import Entry, write_archive
from aiida_foundry.workflows.interfaces.tiles import Screening
from aiida_foundry.workflows.interfaces.work import work_folder

PEROVSKITE = [[0, 0, 0], [1 / 2, 1 / 2, 1 / 2], [1 / 2, 1 / 2, 0], [1 / 2, 0, 1 / 2], [0, 1 / 2, 1 / 2]]
FCC = [[0, 0, 0], [0, 1 / 2, 1 / 2], [1 / 2, 0, 1 / 2], [1 / 2, 1 / 2, 0]]
ZINCBLENDE = FCC + [[x + 1 / 4, y + 1 / 4, z + 1 / 4] for x, y, z in FCC]
CRYSTALS = {
    'LaAlO3': Structure(Lattice.cubic(3.79), ['La', 'Al', 'O', 'O', 'O'], PEROVSKITE),
    'SrTiO3': Structure(Lattice.cubic(3.905), ['Sr', 'Ti', 'O', 'O', 'O'], PEROVSKITE),
    'diamond': Structure(Lattice.cubic(3.567), ['C'] * 8, ZINCBLENDE),
    'cBN': Structure(Lattice.cubic(3.615), ['B'] * 4 + ['N'] * 4, ZINCBLENDE),
    'Al': Structure(Lattice.cubic(4.05), ['Al'] * 4, FCC),
}
ONE_PLANE = {'parameters': {'min_thickness': 0.0, 'max_area': 20.0}}


@pytest.fixture
def workflow(aiida_profile):
    return WorkflowFactory('foundry.interfaces.screen')


def archive(*names: str) -> str:
    return write_archive(Entry(name, CRYSTALS[name]) for name in names)


@pytest.mark.parametrize('protocol', ['fast', 'balanced', 'stringent'])
def test_protocols(protocol, workflow, data_regression):
    builder = workflow.get_builder_from_protocol(archive('LaAlO3', 'SrTiO3'), protocol=protocol)
    data_regression.check(builder.parameters.get_dict())


@pytest.mark.parametrize(
    ('structures', 'arguments', 'words'),
    [
        (archive('LaAlO3', 'SrTiO3'), {'overrides': {'parameters': {'max_strain': 0}}}, 'max_strain'),
        (archive('LaAlO3', 'SrTiO3'), {'overrides': {'parameters': {'strain': 0.1}}}, 'override `parameters.strain`'),
        (archive('LaAlO3', 'SrTiO3'), {'known': {'LaAIO3': {'gap': 5.6}}}, 'LaAIO3'),
        (archive('LaAlO3', 'SrTiO3'), {'known': {'LaAlO3': {'gap': -1}}}, 'gap'),
        (archive('LaAlO3', 'SrTiO3'), {'protocol': 'quick'}, 'protocol `quick`'),
        (archive('LaAlO3'), {}, 'there are 1'),
        ({}, {}, 'there are 0'),
    ],
)
def test_builder_refuses(structures, arguments, words, workflow):
    with pytest.raises(InputError, match=words):
        workflow.get_builder_from_protocol(structures, **arguments)


def test_builder_refuses_properties_of_a_structure_that_is_not_there(workflow):
    nodes = {name: orm.StructureData(pymatgen=CRYSTALS[name]) for name in ('LaAlO3', 'SrTiO3')}
    with pytest.raises(InputError, match='LaAIO3'):
        workflow.get_builder_from_protocol(nodes, known={'LaAIO3': {'gap': 5.6}})


def test_process_refuses_what_did_not_pass_the_builder(workflow):
    builder = workflow.get_builder_from_protocol(archive('LaAlO3', 'SrTiO3'))
    with pytest.raises(ValueError, match='max_strain'):
        builder.parameters = orm.Dict({**builder.parameters.get_dict(), 'max_strain': 3})
    builder.known = orm.Dict({'LaAIO3': {'gap': 5.6}})
    with pytest.raises(ValueError, match='LaAIO3'):
        run_get_node(builder)
    del builder.archive
    with pytest.raises(ValueError, match='either'):
        run_get_node(builder)


@pytest.fixture(scope='module')
def screened(aiida_profile):
    """Return inputs, outputs and node of a screening of five crystals."""
    workflow = WorkflowFactory('foundry.interfaces.screen')
    builder = workflow.get_builder_from_protocol(archive(*CRYSTALS), protocol='fast', overrides=ONE_PLANE)
    results, node = run_get_node(builder)
    assert node.is_finished_ok
    return builder, results, node


def frame(node: orm.FolderData, name: str) -> pd.DataFrame:
    return pd.read_parquet(io.BytesIO(node.get_object_content(name, mode='rb')))


def test_record_set(screened, tmp_path):
    """The tables in the graph are those that the screening itself writes."""
    builder, results, _ = screened
    inputs = archive(*CRYSTALS), builder.parameters.get_dict(), {}
    with Screening(*inputs, tmp_path / 'work') as screening:
        summary = screening.write_tables(tmp_path)
    for name in ('crystals.parquet', 'pairs.parquet'):
        pd.testing.assert_frame_equal(frame(results['records'], name), pd.read_parquet(tmp_path / name))
    assert results['summary']['candidates'] == summary['candidates']
    assert results['summary']['left_out'] == {'metal, or elemental without a known gap': 1}
    assert not work_folder(*inputs).exists()


@pytest.mark.parametrize(
    ('film', 'substrate', 'miller', 'charge'), [('LaAlO3', 'SrTiO3', '1 0 0', 0.5), ('diamond', 'cBN', '1 1 1', 0.25)]
)
def test_known_interfaces(film, substrate, miller, charge, screened):
    """½ e per cell at LaAlO3/SrTiO3(001), ¼ at C/cBN(111): Nakagawa et al. (2006), Harrison et al. (1978)."""
    pairs = frame(screened[1]['records'], 'pairs.parquet')
    rows = pairs[(pairs.film == film) & (pairs.substrate == substrate) & (pairs.film_miller == miller)]
    rows = rows[(rows.substrate_miller == miller) & (rows.film_multiple == 1)]
    assert rows.charge_e.abs().tolist() == [charge]
    assert rows.charge_quantum_e.tolist() == [1]


def test_nodes_of_the_best_pairs_only(screened):
    """The graph has inputs, record set, and per pair that goes on a row number, a match, at most two crystals."""
    _, results, node = screened
    assert len(results['matches']) == len(results['summary']['best']) == 2
    made = [data for process in node.called for data in process.base.links.get_outgoing().all_nodes()]
    kinds = sorted(type(data).__name__ for data in made)
    assert kinds == ['Dict'] * 3 + ['FolderData'] + ['StructureData'] * 4
    match = results['matches']['rank_001']
    inputs = {link.link_label: link.node for link in match.creator.base.links.get_incoming().all() if link.node != node}
    assert inputs['records'].uuid == results['records'].uuid
    both = inputs['film'].get_pymatgen(), inputs['substrate'].get_pymatgen()
    rebuilt = match_of(*both, match.get_dict())
    assert rebuilt.max_strain == pytest.approx(match['candidate']['strain'], abs=1e-5)
    assert both[0].composition.reduced_formula == match['candidate']['film_formula']
    json.dumps(match.get_dict(), allow_nan=False)


def test_structures_of_the_profile(workflow):
    nodes = {name: orm.StructureData(pymatgen=CRYSTALS[name]).store() for name in ('LaAlO3', 'SrTiO3')}
    known = {'SrTiO3': {'gap': 3.2, 'dielectric_constant': 300.0}, 'LaAlO3': {'gap': 5.6, 'dielectric_constant': 24.0}}
    builder = workflow.get_builder_from_protocol(nodes, known=known, protocol='fast', overrides=ONE_PLANE)
    results, node = run_get_node(builder)
    assert node.is_finished_ok
    best = results['summary']['best'][0]
    assert (best['film'], best['substrate'], best['charge_e']) == ('LaAlO3', 'SrTiO3', 0.5)
    assert best['critical_thickness_A'] == pytest.approx(324 * 3.2 / 180.95 / best['charge_density_e_A2'], rel=1e-3)
    creator = results['matches']['rank_001'].creator
    assert creator.inputs.film.uuid == nodes['LaAlO3'].uuid


def test_too_few_insulators(workflow):
    builder = workflow.get_builder_from_protocol(archive('LaAlO3', 'Al'), protocol='fast')
    results, node = run_get_node(builder)
    assert node.exit_status == 501
    assert '1 of 2 crystals' in node.exit_message
    assert 'elemental' in frame(results['records'], 'crystals.parquet').reason[1]


def test_match_that_is_missing(workflow, monkeypatch):
    """A pair of chiral crystals may match in the other orientation only: the rank is named, all else is there.

    No such pair is known to the tests; the limit that stored and exact strain may differ by is taken to be negative.
    """
    monkeypatch.setattr('aiida_foundry.analysis.interfaces.exact.STORED', -1.0)
    builder = workflow.get_builder_from_protocol(archive('LaAlO3', 'SrTiO3'), protocol='fast', overrides=ONE_PLANE)
    results, node = run_get_node(builder)
    assert node.exit_status == 701
    assert 'rank 1 ' in node.exit_message
    assert 'matches' not in results
    assert results['summary']['candidates'] > 0


def test_work_of_a_killed_process_is_used(workflow):
    inputs = archive('SrTiO3', 'LaAlO3', 'Al'), {'max_area': 20.0, 'best': 0}, {}
    folder = work_folder(*inputs)
    with Screening(*inputs, folder) as screening:
        screening.advance()
        assert screening.crystals[2].reason
    # a table that a process which was killed had finished; were it computed again, this name would be lost
    table = pq.read_table(folder / 'crystals-000000.parquet')
    names = ['marked', *table['name'].to_pylist()[1:]]
    pq.write_table(table.set_column(0, 'name', pa.array(names)), folder / 'crystals-000000.parquet')
    builder = workflow.get_builder()
    builder.archive = orm.SinglefileData(io.BytesIO(inputs[0].encode()), filename='structures.jsonl')
    builder.parameters = orm.Dict(inputs[1])
    results, node = run_get_node(builder)
    assert node.is_finished_ok
    assert frame(results['records'], 'crystals.parquet').name[0] == 'marked'
    assert not folder.exists()


def test_others_have_their_turn_between_two_pieces_of_work(workflow, monkeypatch):
    """The runner sees how far it is, and could stop it, while it works."""
    monkeypatch.setattr('aiida_foundry.workflows.interfaces.screen.SLICE', 0.0)
    monkeypatch.setattr('aiida_foundry.workflows.interfaces.tiles.CHUNK', 1)
    monkeypatch.setattr('aiida_foundry.screening.runner.INTERVAL', 1e-4)
    seen = set()

    def observe(runner):
        seen.update(timed.process.node.process_status for timed in runner.timed.values())

    names = ('Al', 'diamond', 'cBN', 'LaAlO3')
    run_blocking(workflow.get_builder_from_protocol(archive(*names), overrides={'parameters': {'best': 0}}), observe)
    assert 'blocks of pairs: 1 of 1' in seen
    assert len(seen - {None, 'blocks of pairs: 1 of 1'}) > 0


def test_match_is_ready_for_a_heterostructure(screened):
    """The arguments handed on lead the search for a heterostructure to the same match."""
    for record in screened[1]['matches'].values():
        handed = record['heterostructure']
        inputs = {link.link_label: link.node for link in record.creator.base.links.get_incoming().all()}
        both = [inputs[name].get_pymatgen() for name in ('film', 'substrate')]
        faces = [
            crystal_face(matching_crystal(one), tuple(handed[f'{name}_miller']))
            for one, name in zip(both, ('film', 'substrate'), strict=True)
        ]
        limits = handed['overrides']['matching']
        ranked = list(match_faces(*faces, max_area=limits['max_area'], limit=StrainLimit(limits['max_strain'])))
        match = ranked[limits['choice']]
        assert match.film.transformation.tolist() == record['film']['transformation']
        assert match.substrate.transformation.tolist() == record['substrate']['transformation']
