"""Checksums: the command is run by a real shell, and every change of a file is seen."""

from __future__ import annotations

import subprocess

import pytest

from aiida_foundry.engines import checksums

NAMES = ['log.txt', 'a name; touch planted', "it's", '-n', '$(touch planted)']


@pytest.fixture
def files(tmp_path):
    """Return the content of files that have checksums, and the listing that the shell wrote."""
    for name in NAMES:
        (tmp_path / name).write_bytes(name.encode() * 10)
    done = subprocess.run(['sh', '-c', checksums.command([*NAMES, 'not there'])], cwd=tmp_path, check=False)
    assert done.returncode == 0
    assert not (tmp_path / 'planted').exists()
    return {name: (tmp_path / name).read_bytes() for name in NAMES}, (tmp_path / checksums.FILE).read_text()


def test_all_is_well(files):
    contents, listing = files
    assert set(checksums.parse(listing)) == set(NAMES)
    assert checksums.damaged(listing, contents.get, [*NAMES, 'not there']) == []


@pytest.mark.parametrize('content', [b'', b'other', None])
def test_damage_is_seen(files, content):
    contents, listing = files
    assert checksums.damaged(listing, (contents | {'log.txt': content}).get, NAMES) == ['log.txt']


def test_file_without_checksum(files):
    contents, listing = files
    shorter = '\n'.join(line for line in listing.splitlines() if not line.endswith('log.txt'))
    assert checksums.damaged(shorter, contents.get, NAMES) == ['log.txt']


def test_pattern(tmp_path):
    """A pattern is expanded where the job ran; one that fits nothing does no harm."""
    for name in ('a.out', 'plot1.cube', 'plot2.cube'):
        (tmp_path / name).write_text(name)
    for pattern, number in (('plot*.cube', 3), ('none*', 1)):
        subprocess.run(['sh', '-c', checksums.command(['a.out'], pattern)], cwd=tmp_path, check=True)
        assert len(checksums.parse((tmp_path / checksums.FILE).read_text())) == number


def test_without_sha256sum_the_job_goes_on(tmp_path):
    done = subprocess.run(['/bin/sh', '-c', checksums.command(['log'])], cwd=tmp_path, env={'PATH': ''}, check=False)
    assert done.returncode == 0
    assert (tmp_path / checksums.FILE).read_text() == ''
