"""A hundred thousand gaps: query and export to Parquet against the loop over AiiDA's ORM that one writes first.

Nodes and links are those of real GW gaps, inserted in bulk (no validation, no hashes) into a profile made for it, with
the storage of setup (SQLite, write-ahead log): per record a workflow, one step with its output, parameters, gaps, cost
and two sets of bands; five records share a structure and its mesh, all share a pseudopotential. `--profile NAME` fills
and measures that existing profile instead, e.g. one on PostgreSQL: use one that has nothing else.

Each measurement runs in a process of its own. Peak memory is that of the whole process, imports included. The ORM loop
reads the same fields of the first records. Seconds are CPU seconds, which other programs hardly change.
Last line: JSON with the ratio of rows per second, export against ORM loop.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from uuid import uuid4

FIXTURES = Path(__file__).parents[1] / 'tests' / 'fixtures'
GW = 'aiida.workflows:foundry.gw.abinit'
NAME = 'benchmark'
TARGET = 50
MEMORY_TARGET = 500
METHODS = ('g0w0-ppm', 'g0w0-ff', 'evgw', 'qsgw', 'qsgw-vertex')
CHUNK = 2000


# The profile.


def load(profile: str | None) -> None:
    import aiida

    if profile is not None:
        aiida.load_profile(profile)
        return
    from aiida_foundry.setup.profile import ensure_profile

    ensure_profile(NAME)


class Filler:
    """Rows of nodes and links, inserted some thousand at a time."""

    def __init__(self) -> None:
        from aiida import orm
        from aiida.manage import get_manager

        storage = get_manager().get_profile_storage()
        tables = storage.query()
        self.session, self.nodes, self.links = storage.get_session(), tables.Node.__table__, tables.Link.__table__
        last = orm.QueryBuilder().append(orm.Node, project='id').order_by({orm.Node: {'id': 'desc'}}).first(flat=True)
        self.key, self.user = last or 0, orm.User.collection.get_default().pk
        self.rows: dict[str, list[dict[str, Any]]] = {'node': [], 'link': []}

    def node(self, node_type: str, attributes: dict[str, Any], **columns: Any) -> int:
        """Add a node and return its key."""
        self.key += 1
        now = datetime.now(timezone.utc)
        values = {'id': self.key, 'uuid': str(uuid4()), 'node_type': node_type, 'attributes': attributes, 'label': ''}
        values |= {'process_type': None, 'ctime': now, 'mtime': now, 'user_id': self.user, 'dbcomputer_id': None}
        self.rows['node'].append(values | {'description': '', 'repository_metadata': {}, 'extras': {}} | columns)
        return self.key

    def link(self, source: int, target: int, kind: str, label: str) -> None:
        """Add a link."""
        self.rows['link'].append({'input_id': source, 'output_id': target, 'type': kind, 'label': label})

    def output(self, process: int, label: str, node_type: str, attributes: dict[str, Any]) -> None:
        """Add a node that a process returns."""
        self.link(process, self.node(node_type, attributes), 'return', label)

    def flush(self) -> None:
        """Insert what was added."""
        for table, name in ((self.nodes, 'node'), (self.links, 'link')):
            if self.rows[name]:
                self.session.execute(table.insert(), self.rows[name])
            self.rows[name] = []
        self.session.commit()


def pseudopotential() -> int:
    from aiida_pseudo.data.pseudo.upf import UpfData

    content = gzip.decompress((FIXTURES / 'psp8' / 'Si-PBEsol.upf.gz').read_bytes())
    return UpfData(io.BytesIO(content), filename='Si.upf').store().pk


def crystal(number: int) -> dict[str, Any]:
    a = 2.7 + number * 1e-6
    kinds = [{'name': 'Si', 'symbols': ['Si'], 'weights': [1.0], 'mass': 28.0855}]
    sites = [{'kind_name': 'Si', 'position': [x, x, x]} for x in (0.0, a / 2)]
    return {
        'cell': [[0, a, a], [a, 0, a], [a, a, 0]],
        'kinds': kinds,
        'sites': sites,
        'pbc1': True,
        'pbc2': True,
        'pbc3': True,
    }


def gaps(number: int, method: str) -> dict[str, Any]:
    def gap(value: float) -> dict[str, Any]:
        edge = {'energy': value, 'kpoint': [0.0, 0.0, 0.0], 'band': 4, 'spin': 1}
        edges = {'valence_maximum': edge, 'conduction_minimum': edge, 'direct_kpoint': [0.0, 0.0, 0.0]}
        return {'direct': value, 'indirect': value - 1.5, **edges}

    record = {'kohn_sham': gap(2.4), 'quasiparticle': gap(2.5 + (number % 1000) * 1e-3)}
    return {'method': method, 'units': 'eV', **record, 'bands': [2, 7], 'extremum_on_mesh': number % 2 == 0}


def fill(number: int) -> None:
    pseudo, filler = pseudopotential(), Filler()
    version = {'core': '2.9.4', 'plugin': '0.1.0'}
    ended = {'process_state': 'finished', 'exit_status': 0, 'sealed': True, 'version': version}
    methods = {method: filler.node('data.core.str.Str.', {'value': method}) for method in METHODS}
    for index in range(number):
        method = METHODS[index % len(METHODS)]
        if index % len(METHODS) == 0:
            structure = filler.node('data.core.structure.StructureData.', crystal(index))
            mesh = filler.node('data.core.array.kpoints.KpointsData.', {'mesh': [8, 8, 8], 'offset': [0, 0, 0]})
        process = filler.node('process.workflow.workchain.WorkChainNode.', ended, process_type=GW, label='')
        parameters = {'starting_functional': 'PBE', 'wavefunction_cutoff': 20.0, 'screening_cutoff': 12.0}
        parameters |= {'bands': 170, 'frequency': {'treatment': 'plasmon-pole', 'real_points': 60}}
        dictionary = filler.node('data.core.dict.Dict.', parameters)
        inputs = {'structure': structure, 'method': methods[method], 'kpoints': mesh, 'parameters': dictionary}
        for label, node in (inputs | {'pseudos__Si': pseudo}).items():
            filler.link(node, process, 'input_work', label)
        step = filler.node(
            'process.workflow.workchain.WorkChainNode.', ended, process_type='aiida.workflows:foundry.abinit.base'
        )
        filler.link(process, step, 'call_work', 'self_energy')
        filler.output(step, 'output_parameters', 'data.core.dict.Dict.', {'abinit_version': '9.6.2', 'energy': -215.0})
        filler.output(process, 'gaps', 'data.core.dict.Dict.', gaps(index, method))
        filler.output(process, 'cost', 'data.core.dict.Dict.', {'core_seconds': 100.0, 'core_hours': 100 / 3600})
        for label in ('quasiparticle_bands', 'kohn_sham_bands'):
            filler.output(process, label, 'data.core.array.bands.BandsData.', {'units': 'eV', 'array|bands': [29, 6]})
        if index % CHUNK == CHUNK - 1:
            filler.flush()
    filler.flush()
    filler.session.connection().exec_driver_sql('ANALYZE')
    filler.session.commit()
    print(json.dumps({'nodes': filler.key}))


# Measurements.


def count_statements() -> Callable[[], int]:
    from aiida.manage import get_manager
    from sqlalchemy import event

    executed: list[str] = []
    engine = get_manager().get_profile_storage().get_session().get_bind()
    event.listen(engine, 'before_cursor_execute', lambda *arguments: executed.append(arguments[2]))
    return lambda: len(executed)


def measure(task: Callable[[], int]) -> None:
    """Print rows per second, statements and peak memory of a task that returns its number of rows."""
    number, start = count_statements(), time.process_time()
    rows = task()
    seconds = time.process_time() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({'rows': rows, 'seconds': seconds, 'statements': number(), 'memory': memory}))


def query_all() -> int:
    from aiida_foundry import datasets

    return sum(len(batch) for batch in datasets.gaps().batches())


def query_some() -> int:
    from aiida_foundry import datasets

    return len(datasets.gaps('method=qsgw,direct>=3.4').frame())


def export_parquet() -> int:
    from aiida_foundry import datasets
    from aiida_foundry.datasets.export import export

    with tempfile.TemporaryDirectory() as folder:
        return export(datasets.gaps(), Path(folder) / 'gaps.parquet')


def orm_loop(limit: int) -> int:
    from aiida import orm

    query = orm.QueryBuilder().append(orm.WorkChainNode, filters={'process_type': GW, 'attributes.exit_status': 0})
    return len([orm_row(node) for node in query.limit(limit).all(flat=True)])


def orm_row(node: Any) -> dict[str, Any]:
    """Read the fields of a record as one does at first."""
    structure, parameters = node.inputs.structure, node.inputs.parameters.get_dict()
    found, version = node.outputs.gaps.get_dict(), node.base.attributes.get('version')
    return {
        'uuid': node.uuid,
        'process': node.process_type,
        'label': node.label,
        'created': node.ctime,
        'exit_status': node.exit_status,
        'aiida_version': version['core'],
        'plugin_version': version['plugin'],
        'engines': {child.outputs.output_parameters['abinit_version'] for child in node.called},
        'formula': structure.get_formula('hill_compact'),
        'atoms': len(structure.sites),
        'structure': structure.uuid,
        'pseudopotentials': sorted(pseudo.md5 for pseudo in dict(node.inputs.pseudos).values()),
        'method': node.inputs.method.value,
        'direct': found['quasiparticle']['direct'],
        'indirect': found['quasiparticle']['indirect'],
        'kohn_sham_direct': found['kohn_sham']['direct'],
        'kohn_sham_indirect': found['kohn_sham']['indirect'],
        'extremum_on_mesh': found['extremum_on_mesh'],
        'functional': parameters['starting_functional'],
        'frequency_treatment': parameters['frequency']['treatment'],
        'mesh': node.inputs.kpoints.get_kpoints_mesh()[0],
        'wavefunction_cutoff': parameters['wavefunction_cutoff'],
        'screening_cutoff': parameters['screening_cutoff'],
        'bands': parameters['bands'],
        'core_seconds': node.outputs.cost['core_seconds'],
        'quasiparticle_bands': node.outputs.quasiparticle_bands.uuid,
        'kohn_sham_bands': node.outputs.kohn_sham_bands.uuid,
    }


TASKS: dict[str, Callable[[int], None]] = {
    'fill': fill,
    'orm loop': lambda number: measure(lambda: orm_loop(min(number, 100))),
    'query, all': lambda _: measure(query_all),
    'query, 2 %': lambda _: measure(query_some),
    'export': lambda _: measure(export_parquet),
}


def run(task: str, number: int, profile: str | None, home: str) -> dict[str, Any]:
    command = [sys.executable, __file__, '--task', task, '--number', str(number)]
    command += ['--profile', profile] if profile else []
    environment = os.environ | ({} if profile else {'AIIDA_PATH': home})
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f'{task} failed:\n{done.stderr[-4000:]}')
    record: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return record


def report(number: int, profile: str | None, home: str) -> Iterator[tuple[str, dict[str, Any]]]:
    print(f'{run("fill", number, profile, home)["nodes"]} nodes for {number} records')
    print(f'{"":14}{"rows":>9}{"CPU s":>10}{"rows/s":>10}{"SQL":>8}{"peak MB":>10}')
    for task in list(TASKS)[1:]:
        record = run(task, number, profile, home)
        rate = record['rows'] / record['seconds']
        print(
            f'{task:14}{record["rows"]:>9}{record["seconds"]:>10.2f}{rate:>10.0f}{record["statements"]:>8}{record["memory"]:>10.0f}'
        )
        yield task, record | {'rate': rate}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--quick', action='store_true', help='3000 records')
    parser.add_argument('--number', type=int, default=100_000, help='records (default: 100000)')
    parser.add_argument('--profile', help='fill and measure this existing profile')
    parser.add_argument('--task', choices=list(TASKS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.task:
        load(arguments.profile)
        TASKS[arguments.task](arguments.number)
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        number = 3000 if arguments.quick else arguments.number
        results = dict(report(number, arguments.profile, home))
    ratio = results['export']['rate'] / results['orm loop']['rate']
    memory, statements = results['export']['memory'], results['export']['statements']
    assert results['export']['rows'] >= number
    holds = ratio >= TARGET and memory <= MEMORY_TARGET and statements == results['query, 2 %']['statements']
    summary = {'name': 'query', 'ratio': round(ratio, 1), 'target': TARGET, 'holds': holds}
    print(json.dumps(summary | {'statements': statements, 'peak_mb': round(memory), 'records': number}))


if __name__ == '__main__':
    main()
