"""Names of ABINIT's input variables, and the ones that this plugin writes itself."""

from __future__ import annotations

import difflib
import re
from functools import lru_cache
from importlib import resources

_MULTI_DATASET = 'one calculation is one dataset: run several calculations and connect them with `parents`'
_STRUCTURE = 'it is written from the input `structure`'
_KPOINTS = 'it is written from the input `kpoints`'
_PSEUDOS = 'it is written from the input `pseudos`'
_FILES = 'the names of the files belong to the plugin'
_RESTART = 'files of an earlier run are given in the input `parents`, which sets this variable'

#: Variables that the user cannot set, with the reason.
OWNED: dict[str, str] = {
    **dict.fromkeys(('ndtset', 'jdtset', 'udtset'), _MULTI_DATASET),
    **dict.fromkeys(('natom', 'ntypat', 'typat', 'znucl', 'natrd', 'structure', 'xyzfile'), _STRUCTURE),
    **dict.fromkeys(('acell', 'rprim', 'rprimd', 'angdeg', 'scalecart', 'brvltt'), _STRUCTURE),
    **dict.fromkeys(('xred', 'xcart', 'nimage'), _STRUCTURE),
    **dict.fromkeys(('kpt', 'nkpt', 'kptnrm', 'wtk', 'ngkpt', 'nshiftk', 'shiftk', 'kptrlatt', 'kptrlen'), _KPOINTS),
    **dict.fromkeys(('kptbounds', 'nkpath', 'ndivk', 'ndivsm'), _KPOINTS),
    **dict.fromkeys(('pseudos', 'pp_dirpath', 'npsp', 'ntypalch', 'algalch', 'mixalch'), _PSEUDOS),
    **dict.fromkeys(('output_file', 'indata_prefix', 'outdata_prefix', 'tmpdata_prefix'), _FILES),
}


@lru_cache
def known_names() -> frozenset[str]:
    """Return the names of all variables that ABINIT 9.6 accepts or later releases document, in lower case."""
    text = resources.files(__package__).joinpath('variables.txt').read_text(encoding='utf-8')
    return frozenset(name for line in text.splitlines() if not line.startswith('#') for name in line.split())


def owned_reason(name: str) -> str | None:
    """Return why the user cannot set the variable, or None if it is free."""
    if name in OWNED:
        return OWNED[name]
    if name.startswith(('ird', 'get')):
        return _RESTART
    return None


def unknown_reason(name: str) -> str | None:
    """Return why the name is no variable of ABINIT, with close names, or None if it is one."""
    if name in known_names():
        return None
    base = re.sub(r'[0-9?:+*]+$', '', name)
    if base in known_names():
        return f'it is `{base}` with the index of a dataset, but {_MULTI_DATASET}'
    close = difflib.get_close_matches(name, known_names(), n=3)
    suggestion = f'; close names: {", ".join(close)}' if close else ''
    return f'it is not an input variable of ABINIT{suggestion}'
