"""AiiDA archives of records: what their numbers came from, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiida_foundry.common.errors import InputError
from aiida_foundry.datasets.export import replacing
from aiida_foundry.datasets.queries import Query

if TYPE_CHECKING:
    from aiida_foundry.datasets.archive_check import ArchiveReport

#: From a process to its inputs, to what it called and made, and to what its inputs were made from. Not to the workflows
#: that called it, nor to other uses of its data.
TRAVERSAL = {'call_calc_backward': False, 'call_work_backward': False, 'create_backward': True}


def export_archive(query: Query, path: Path) -> int:
    """Write an archive of the processes of all records with their provenance, and return the number of records.

    Comments, logs, checkpoints and the settings of logins stay at home.

    Raises:
        InputError: if there are no records.
    """
    from aiida.orm import ProcessNode, QueryBuilder
    from aiida.tools.archive import create_archive

    uuids = [record.uuid for record in query]
    if not uuids:
        raise InputError(f'records `{query.name}`', 'the query finds none to write', 'Relax its conditions')
    keys = QueryBuilder().append(ProcessNode, filters={'uuid': {'in': uuids}}).all(flat=True)
    with replacing(path) as temporary:
        create_archive(
            keys, temporary, include_comments=False, include_logs=False, include_authinfos=False, **TRAVERSAL
        )
    return len(uuids)


def import_checked(path: Path, maximum_bytes: int | None = None) -> ArchiveReport:
    """Check an archive of someone else and import it into the loaded profile; return what the check found.

    Settings of logins are not imported.

    Raises:
        InputError: if the check finds what an archive must not have; nothing is imported then.
    """
    from aiida.tools.archive import import_archive

    from aiida_foundry.datasets.archive_check import MAXIMUM_BYTES, check_archive

    report = check_archive(path, maximum_bytes or MAXIMUM_BYTES)
    if report.problems:
        raise InputError(f'archive `{path}`', '; '.join(report.problems), 'Ask its author; nothing was imported')
    rules: dict[str, Any] = {'include_authinfos': False, 'merge_extras': ('k', 'n', 'l')}
    import_archive(path, **rules)
    return report
