"""Programs that print a version, alone on PATH, and a list of what setup reports."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


class Bin:
    """A folder of shell scripts that stand for engines: setup starts them as it starts the real ones."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, name: str, output: str) -> Path:
        path = self.folder / name
        path.write_text(f'#!/bin/bash\necho "{output}"\n')
        path.chmod(0o755)
        return path


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """The only folder on PATH, with the tools that the lookups themselves need."""
    folder = tmp_path / 'bin'
    folder.mkdir()
    for tool in ('bash', 'mktemp', 'rm', 'timeout'):
        (folder / tool).symlink_to(shutil.which(tool))
    monkeypatch.setenv('PATH', str(folder))
    return Bin(folder)


@pytest.fixture
def reports():
    """Lines `outcome: message`; the fixture is itself the callable that setup reports to."""

    class Reports(list):
        def __call__(self, outcome: str, message: str) -> None:
            self.append(f'{outcome}: {message}')

        def outcomes(self) -> set[str]:
            return {line.partition(':')[0] for line in self}

    return Reports()
