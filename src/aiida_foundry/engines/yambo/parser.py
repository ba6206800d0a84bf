"""Parser of the calculations with Yambo: records become nodes, messages become exit codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import CalcJob, ExitCode
from aiida.parsers.parser import Parser

from aiida_foundry.common.errors import InputError
from aiida_foundry.engines import checksums
from aiida_foundry.engines.yambo.calculation import bands_of
from aiida_foundry.engines.yambo.exit_codes import classify_message
from aiida_foundry.engines.yambo.parse_raw import consistency
from aiida_foundry.engines.yambo.parse_raw import quasiparticles as qp
from aiida_foundry.engines.yambo.parse_raw.excitons import (
    UnreadableExcitonsError,
    exciton_arrays,
    parse_dielectric_constant,
    parse_excitons,
)
from aiida_foundry.engines.yambo.parse_raw.report import READ_FAILED, Levels, YamboReport, parse_origin, parse_report
from aiida_foundry.engines.yambo.parse_raw.tables import UnreadableTableError, parse_corrections, parse_spectrum
from aiida_foundry.engines.yambo.qp_database import UnreadableSetupError, parse_setup

TABLE_TOLERANCE = 2e-5
"""eV between corrections in ``o-*.qp``, which has six digits, and in ``ndb.QP``."""

DEFAULT_EXCITONS = 24
COMPLETE = 100.0
Failure = tuple[str, dict[str, Any]]


OF_YAMBO = ('r-', 'r_', 'l-', 'l_', 'o-', 'ndb.', 'ns.', 'p2y.')
"""How the names of its files begin."""


class RetrievedFiles:
    """Files that came back, by the beginning of their names: also those in the folder of logs, and temporary ones.

    Args:
        folder: that was retrieved.
        temporary: folder of the files that are not kept.
    """

    def __init__(self, folder: orm.FolderData, temporary: str | None = None) -> None:
        self.repository = folder.base.repository
        paths = [root / name for root, _, names in self.repository.walk() for name in names]
        self.paths = {path.name: str(path) for path in paths}
        self.temporary = {path.name: path for path in Path(temporary).iterdir()} if temporary else {}

    def name(self, *starts: str, containing: str = '') -> str:
        """Return the name of the first file that begins so, or an empty text."""
        found = (name for name in sorted(self.paths) if name.startswith(starts) and containing in name)
        return next(found, '')

    def text(self, *starts: str, containing: str = '') -> str:
        """Return the content of the first file whose name begins so, or an empty text."""
        content = self.content(self.name(*starts, containing=containing)) or b''
        return content.decode('utf-8', errors='replace')

    def content(self, name: str) -> bytes | None:
        """Return the bytes of a file, None if it is not there."""
        if name in self.temporary:
            return self.temporary[name].read_bytes()
        return self.repository.get_object_content(self.paths[name], 'rb') if name in self.paths else None

    def damaged(self) -> Failure | None:
        """Return which files are not what the job wrote; None also where the job could not make checksums."""
        listing = self.text(checksums.FILE)
        expected = [name for name in (*self.paths, *self.temporary) if name.startswith(OF_YAMBO)]
        names = checksums.damaged(listing, self.content, expected) if listing else []
        return ('ERROR_FILES_DAMAGED', {'message': ', '.join(names)}) if names else None


SCHEDULER = {
    CalcJob.exit_codes.ERROR_SCHEDULER_OUT_OF_MEMORY.status: 'ERROR_OUT_OF_MEMORY',
    CalcJob.exit_codes.ERROR_SCHEDULER_OUT_OF_WALLTIME.status: 'ERROR_OUT_OF_WALLTIME',
}


def failure_of_run(report: YamboReport, text: str, scheduler_status: int | None) -> Failure | None:
    """Return the label of the exit code of a run that did not come to its end, with the words of its message."""
    if not text:
        return 'ERROR_REPORT_MISSING', {}
    if report.errors:
        message = '; '.join(report.errors)
        return classify_message(message), {'message': message}
    if report.completed:
        return None
    failed = [line for line in report.warnings if line.startswith('Allocation of')]
    if failed:
        return 'ERROR_OUT_OF_MEMORY', {'message': failed[-1]}
    return SCHEDULER.get(scheduler_status or 0, 'ERROR_REPORT_INCOMPLETE'), {'message': 'the scheduler killed it'}


class YamboParser(Parser):
    """Parse the retrieved files of a run.

    The exit status of Yambo, 0 in all cases, is not believed. The exit code is the first that applies of: files that
    are not those of the checksums of the job; no report; a message of Yambo; killed; quasiparticles not read, not
    applied, of other k-points or states, incomplete, with another gap; a report of other states; results missing,
    unreadable, no numbers, or of another run; not converged.
    """

    def parse(self, **kwargs: Any) -> ExitCode | None:
        """Attach the outputs and return the exit code, None for success."""
        self.files = RetrievedFiles(self.retrieved, kwargs.get('retrieved_temporary_folder'))
        damaged = self.files.damaged()
        if damaged is not None:
            return self._exit(damaged)
        text = self.files.text('r-')
        report = parse_report(text, self.files.text('l-'))
        self.setup = parse_setup(self.node.inputs.setup.get_content('rb'))
        parameters = self.node.inputs.parameters.get_dict()
        self.levels, self.variables = parameters['runlevels'], parameters.get('variables', {})
        self.summary = self._summary(report)
        code = self._failure(report, text) or self._results(report)
        self.out('output_parameters', orm.Dict(self.summary))
        return code

    def _exit(self, failure: Failure | None) -> ExitCode | None:
        return None if failure is None else self.exit_codes[failure[0]].format(**failure[1])

    def _failure(self, report: YamboReport, text: str) -> ExitCode | None:
        """Return why the run stopped, or went on with other energies than those given."""
        return self._exit(
            self._not_a_number()
            or failure_of_run(report, text, self.node.exit_status)
            or self._other_energies(report)
            or self._other_report(report)
        )

    def _other_report(self, report: YamboReport) -> Failure | None:
        """Return what is missing in the report, or does not belong to the states."""
        kernel = 'bsk' in self.levels and self.variables.get('BSKmod') != 'IP'
        problem = consistency.problem_of_report(report, self.setup)
        problem = problem or consistency.missing_size(report, self.levels, kernel)
        return ('ERROR_OUTPUT_INCONSISTENT', {'message': problem}) if problem else None

    def _database(self) -> qp.Database | None:
        """Return the quasiparticles given; None if there are none, or if they are unreadable, which Yambo says."""
        if 'quasiparticle_file' not in self.node.inputs:
            return None
        try:
            return qp.parse_database(self.node.inputs.quasiparticle_file.get_content('rb'))
        except qp.UnreadableDatabaseError:
            return None

    def _not_a_number(self) -> Failure | None:
        """Return whether the energies given are no numbers: Yambo's message does not say so."""
        database = self._database()
        if database is None or np.isfinite([database.ks_energies, database.qp_energies]).all():
            return None
        return 'ERROR_NOT_A_NUMBER', {'message': 'the quasiparticle database holds NaN or infinity'}

    def _other_energies(self, report: YamboReport) -> Failure | None:
        """Return why the kernel is not on the energies that were given."""
        unread = [line for line in report.warnings if READ_FAILED in line]
        if unread:
            return 'ERROR_QUASIPARTICLES_NOT_READ', {'message': unread[0]}
        if 'quasiparticle_file' not in self.node.inputs:
            return None
        database, used, bare = self._database(), report.quasiparticle, report.kohn_sham
        if database is None or used is None or bare is None or bare.filled is None:
            return 'ERROR_QUASIPARTICLES_NOT_APPLIED', {}
        if report.exact_matches is None or not report.exact_matches >= COMPLETE:
            message = f'Yambo found {report.exact_matches} % of the k-points in it and interpolated the others'
            return 'ERROR_QUASIPARTICLES_INTERPOLATED', {'message': message}
        return self._other_states(database, report.fitted) or self._other_gap(used, database, bare.filled)

    def _other_states(self, database: qp.Database, fitted: bool) -> Failure | None:
        problem = qp.find_problem(database, self.setup, bands_of(self.node.inputs.parameters))
        if problem is not None:
            return problem[0], {'message': problem[1]}
        return ('ERROR_QUASIPARTICLES_INCOMPLETE', {'message': 'Yambo filled it by a fit'}) if fitted else None

    def _other_gap(self, used: Levels, database: qp.Database, filled: int) -> Failure | None:
        if not 0 < filled < self.setup.ks_energies.shape[1]:
            return 'ERROR_OUTPUT_INCONSISTENT', {'message': f'the report has {filled} filled bands'}
        wanted = qp.intended_gaps(database, self.setup, filled)
        if consistency.same_gaps(used, wanted):
            return None
        return 'ERROR_QUASIPARTICLE_GAP', {'found': used.direct_gap, 'wanted': wanted[0]}

    def _summary(self, report: YamboReport) -> dict[str, Any]:
        summary: dict[str, Any] = {'code_version': report.version, 'warnings': list(report.warnings)}
        if report.wall_time is not None:
            summary['wall_time_seconds'] = report.wall_time
        for name, levels in (('kohn_sham', report.kohn_sham), ('quasiparticle', report.quasiparticle)):
            if levels is not None:
                summary[name] = {'direct_gap': levels.direct_gap, 'indirect_gap': levels.indirect_gap}
        return {**summary, 'plane_waves': report.sizes}

    def _results(self, report: YamboReport) -> ExitCode | None:
        """Attach the results of the runlevels."""
        try:
            for level, section in (
                ('dyson', self._corrections),
                ('dipoles', self._dielectric_constant),
                ('bss', self._spectrum),
            ):
                if level in self.levels and (code := section(report)) is not None:
                    return code
        except (UnreadableTableError, UnreadableExcitonsError, qp.UnreadableDatabaseError) as error:
            return self.exit_codes.ERROR_RESULTS_UNREADABLE.format(message=str(error))
        return None

    def _dielectric_constant(self, report: YamboReport) -> None:
        """Note ε∞ of the static screening; a run that read its screening from another folder has none."""
        poles = {'em1s': None, 'pp': consistency.energy_in_hartree(self.variables.get('PPAPntXp'))}
        for kind, pole in poles.items():
            content = self.files.content(f'ndb.{kind}_fragment_1')
            if content is not None and consistency.SCREENING.intersection(self.levels):
                constant = parse_dielectric_constant(content, report.sizes['screening'], pole)
                self.summary['dielectric_constant_with_local_fields'] = constant

    def _corrections(self, report: YamboReport) -> ExitCode | None:
        """Attach the quasiparticle energies."""
        content, table = self.files.content('ndb.QP'), self.files.text('o-', containing='.qp')
        if content is None or not table:
            return self.exit_codes.ERROR_RESULTS_MISSING.format(message='quasiparticle energies')
        database = qp.parse_database(content)
        arrays = qp.fill(database, self.setup)
        self.out('output_quasiparticles', orm.ArrayData(arrays))
        if not consistency.same_run(report.origin, parse_origin(table)):
            return self.exit_codes.ERROR_OUTPUT_INCONSISTENT.format(message='report and `o-*.qp` are of two runs')
        if not np.isfinite([database.qp_energies, database.renormalization]).all():
            return self.exit_codes.ERROR_NOT_A_NUMBER.format(message='quasiparticle energies')
        shifts = (arrays['qp_energies'] - arrays['ks_energies'])[0]
        listed = parse_corrections(table)
        computed = {(point + 1, band + 1) for point, band in np.argwhere(np.isfinite(shifts))}
        if computed != set(listed):
            return self.exit_codes.ERROR_OUTPUT_INCONSISTENT.format(message='`o-*.qp` and `ndb.QP` hold other states')
        largest = max(abs(shifts[k - 1, band - 1] - value) for (k, band), (_, value) in listed.items())
        if not largest <= TABLE_TOLERANCE:
            message = f'corrections in `o-*.qp` and `ndb.QP` differ by {largest:.5f} eV'
            return self.exit_codes.ERROR_OUTPUT_INCONSISTENT.format(message=message)
        return None

    def _spectrum(self, report: YamboReport) -> ExitCode | None:
        """Attach spectrum and excitons."""
        name = self.files.name('o-', containing='.eps_q1_')
        text = self.files.text(name) if name else ''
        if not text:
            return self.exit_codes.ERROR_RESULTS_MISSING.format(message='dielectric function')
        spectrum = parse_spectrum(text)
        names = ('direction', 'frequencies', 'excitonic', 'independent')
        arrays = {name: getattr(spectrum, name) for name in names}
        if not all(np.isfinite(array).all() for array in arrays.values()):
            return self.exit_codes.ERROR_NOT_A_NUMBER.format(message='dielectric function')
        self.out('output_spectrum', orm.ArrayData(arrays))
        if not consistency.same_run(report.origin, parse_origin(text)):
            return self.exit_codes.ERROR_OUTPUT_INCONSISTENT.format(message=f'report and `{name}` are of two runs')
        if self.variables.get('BSKmod') == 'IP':
            return None
        check = self._check_haydock if 'haydock' in name else self._excitons
        return self._check_coupling(report) or check(report)

    def _check_coupling(self, report: YamboReport) -> ExitCode | None:
        """Return whether resonant and antiresonant pairs were coupled by what the input says."""
        if (report.coupling is not None) != (self.variables.get('BSEmod') == 'coupling'):
            message = 'resonant and antiresonant pairs are coupled in one of report and input'
        elif self.variables.get('WehCpl') and 'COR' not in str(report.coupling):
            message = '`WehCpl` was given, but the attraction does not couple resonant and antiresonant pairs'
        else:
            return None
        return self.exit_codes.ERROR_OUTPUT_INCONSISTENT.format(message=message)

    def _check_haydock(self, report: YamboReport) -> ExitCode | None:
        """Return whether the recursion, of which only the log tells, came to its end, and converged."""
        haydock = report.haydock
        if haydock is None or not report.log_completed:
            message = 'the log with the Haydock iterations is cut or missing'
            return self.exit_codes.ERROR_RESULTS_UNREADABLE.format(message=message)
        if haydock.converged:
            return None
        message = f'accuracy {haydock.accuracy} after {haydock.iterations} iterations, threshold {haydock.threshold}'
        return self.exit_codes.ERROR_HAYDOCK_NOT_CONVERGED.format(message=message)

    def _excitons(self, report: YamboReport) -> ExitCode | None:
        content = self.files.content('ndb.BS_diago_Q1')
        if content is None:
            return self.exit_codes.ERROR_RESULTS_MISSING.format(message='excitons')
        with_states, coupling = bool(self.variables.get('WRbsWF')), self.variables.get('BSEmod') == 'coupling'
        excitons = parse_excitons(content, self.setup, with_states=with_states, coupling=coupling)
        if excitons.kernel != report.origin.kernel:
            message = 'report and `ndb.BS_diago_Q1` are of two kernels'
            return self.exit_codes.ERROR_OUTPUT_INCONSISTENT.format(message=message)
        if not np.isfinite([excitons.energies, excitons.strengths]).all():
            return self.exit_codes.ERROR_NOT_A_NUMBER.format(message='exciton energies or strengths')
        settings = self.node.inputs.settings.get_dict() if 'settings' in self.node.inputs else {}
        number = int(settings.get('excitons', DEFAULT_EXCITONS))
        self.out('output_excitons', orm.ArrayData(exciton_arrays(excitons, self.setup, number)))
        return None


class P2yParser(Parser):
    """Parse the retrieved files of p2y and the setup of Yambo."""

    def parse(self, **_: Any) -> ExitCode | None:
        """Attach the outputs and return the exit code, None for success."""
        files = RetrievedFiles(self.retrieved)
        damaged = files.damaged()
        if damaged is not None:
            return self.exit_codes[damaged[0]].format(**damaged[1])
        text = files.text('r_setup', 'r-')
        report = parse_report(text, files.text('l_setup', 'l-'))
        errors = parse_report(files.text('p2y.out'), files.text('l_p2y', 'l-p2y')).errors
        summary: dict[str, Any] = {'code_version': report.version, 'warnings': list(report.warnings)}
        if report.wall_time is not None:
            summary['wall_time_seconds'] = report.wall_time
        if report.kohn_sham is not None:
            gaps = {'direct_gap': report.kohn_sham.direct_gap, 'indirect_gap': report.kohn_sham.indirect_gap}
            summary |= {'kohn_sham': gaps, 'filled_bands': report.kohn_sham.filled}
        self.out('output_parameters', orm.Dict(summary))
        if errors:
            return self.exit_codes.ERROR_P2Y.format(message='; '.join(errors))
        failure = failure_of_run(report, text, self.node.exit_status)
        if failure is not None:
            return self.exit_codes[failure[0]].format(**failure[1])
        content = files.content('ns.db1')
        if content is None:
            return self.exit_codes.ERROR_RESULTS_MISSING.format(message='`ns.db1`')
        return self._attach(content, report)

    def _attach(self, content: bytes, report: YamboReport) -> ExitCode | None:
        try:
            setup = parse_setup(content)
        except (UnreadableSetupError, InputError) as error:
            return self.exit_codes.ERROR_RESULTS_UNREADABLE.format(message=str(error))
        problem = consistency.problem_of_report(report, setup)
        if problem is None and report.serial != setup.serial:
            problem = 'report and `ns.db1` have two serial numbers'
        if problem is not None:
            return self.exit_codes.ERROR_OUTPUT_INCONSISTENT.format(message=problem)
        bands = orm.BandsData()
        bands.set_kpoints(setup.kpoints, weights=setup.multiplicities / setup.multiplicities.sum())
        bands.set_bands(setup.ks_energies, units='eV')
        self.out('setup', orm.SinglefileData.from_bytes(content, filename='ns.db1'))
        self.out('output_bands', bands)
        return None
