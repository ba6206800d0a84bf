"""Runlevels and variables of Yambo's input: kinds, units, and the ones that this plugin writes itself.

Yambo ignores what it does not know, and takes a value without unit for hartree: names and units are checked here.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from typing import Any

from aiida_foundry.common.errors import InputError

RUNLEVELS = (
    'setup',
    'optics',
    'dipoles',
    'chi',
    'bse',
    'bsk',
    'bss',
    'em1s',
    'em1d',
    'ppa',
    'gw0',
    'HF_and_locXC',
    'dyson',
    'el_el_corr',
    'rim_cut',
)

ENERGY_UNITS = ('eV', 'meV', 'Ha', 'mHa', 'Ry', 'mRy')
SIZE_UNITS = ('RL', 'Ry', 'mRy', 'Ha', 'mHa', 'eV')

#: Kind of each variable: ``integer``, ``real``, ``text``, ``flag``; ``energy`` and ``energies`` (two), `ENERGY_UNITS`;
#: ``size``, `SIZE_UNITS`; ``range`` (two integers); ``vector`` (three numbers); ``states`` (rows of first and last
#: k-point, first and last band).
VARIABLES: dict[str, str] = {
    'FFTGvecs': 'size', 'MaxGvecs': 'size', 'NonPDirs': 'text',
    'Chimod': 'text', 'ChiLinAlgMod': 'text', 'QpntsRXd': 'range',
    'EnRngeXd': 'energies', 'DmRngeXd': 'energies', 'ETStpsXd': 'integer',
    'BndsRnXd': 'range', 'NGsBlkXd': 'size', 'LongDrXd': 'vector',
    'BndsRnXs': 'range', 'NGsBlkXs': 'size', 'LongDrXs': 'vector',
    'BndsRnXp': 'range', 'NGsBlkXp': 'size', 'LongDrXp': 'vector', 'PPAPntXp': 'energy',
    'DipBands': 'range', 'DipApproach': 'text', 'DipComputed': 'text', 'Gauge': 'text',
    'BSEmod': 'text', 'BSKmod': 'text', 'BSSmod': 'text', 'BSENGexx': 'size', 'BSENGBlk': 'size', 'BSEBands': 'range',
    'BSEQptR': 'range', 'BSEprop': 'text', 'BSEdips': 'text', 'BEnRange': 'energies', 'BDmRange': 'energies',
    'BEnSteps': 'integer', 'BLongDir': 'vector', 'BSHayTrs': 'real', 'BSHayItrMAX': 'integer', 'BSHayItrIO': 'integer',
    'BSSNEig': 'integer', 'WRbsWF': 'flag', 'WehCpl': 'flag',
    'EXXRLvcs': 'size', 'VXCRLvcs': 'size', 'GbndRnge': 'range', 'GDamping': 'energy', 'dScStep': 'energy',
    'DysSolver': 'text', 'GTermKind': 'text', 'GTermEn': 'energy', 'QPkrange': 'states',
    'RandQpts': 'integer', 'RandGvec': 'size', 'CUTGeo': 'text', 'CUTBox': 'vector',
    'PAR_def_mode': 'text', 'X_and_IO_CPU': 'text', 'X_and_IO_ROLEs': 'text', 'X_CPU': 'text', 'X_ROLEs': 'text',
    'DIP_CPU': 'text', 'DIP_ROLEs': 'text', 'BS_CPU': 'text', 'BS_ROLEs': 'text', 'SE_CPU': 'text', 'SE_ROLEs': 'text',
    'BS_nCPU_LinAlg_INV': 'integer', 'BS_nCPU_LinAlg_DIAGO': 'integer', 'X_nCPU_LinAlg_INV': 'integer',
    'MEM_tresh': 'integer', 'NLogCPUs': 'integer',
}  # fmt: skip

_QUASIPARTICLES = 'quasiparticles are given in the input `quasiparticle_file`, which sets this variable'
#: Variables that the user cannot set, with the reason.
OWNED = {**dict.fromkeys(('KfnQPdb', 'XfnQPdb', 'GfnQPdb'), _QUASIPARTICLES), 'StdoHash': 'the parser reads the log'}

_UNITS = {'energy': ENERGY_UNITS, 'energies': ENERGY_UNITS, 'size': SIZE_UNITS}
_LENGTHS = {'range': 2, 'vector': 3, 'energies': 2}


def check_parameters(parameters: Mapping[str, Any]) -> None:
    """Check runlevels and variables.

    Args:
        parameters: ``runlevels``, a list, and ``variables``: name to value, or to ``{'value': …, 'unit': …}`` where the
            kind of the variable has a unit.

    Raises:
        InputError: names what is unknown, owned, of a wrong kind, or without unit.
    """
    for key in parameters:
        if key not in ('runlevels', 'variables'):
            raise InputError(f'parameters `{key}`', 'it is unknown', 'Give `runlevels` and `variables`')
    if not parameters.get('runlevels'):
        raise InputError('parameters `runlevels`', 'there are none', f'Known are {", ".join(RUNLEVELS)}')
    for level in parameters['runlevels']:
        if level not in RUNLEVELS:
            raise InputError(f'runlevel `{level}`', 'it is unknown', f'Known are {", ".join(RUNLEVELS)}')
    for name, value in parameters.get('variables', {}).items():
        _check_variable(name, value)


def _check_variable(name: str, value: Any) -> None:
    subject = f'variable `{name}`'
    if name in OWNED:
        raise InputError(subject, OWNED[name], 'Leave it out')
    if name not in VARIABLES:
        close = difflib.get_close_matches(name, VARIABLES, n=3)
        raise InputError(subject, 'it is unknown', f'Close names: {", ".join(close)}' if close else 'Correct it')
    kind = VARIABLES[name]
    if kind in _UNITS:
        if not isinstance(value, Mapping) or set(value) != {'value', 'unit'} or value['unit'] not in _UNITS[kind]:
            example = "{'value': …, 'unit': '" + _UNITS[kind][0] + "'}"
            raise InputError(subject, f'{value!r} has no unit of {", ".join(_UNITS[kind])}', f'Give {example}')
        value = value['value']
    if not _fits(kind, value):
        raise InputError(subject, f'{value!r} is not of the kind `{kind}`', 'See `variables.VARIABLES`')


def _fits(kind: str, value: Any) -> bool:
    if kind == 'text':
        return isinstance(value, str) and '"' not in value and '\n' not in value
    if kind == 'flag':
        return isinstance(value, bool)
    if kind == 'states':
        return bool(value) and all(_fits_list('range', row, 4) for row in value)
    if kind in _LENGTHS:
        return _fits_list(kind, value, _LENGTHS[kind])
    return _is_number(value, whole=kind == 'integer')


def _fits_list(kind: str, value: Any, length: int) -> bool:
    if not isinstance(value, (list, tuple)) or len(value) != length:
        return False
    return all(_is_number(item, whole=kind == 'range') for item in value)


def _is_number(value: Any, *, whole: bool) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return False
    return not whole or value == int(value)


def render(parameters: Mapping[str, Any], owned: Mapping[str, str]) -> str:
    """Return the text of the input file.

    Args:
        parameters: as `check_parameters` accepts them.
        owned: text of the variables that the plugin sets.
    """
    lines = list(parameters['runlevels'])
    for name, value in parameters.get('variables', {}).items():
        lines += _render_variable(name, VARIABLES[name], value)
    return '\n'.join([*lines, *(f'{name}= "{text}"' for name, text in owned.items())]) + '\n'


def _render_variable(name: str, kind: str, value: Any) -> list[str]:
    unit = ''
    if kind in _UNITS:
        value, unit = value['value'], f' {value["unit"]}'
    if kind == 'flag':
        return [name] if value else []
    if kind == 'text':
        return [f'{name}= "{value}"']
    if kind == 'states':
        return [f'%{name}', *('|'.join(str(int(item)) for item in row) + '|' for row in value), '%']
    if kind in _LENGTHS:
        items = ' | '.join(repr(item) for item in value)
        return [f'% {name}', f' {items} |{unit}', '%']
    return [f'{name}= {value!r}{unit}']
