"""Seeded mutants of the real outputs in tests/fixtures, through the parsers: no traceback, nothing wrong unseen.

Each mutant is one stored run with one file damaged: truncated, emptied, filled with NaN, of another version, of another
run, with deleted lines, exchanged numbers or flipped bits. The parser has to return a named exit code, or the results
of the undamaged run (numbers within 2 meV or 1e-5 of themselves: ABINIT prints three decimals). Anything else is a
failure: a traceback, more than ten CPU seconds, or other numbers without an exit code.

What silent damage a parser can see depends on what it has to compare with: checksums that the job writes, what the
engine writes twice, the input, and identities between numbers.

Two rounds. `after`: the file was damaged after the run ended (transfer, disk), so that the checksums that the job wrote
do not fit; a parser whose jobs write none is tested all the same. `engine`: the engine wrote the damaged file, its
checksum fits; only the damages that engines do are tried. What an engine leaves of another run is of an earlier one.

Usage: python benchmarks/mutants.py [--quick]
[--number N] [--seed S] [--parser NAME]. Last line: JSON.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import logging
import os
import random
import re
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

FIXTURES = Path(__file__).parents[1] / 'tests' / 'fixtures'
CHECKSUMS = 'checksums.sha256'
HDF5 = b'\x89HDF'  # the beginning of a netCDF file
TIME_LIMIT = 10  # CPU seconds; a parser that waits is stopped after 30 times that
#: Results that no one takes for physics: how long it took and what memory, what the engine warned of, who wrote the
#: file, the threshold of a diagonalisation, and the numbers that aiida-quantumespresso gives to symmetry operations.
IGNORED = re.compile(
    r'(time|seconds|warnings|version|creator|date|parser|format|symmetries|ram_per|energy_threshold)', re.IGNORECASE
)
NUMBER = re.compile(rb'(?<![\w.])[-+]?\d+\.\d+(?:[DEde][-+]?\d+)?(?![\w.])')

Files = dict[str, bytes]


class TooLongError(Exception):
    """A parser did not end in time."""


# Damages. Each takes the content, a source of random numbers and the contents of the same file in other runs.


def truncated(content: bytes, dice: random.Random, _: list[bytes]) -> bytes:
    return content[: dice.randrange(len(content))]


def emptied(_: bytes, __: random.Random, ___: list[bytes]) -> bytes:
    return b''


def of_another_run(content: bytes, dice: random.Random, others: list[bytes]) -> bytes:
    return dice.choice([other for other in others if other != content] or [b''])


def flipped_bits(content: bytes, dice: random.Random, _: list[bytes]) -> bytes:
    damaged = bytearray(content)
    for _ in range(dice.choice([1, 1, 1, 8])):
        damaged[dice.randrange(len(damaged))] ^= 1 << dice.randrange(8)
    return bytes(damaged)


def deleted_lines(content: bytes, dice: random.Random, _: list[bytes]) -> bytes:
    lines = content.splitlines(keepends=True)
    first = dice.randrange(len(lines))
    del lines[first : first + dice.choice([1, 1, 3, 20])]
    return b''.join(lines)


def exchanged_numbers(content: bytes, dice: random.Random, _: list[bytes]) -> bytes:
    places = [match.span() for match in NUMBER.finditer(content)]
    if len(places) < 2:
        return emptied(content, dice, [])
    (a, b), (c, d) = sorted(dice.sample(places, 2))
    return content[:a] + content[c:d] + content[b:c] + content[a:b] + content[d:]


def nan_in_text(content: bytes, dice: random.Random, _: list[bytes]) -> bytes:
    places = [match.span() for match in NUMBER.finditer(content)]
    if not places:
        return emptied(content, dice, [])
    if dice.random() < 0.3:
        return NUMBER.sub(b'NaN', content)
    a, b = dice.choice(places)
    return content[:a] + b'NaN'.rjust(b - a) + content[b:]


def of_another_version(content: bytes, dice: random.Random, _: list[bytes]) -> bytes:
    """Rename a word that the parser may look for, everywhere."""
    words = sorted(set(re.findall(rb'[A-Za-z_]{5,}', content)))
    word = dice.choice(words) if words else b'?'
    return content.replace(word, word[::-1])


def _edited(content: bytes, edit: Callable[[netCDF4.Dataset], None]) -> bytes:
    with tempfile.NamedTemporaryFile(suffix='.nc') as file:
        file.write(content)
        file.flush()
        with netCDF4.Dataset(file.name, 'a') as dataset:
            edit(dataset)
        return Path(file.name).read_bytes()


def _floats(dataset: netCDF4.Dataset) -> list[str]:
    return [name for name, entry in dataset.variables.items() if entry.dtype in (np.float64, np.float32)]


def nan_in_netcdf(content: bytes, dice: random.Random, _: list[bytes]) -> bytes:
    def edit(dataset: netCDF4.Dataset) -> None:
        variable = dataset[dice.choice(_floats(dataset))]
        values = np.ma.filled(variable[...].astype(float), np.nan)
        if values.shape and dice.random() < 0.7:
            values.flat[dice.randrange(values.size)] = np.nan
        else:
            values = np.full_like(values, np.nan)
        variable[...] = values

    return _edited(content, edit)


def exchanged_in_netcdf(content: bytes, dice: random.Random, _: list[bytes]) -> bytes:
    def edit(dataset: netCDF4.Dataset) -> None:
        names = [name for name in _floats(dataset) if dataset[name].size > 1]
        variable = dataset[dice.choice(names)]
        values = np.array(variable[...])
        a, b = dice.randrange(values.size), dice.randrange(values.size)
        values.flat[a], values.flat[b] = values.flat[b], values.flat[a]
        variable[...] = values

    return _edited(content, edit)


def netcdf_of_another_version(content: bytes, dice: random.Random, _: list[bytes]) -> bytes:
    def edit(dataset: netCDF4.Dataset) -> None:
        name = dice.choice(sorted(dataset.variables))
        dataset.renameVariable(name, name[::-1] + '_')

    return _edited(content, edit)


TEXT = {
    'truncated': truncated,
    'emptied': emptied,
    'NaN': nan_in_text,
    'other version': of_another_version,
    'other run': of_another_run,
    'deleted lines': deleted_lines,
    'exchanged': exchanged_numbers,
    'flipped bits': flipped_bits,
}
NETCDF = TEXT | {'NaN': nan_in_netcdf, 'other version': netcdf_of_another_version, 'exchanged': exchanged_in_netcdf}
del NETCDF['deleted lines']
#: What an engine does by itself; the rest is done to its files afterwards.
BY_ENGINE = ('truncated', 'emptied', 'NaN', 'other version', 'other run')


# Parsers.


@dataclass
class Tested:
    """A parser under test.

    Args:
        parser: entry point.
        calculation: entry point.
        folder: of the stored runs.
        cases: names of the stored runs, in the order in which they were made.
        inputs: returns the inputs of a run as nodes.
        files: regular expression of the files that are damaged.
        options: of the calculation.
        checksums: whether the jobs write checksums.
        temporary: regular expression of the files that are not kept.
    """

    parser: str
    calculation: str
    folder: str
    cases: list[str]
    inputs: Callable[[str], dict[str, Any]]
    files: str
    options: dict[str, Any]
    checksums: bool
    temporary: str = '$^'


def silicon() -> Any:
    from aiida import orm

    h = 10.2631026 / 2 * 0.529177210903
    structure = orm.StructureData(cell=[[0, h, h], [h, 0, h], [h, h, 0]])
    for x in (0, h / 2):
        structure.append_atom(position=(x, x, x), symbols='Si')
    return structure


def mesh(number: int) -> Any:
    from aiida import orm

    kpoints = orm.KpointsData()
    kpoints.set_kpoints_mesh([number] * 3)
    return kpoints


def abinit_inputs(case: str) -> dict[str, Any]:
    from aiida import orm

    parameters = json.loads((FIXTURES / 'abinit' / case / 'parameters.json').read_text())
    return {'structure': silicon(), 'kpoints': mesh(2), 'parameters': orm.Dict(parameters)}


def wannier90_inputs(case: str) -> dict[str, Any]:
    from aiida import orm

    kpoints = mesh(2)
    keywords: dict[str, Any] = {'num_wann': 4, 'num_iter': 1000}
    if case == 'si_empty':
        keywords |= {'num_bands': 12, 'exclude_bands': '1-4', 'dis_froz_max': 9.76}
    if case == 'aln_valence':
        keywords = {'num_wann': 6, 'num_bands': 6, 'num_iter': 1000}
        kpoints.set_kpoints_mesh([3, 3, 2])
    overlaps = orm.RemoteData(remote_path='/scratch/overlaps', computer=computer())
    return {'structure': silicon(), 'kpoints': kpoints, 'parameters': orm.Dict(keywords), 'overlaps': overlaps}


def pw_inputs(case: str) -> dict[str, Any]:
    from aiida import orm

    control = {'calculation': 'nscf', 'lberry': True} if case.startswith('berry') else {'calculation': 'scf'}
    return {'structure': silicon(), 'kpoints': mesh(4), 'parameters': orm.Dict({'CONTROL': control})}


def pp_inputs(case: str) -> dict[str, Any]:
    from aiida import orm

    number = {'potential': 11, 'ldos': 3}[case]
    return {'parameters': orm.Dict({'INPUTPP': {'plot_num': number}, 'PLOT': {'iflag': 3}})}


def kcw_inputs(case: str) -> dict[str, Any]:
    """Return the namelists and, of `ham`, the screening parameters; a recorded run has them in its own words."""
    from aiida import orm

    from aiida_foundry.engines.kcw.parse_raw import ham, run

    step = case.partition('_')[0]
    text = _content(FIXTURES / 'kcw' / f'{case}.out.gz').decode()
    settings = run.parse_run(text).settings
    divisions = dict(zip(('mp1', 'mp2', 'mp3'), (int(word) for word in settings['MP grid'].split()), strict=True))
    functions = {name: int(settings[name]) for name in ('num_wann_occ', 'num_wann_emp')}
    namelists: dict[str, Any] = {'CONTROL': divisions | {'l_vcut': settings['l_vcut'] == 'T'}, 'WANNIER': functions}
    if step == 'screen':
        namelists['SCREEN'] = {name: float(settings[name]) for name in ('tr2', 'eps_inf')}
        namelists['SCREEN'] |= {'i_orb': int(settings['i_orb'])} if 'i_orb' in settings else {}
    inputs: dict[str, Any] = {'parameters': orm.Dict(namelists)}
    return inputs | ({'screening': orm.ArrayData({'alpha': ham.parse_ham(text).alpha})} if step == 'ham' else {})


def ki_inputs(case: str) -> dict[str, Any]:
    from aiida import orm

    return {'parameters': orm.Dict({'dielectric_constant': {'si_lda_222': 13.0, 'alp_pbe_321': 8.0}[case]})}


def yambo_inputs(case: str) -> dict[str, Any]:
    """Return what was given to a run of Yambo; that of p2y reads nothing of its inputs."""
    from aiida import orm

    folder, crystal = FIXTURES / 'yambo' / case, case.partition('_')[0]
    if case.endswith('p2y'):
        return {}
    inputs: dict[str, Any] = {'parameters': orm.Dict(json.loads((folder / 'parameters.json').read_text()))}
    setup = FIXTURES / 'yambo' / f'{crystal}_p2y' / 'results' / 'ns.db1.gz'
    files = {'setup': setup, 'quasiparticle_file': folder / 'ndb.QP.gz'}
    return inputs | {
        label: orm.SinglefileData.from_bytes(_content(path), filename=path.stem)
        for label, path in files.items()
        if path.is_file()
    }


STANDARD_ERROR = {'scheduler_stderr': '_scheduler-stderr.txt'}
PARSERS = {
    'abinit': Tested(
        'foundry.abinit',
        'foundry.abinit',
        'abinit',
        ['scf', 'nscf', 'bands', 'spin', 'relaxation', 'screening', 'sigma_ppm', 'sigma_qsgw', 'bse', 'response'],
        abinit_inputs,
        r'aiida\.(log|abo)|out_\w+\.nc|out_DDB',
        {'input_filename': 'aiida.abi', 'output_filename': 'aiida.log', **STANDARD_ERROR},
        True,
    ),
    'pw': Tested(
        'foundry.pw',
        'quantumespresso.pw',
        'pw',
        ['si', 'al'],
        pw_inputs,
        r'aiida\.out|data-file-schema\.xml',
        {'output_filename': 'aiida.out'},
        True,
    ),
    'pw.berry': Tested(
        'foundry.pw.berry',
        'quantumespresso.pw',
        'pw',
        ['berry_lih', 'berry_lih_spin'],
        pw_inputs,
        r'aiida\.out|data-file-schema\.xml',
        {'output_filename': 'aiida.out'},
        True,
    ),
    'pp': Tested(
        'foundry.pp.planar',
        'quantumespresso.pp',
        'pp',
        ['potential', 'ldos'],
        pp_inputs,
        r'aiida\.out|aiida\.\w*fileout|aiida\.filplot\d+aiida\.fileout',
        {'output_filename': 'aiida.out'},
        True,
        temporary=r'.*fileout',
    ),
    'wannier90': Tested(
        'foundry.wannier90',
        'foundry.wannier90',
        'wannier90',
        ['si_occupied', 'si_empty', 'aln_valence'],
        wannier90_inputs,
        r'aiida\.wout|aiida_u(_dis)?\.mat',
        {'output_filename': 'aiida.wout'},
        True,
    ),
    **{
        f'kcw.{step}': Tested(
            'foundry.kcw',
            f'foundry.kcw.{step}',
            'kcw',
            cases,
            kcw_inputs,
            r'aiida\.out',
            {'output_filename': 'aiida.out'},
            True,
        )
        for step, cases in {
            'wann2kcw': ['wann2kcw_si'],
            'screen': ['screen_si', 'screen_si222', 'screen_si_head_1', 'screen_si_head_5'],
            'ham': ['ham_si', 'ham_si222', 'ham_si_head'],
        }.items()
    },
    'ki': Tested(
        'foundry.ki',
        'foundry.ki',
        'koopmans',
        ['si_lda_222', 'alp_pbe_321'],
        ki_inputs,
        r'aiida\.(out|ki\.json|ki\.npz)',
        {'output_filename': 'aiida.out', **STANDARD_ERROR},
        True,
    ),
    'yambo': Tested(
        'foundry.yambo',
        'foundry.yambo',
        'yambo',
        [
            f'{crystal}_{run}'
            for crystal in ('AlP', 'silicon')
            for run in ('screening', 'gw', 'bse', 'haydock', 'rpa', 'ip')
        ],
        yambo_inputs,
        r'[rlo]-.*|ndb\..*',
        {'output_filename': 'aiida.out'},
        True,
        temporary=r'ndb\.(BS_diago_Q1|em1s_fragment_1|pp_fragment_1)',
    ),
    'p2y': Tested(
        'foundry.p2y',
        'foundry.p2y',
        'yambo',
        ['AlP_p2y', 'silicon_p2y'],
        yambo_inputs,
        r'p2y\.out|[rl][-_].*|ns\.db1',
        {'output_filename': 'p2y.out'},
        True,
    ),
}


class Subject:
    """One stored run and its parser."""

    def __init__(self, tested: Tested, case: str) -> None:
        from aiida import orm
        from aiida.common import LinkType

        self.tested, self.case, self.temporary = tested, case, tempfile.TemporaryDirectory()
        folder = FIXTURES / tested.folder / case
        folder = folder / 'results' if (folder / 'results').is_dir() else folder
        if folder.is_dir():
            paths = sorted(folder.iterdir())
            self.files: Files = {path.name.removesuffix('.gz'): _content(path) for path in paths}
        else:
            self.files = {tested.options['output_filename']: _content(folder.with_name(f'{case}.out.gz'))}
        self.names = [name for name, content in self.files.items() if content and re.fullmatch(tested.files, name)]
        self.node = orm.CalcJobNode(process_type=f'aiida.calculations:{tested.calculation}', computer=computer())
        resources = {'num_machines': 1, 'num_mpiprocs_per_machine': 1}
        for name, value in ({'resources': resources} | tested.options).items():
            self.node.set_option(name, value)
        self.node.base.attributes.set('output_filename', tested.options['output_filename'])
        for label, data in tested.inputs(case).items():
            self.node.base.links.add_incoming(data.store(), LinkType.INPUT_CALC, label)
        self.node.store()
        self.label, self.reference = self.parse(self.files, fits=True)
        assert self.label is None or self.label == 'ERROR_SCREENING_OUT_OF_RANGE', f'{case} itself ends in {self.label}'

    def parse(self, files: Files, fits: bool) -> tuple[str | None, dict[str, Any]]:
        """Return the label of the exit code, None for success, and the results.

        Args:
            files: as retrieved.
            fits: whether the checksums are those of these files, not of the undamaged ones.
        """
        from aiida import orm
        from aiida.orm.implementation.utils import clean_value
        from aiida.plugins import ParserFactory

        retrieved, temporary = orm.FolderData(), Path(self.temporary.name)
        for name, content in files.items():
            if re.fullmatch(self.tested.temporary, name):
                (temporary / name).write_bytes(content)
            else:
                retrieved.base.repository.put_object_from_bytes(content, name)
        if self.tested.checksums:
            listing = checksums(files if fits else self.files)
            retrieved.base.repository.put_object_from_bytes(listing, CHECKSUMS)
        base = ParserFactory(self.tested.parser)
        parser = type('Parser', (base,), {'retrieved': retrieved})(self.node)
        signal.setitimer(signal.ITIMER_PROF, TIME_LIMIT)
        signal.alarm(30 * TIME_LIMIT)
        try:
            code = parser.parse(retrieved_temporary_folder=self.temporary.name)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.alarm(0)
        status = 0 if code is None else code.status
        for node in parser.outputs.values():
            clean_value(node.base.attributes.all)  # as AiiDA does when it stores the node
        names = {entry.status: name for name, entry in self.node.process_class.exit_codes.items()}
        return None if status == 0 else names.get(status, f'unnamed {status}'), flatten(parser.outputs)


def _content(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == '.gz' else path.read_bytes()


def checksums(files: Files) -> bytes:
    """Return what ``sha256sum`` writes."""
    return ''.join(f'{hashlib.sha256(content).hexdigest()}  {name}\n' for name, content in files.items()).encode()


def computer() -> Any:
    from aiida import orm

    created, node = orm.Computer.collection.get_or_create(
        label='mutants', hostname='localhost', transport_type='core.local', scheduler_type='core.direct'
    )
    return node.store() if created else node


def flatten(outputs: Any) -> dict[str, Any]:
    """Return all numbers and words of the outputs by name."""
    from aiida import orm

    found: dict[str, Any] = {}
    for label, node in outputs.items():
        values = dict(node.base.attributes.all)
        if isinstance(node, orm.ArrayData):
            values |= {f'array:{name}': node.get_array(name) for name in node.get_arraynames()}
        found |= {f'{label}.{name}': value for name, value in walk(values) if not IGNORED.search(name)}
    return found


def walk(values: Any, path: str = '') -> Iterator[tuple[str, Any]]:
    if isinstance(values, dict):
        for key, value in values.items():
            yield from walk(value, f'{path}.{key}')
    else:
        yield path, values


def difference(reference: dict[str, Any], found: dict[str, Any]) -> str | None:
    """Return the name of the first result that is not that of the undamaged run."""
    for name in sorted({*reference, *found}):
        if name not in found or name not in reference or not same(reference[name], found[name]):
            return name
    return None


def same(first: Any, second: Any) -> bool:
    if not isinstance(first, np.ndarray | list | int | float):
        return bool(first == second)
    try:
        a, b = np.asarray(first), np.asarray(second)
    except ValueError:  # ragged lists
        return bool(first == second)
    if a.dtype.kind in 'fciub' and b.dtype.kind in 'fciub':
        return a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-5, atol=2e-3, equal_nan=True))
    return a.tolist() == b.tolist()


def outcome(subject: Subject, files: Files, fits: bool) -> tuple[str, str]:
    """Return what became of a mutant, and more about it."""
    try:
        label, found = subject.parse(files, fits)
    except TooLongError:
        return 'hang', ''
    except Exception:
        return 'traceback', traceback.format_exc()
    if label is not None and label != subject.label:
        return ('unnamed exit code' if label.startswith('unnamed') else 'exit code'), label
    changed = difference(subject.reference, found)
    return ('correct', '') if changed is None else ('silently wrong', changed)


def mutants(subjects: list[Subject], number: int, dice: random.Random, kinds: tuple[str, ...] | None) -> Iterator[Any]:
    """Iterate over subject, file, kind of damage, and the files with one of them damaged."""
    for _ in range(number):
        subject = dice.choice(subjects)
        name = dice.choice(subject.names)
        damages = NETCDF if subject.files[name].startswith(HDF5) else TEXT
        kind = dice.choice([kind for kind in damages if kinds is None or kind in kinds])
        earlier = subjects if kinds is None else subjects[: subjects.index(subject)]
        others = [other.files[name] for other in earlier if name in other.files]
        content = damages[kind](subject.files[name], dice, others)
        yield subject, name, kind, subject.files | {name: content}


def study(name: str, number: int, seed: int) -> tuple[Counter[tuple[str, str, str]], list[str]]:
    """Return outcomes by round, kind of damage and outcome; and a line for each failure."""
    tested, counts, failures = PARSERS[name], Counter[tuple[str, str, str]](), []
    subjects = [Subject(tested, case) for case in tested.cases]
    for turn, share, kinds in (('after', number - number // 3, None), ('engine', number // 3, BY_ENGINE)):
        dice = random.Random(f'{seed} {name} {turn}')  # noqa: S311
        for subject, file, kind, files in mutants(subjects, share, dice, kinds):
            what, more = outcome(subject, files, fits=turn == 'engine')
            counts[turn, kind, what] += 1
            if what not in {'correct', 'exit code'}:
                failures.append(f'{turn}: {subject.case}/{file}, {kind}: {what} {more}')
    return counts, failures


def print_table(name: str, counts: Counter[tuple[str, str, str]]) -> None:
    outcomes = ('exit code', 'correct', 'silently wrong', 'traceback', 'hang', 'unnamed exit code')
    print(f'\n{name:24}' + ''.join(f'{what:>18}' for what in outcomes))
    for turn, kind in sorted({(turn, kind) for turn, kind, _ in counts}):
        print(f'{turn + ": " + kind:24}' + ''.join(f'{counts[turn, kind, what]:>18}' for what in outcomes))


def load_temporary_profile() -> None:
    """Load a profile in memory, in a configuration of its own."""
    os.environ['AIIDA_PATH'] = tempfile.mkdtemp()
    from aiida import load_profile
    from aiida.storage.sqlite_temp import SqliteTempBackend

    load_profile(SqliteTempBackend.create_profile('mutants'))
    logging.disable(logging.CRITICAL)


def too_long(*_: Any) -> None:
    raise TooLongError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--quick', action='store_true', help='60 mutants per parser')
    parser.add_argument('--number', type=int, default=1200, help='mutants per parser (default: 1200)')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--parser', choices=list(PARSERS), action='append')
    parser.add_argument('--failures', type=int, default=20, help='failures to print (default: 20)')
    arguments = parser.parse_args()
    for kind in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(kind, too_long)
    load_temporary_profile()
    number, start = 60 if arguments.quick else arguments.number, time.process_time()
    failed: dict[str, int] = {}
    for name in arguments.parser or PARSERS:
        counts, failures = study(name, number, arguments.seed)
        print_table(name, counts)
        for line in failures[: arguments.failures]:
            print('  ' + line)
        failed[name] = len(failures)
    print(f'{number} mutants per parser, seed {arguments.seed}, {time.process_time() - start:.0f} CPU s')
    ratio = sum(failed.values()) / (number * len(failed))
    summary = {'name': 'mutants', 'ratio': ratio, 'target': 0, 'holds': ratio == 0}
    print(json.dumps(summary | {'failed': failed}))
    sys.exit(bool(sum(failed.values())))


if __name__ == '__main__':
    main()
